package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// Hook is a webhook; its id is given by the server.
type Hook struct {
	ID   int64  `json:"id,omitempty"`
	Type string `json:"type"` // gitea or github
	// Config has url, content_type (json or form) and, when it is made, secret.
	Config              map[string]string `json:"config"`
	Events              []string          `json:"events"`
	BranchFilter        string            `json:"branch_filter"`
	Active              bool              `json:"active"`
	AuthorizationHeader string            `json:"authorization_header"`
}

// Delivery is one message to a webhook. Request and Response are there when it is asked for by itself.
type Delivery struct {
	ID          int64     `json:"id"`
	GUID        string    `json:"guid"`
	DeliveredAt time.Time `json:"delivered_at"`
	Redelivery  bool      `json:"redelivery"`
	Status      string    `json:"status"`
	StatusCode  int       `json:"status_code"`
	Event       string    `json:"event"`
	Action      string    `json:"action"`
	State       string    `json:"state"` // pending, delivered or failed
	Attempts    int       `json:"attempts"`
	Request     struct {
		Headers map[string]string
		Payload json.RawMessage
	} `json:"request"`
	Response struct {
		Headers map[string]string
		Payload string
	} `json:"response"`
}

// CreateHook makes a webhook of a repository.
func (c *Client) CreateHook(ctx context.Context, repo string, h Hook) (Hook, error) {
	var made Hook
	err := c.call(ctx, http.MethodPost, "/repos/"+repo+"/hooks", h, &made)
	return made, err
}

// DeleteHook deletes a webhook of a repository.
func (c *Client) DeleteHook(ctx context.Context, repo string, hook int64) error {
	return c.call(ctx, http.MethodDelete, hookPath(repo, hook), nil, nil)
}

// TestHook has a ping sent to a webhook of a repository.
func (c *Client) TestHook(ctx context.Context, repo string, hook int64) error {
	return c.call(ctx, http.MethodPost, hookPath(repo, hook)+"/tests", nil, nil)
}

// Deliveries returns the newest deliveries of a webhook, the newest first.
func (c *Client) Deliveries(ctx context.Context, repo string, hook int64) ([]Delivery, error) {
	var list []Delivery
	err := c.call(ctx, http.MethodGet, hookPath(repo, hook)+"/deliveries?limit=50", nil, &list)
	return list, err
}

// Delivery returns one delivery with what was sent and answered.
func (c *Client) Delivery(ctx context.Context, repo string, hook, id int64) (Delivery, error) {
	var d Delivery
	err := c.call(ctx, http.MethodGet, fmt.Sprintf("%s/deliveries/%d", hookPath(repo, hook), id), nil, &d)
	return d, err
}

// Redeliver sends a delivery again.
func (c *Client) Redeliver(ctx context.Context, repo string, hook, id int64) (Delivery, error) {
	var d Delivery
	err := c.call(ctx, http.MethodPost, fmt.Sprintf("%s/deliveries/%d/redeliver", hookPath(repo, hook), id), nil, &d)
	return d, err
}

func hookPath(repo string, hook int64) string { return fmt.Sprintf("/repos/%s/hooks/%d", repo, hook) }
