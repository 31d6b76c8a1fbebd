package db

import (
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"
)

// Hook is a webhook of a repository, or of an owner for all of its repositories: one of RepoID and OwnerID is set.
type Hook struct {
	bun.BaseModel `bun:"table:hooks,alias:hook"`

	ID      int64 `bun:",pk,autoincrement"`
	RepoID  int64 `bun:",nullzero"`
	OwnerID int64 `bun:",nullzero"`
	// Type is kept as it was given; all types that are accepted are sent the same.
	Type        string `bun:",notnull"`
	URL         string `bun:"url,notnull"`
	ContentType string `bun:",notnull"` // json or form
	// Sealed holds the secret and the Authorization header; nil without both.
	Sealed       []byte
	Events       []string  `bun:",array,notnull"`
	BranchFilter string    `bun:",notnull"`
	IsActive     bool      `bun:",notnull"`
	CreatedAt    time.Time `bun:",nullzero,default:now()"`
	UpdatedAt    time.Time `bun:",nullzero,default:now()"`
}

// DeliveryState is how far a delivery of a webhook has come.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryPending   DeliveryState = "pending"
	DeliveryDelivered DeliveryState = "delivered"
	DeliveryFailed    DeliveryState = "failed"
)

// HookDelivery is one message for one hook, with what came of its latest try.
type HookDelivery struct {
	bun.BaseModel `bun:"table:hook_deliveries,alias:delivery"`

	ID     int64 `bun:",pk,autoincrement"`
	HookID int64 `bun:",notnull"`
	// EventID is the status event that it tells of; 0 for tests and redeliveries.
	EventID int64 `bun:",nullzero"`
	// GUID tells the receiver repetitions; a redelivery keeps it.
	GUID         uuid.UUID     `bun:"guid,notnull,type:uuid"`
	IsRedelivery bool          `bun:",notnull"`
	Event        string        `bun:",notnull"`
	Action       string        `bun:",notnull"`
	RepoID       int64         `bun:",notnull"`
	Payload      string        `bun:",notnull"`
	State        DeliveryState `bun:",notnull,nullzero,default:'pending'"`
	// Tries counts the attempts to send it, and the rest is of the latest.
	Tries           int               `bun:",notnull"`
	StatusCode      int               `bun:",notnull"` // 0: there was no answer
	Error           string            `bun:",notnull"`
	DurationMS      int64             `bun:"duration_ms,notnull"`
	RequestHeaders  map[string]string `bun:"type:jsonb,nullzero,default:'{}'"`
	ResponseHeaders map[string]string `bun:"type:jsonb,nullzero,default:'{}'"`
	ResponseBody    []byte            `bun:",nullzero,default:''"`
	CreatedAt       time.Time         `bun:",nullzero,default:now()"`
	WorkflowAt      time.Time         `bun:",nullzero"`
	TriedAt         time.Time         `bun:",nullzero"`

	Hook *Hook `bun:"rel:belongs-to,join:hook_id=id"`
}
