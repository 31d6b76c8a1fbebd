package apiserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/hook"
)

// apiHook is the Hook of Gitea's API. Its secret is never shown, and that it sends an Authorization header is shown by
// stars.
type apiHook struct {
	ID                  int64             `json:"id"`
	Type                string            `json:"type"`
	BranchFilter        string            `json:"branch_filter"`
	Config              map[string]string `json:"config"`
	Events              []string          `json:"events"`
	AuthorizationHeader string            `json:"authorization_header"`
	Active              bool              `json:"active"`
	UpdatedAt           time.Time         `json:"updated_at"`
	CreatedAt           time.Time         `json:"created_at"`
}

func (s *Server) showHook(h *db.Hook) *apiHook {
	out := &apiHook{
		ID: h.ID, Type: h.Type, BranchFilter: h.BranchFilter, Config: map[string]string{"url": h.URL, "content_type": h.ContentType},
		Events: append([]string{}, h.Events...), Active: h.IsActive, UpdatedAt: shown(h.UpdatedAt), CreatedAt: shown(h.CreatedAt),
	}
	if secrets, err := hook.OpenSecrets(s.Keys, h); err == nil && secrets.Authorization != "" {
		out.AuthorizationHeader = hidden
	}
	return out
}

// apiDelivery is a delivery in lists, as GitHub's. State and Attempts are Pawl's own.
type apiDelivery struct {
	ID           int64            `json:"id"`
	GUID         string           `json:"guid"`
	DeliveredAt  time.Time        `json:"delivered_at"` // of the latest attempt, or of its making
	Redelivery   bool             `json:"redelivery"`
	Duration     float64          `json:"duration"` // seconds
	Status       string           `json:"status"`   // in words
	StatusCode   int              `json:"status_code"`
	Event        string           `json:"event"`
	Action       *string          `json:"action"`
	RepositoryID *int64           `json:"repository_id"`
	State        db.DeliveryState `json:"state"` // pending, delivered or failed
	Attempts     int              `json:"attempts"`
}

// apiWholeDelivery is a delivery by itself.
type apiWholeDelivery struct {
	apiDelivery
	URL      string              `json:"url"`
	Request  apiDeliveryRequest  `json:"request"`
	Response apiDeliveryResponse `json:"response"`
}

type apiDeliveryRequest struct {
	Headers map[string]string `json:"headers"`
	Payload json.RawMessage   `json:"payload"`
}

type apiDeliveryResponse struct {
	Headers map[string]string `json:"headers"`
	Payload string            `json:"payload"`
}

func showDelivery(d *db.HookDelivery) *apiDelivery {
	out := &apiDelivery{
		ID: d.ID, GUID: d.GUID.String(), DeliveredAt: shown(d.TriedAt), Redelivery: d.IsRedelivery,
		Duration: float64(d.DurationMS) / 1000, StatusCode: d.StatusCode, Status: deliveryWords(d), Event: d.Event, State: d.State,
		Attempts: d.Tries,
	}
	if d.TriedAt.IsZero() {
		out.DeliveredAt = shown(d.CreatedAt)
	}
	if d.Action != "" {
		out.Action = &d.Action
	}
	if d.RepoID != 0 {
		out.RepositoryID = &d.RepoID
	}
	return out
}

// deliveryWords say what came of the latest attempt.
func deliveryWords(d *db.HookDelivery) string {
	switch {
	case d.StatusCode != 0 && http.StatusText(d.StatusCode) != "":
		return http.StatusText(d.StatusCode)
	case d.StatusCode != 0:
		return fmt.Sprintf("status %d", d.StatusCode)
	case d.Error != "":
		return d.Error
	default:
		return string(d.State)
	}
}

func showWholeDelivery(d *db.HookDelivery) *apiWholeDelivery {
	return &apiWholeDelivery{
		apiDelivery: *showDelivery(d), URL: d.Hook.URL,
		Request:  apiDeliveryRequest{Headers: d.RequestHeaders, Payload: json.RawMessage(d.Payload)},
		Response: apiDeliveryResponse{Headers: d.ResponseHeaders, Payload: string(d.ResponseBody)},
	}
}
