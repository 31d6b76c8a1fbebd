package db

import (
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Problem is one fault of a workflow file, shown on its failed run.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Run is one workflow file started by one event.
type Run struct {
	bun.BaseModel `bun:"table:runs,alias:run"`

	ID           int64           `bun:",pk,autoincrement"`
	RepoID       int64           `bun:",notnull"`
	OwnerID      int64           `bun:",notnull"`
	RunNumber    int64           `bun:",notnull"`
	WorkflowFile string          `bun:",notnull"`
	WorkflowPath string          `bun:",notnull"`
	WorkflowName string          `bun:",notnull"`
	Title        string          `bun:",notnull"`
	Event        string          `bun:",notnull"`
	EventPayload json.RawMessage `bun:"type:jsonb,notnull"`
	Inputs       json.RawMessage `bun:"type:jsonb,notnull"`
	Ref          string          `bun:",notnull"`
	SHA          string          `bun:"sha,notnull"`
	ActorID      int64           `bun:",notnull"`
	Status       ci.Status       `bun:"type:text,notnull"`
	Attempt      int             `bun:",notnull"`
	Problems     []Problem       `bun:"type:jsonb,notnull"`
	CreatedAt    time.Time       `bun:",nullzero,default:now()"`
	UpdatedAt    time.Time       `bun:",nullzero,default:now()"`
	StartedAt    time.Time       `bun:",nullzero"`
	StoppedAt    time.Time       `bun:",nullzero"`
}

// Attempt is one execution of a run; a rerun adds one, and none is ever changed after its end.
type Attempt struct {
	bun.BaseModel `bun:"table:attempts,alias:attempt"`

	ID                int64     `bun:",pk,autoincrement"`
	RunID             int64     `bun:",notnull"`
	Number            int       `bun:",notnull"`
	TriggerUserID     int64     `bun:",notnull"`
	Status            ci.Status `bun:"type:text,notnull"`
	CreatedAt         time.Time `bun:",nullzero,default:now()"`
	StartedAt         time.Time `bun:",nullzero"`
	StoppedAt         time.Time `bun:",nullzero"`
	WorkflowSeenAt    time.Time `bun:",nullzero"`
	CancelRequestedAt time.Time `bun:",nullzero"`
	CancelRequestedBy int64     `bun:",nullzero"`
	CancelSeenAt      time.Time `bun:",nullzero"`
}

// Job is one matrix cell of one job of one attempt.
type Job struct {
	bun.BaseModel `bun:"table:jobs,alias:job"`

	ID              int64           `bun:",pk,autoincrement"`
	RunID           int64           `bun:",notnull"`
	AttemptID       int64           `bun:",notnull"`
	Attempt         int             `bun:",notnull"`
	RepoID          int64           `bun:",notnull"`
	OwnerID         int64           `bun:",notnull"`
	Cell            int             `bun:",notnull"`
	Key             string          `bun:",notnull"`
	Name            string          `bun:",notnull"`
	Needs           []string        `bun:",array,notnull"`
	RunsOn          []string        `bun:",array,notnull"`
	LabelSetID      int64           `bun:",notnull"`
	IfExpr          string          `bun:",notnull"`
	Matrix          json.RawMessage `bun:"type:jsonb,notnull"`
	JobIndex        int             `bun:",notnull"`
	JobTotal        int             `bun:",notnull"`
	FailFast        bool            `bun:",notnull"`
	MaxParallel     int             `bun:",notnull"`
	ContinueOnError bool            `bun:",notnull"`
	TimeoutMinutes  int             `bun:",notnull"`
	StepNames       []string        `bun:",array,notnull"`
	Payload         []byte          `bun:",notnull"`
	Status          ci.Status       `bun:"type:text,notnull"`
	Reason          string          `bun:",notnull"`
	TaskID          int64           `bun:",nullzero"`
	CreatedAt       time.Time       `bun:",nullzero,default:now()"`
	UpdatedAt       time.Time       `bun:",nullzero,default:now()"`
	StartedAt       time.Time       `bun:",nullzero"`
	StoppedAt       time.Time       `bun:",nullzero"`

	Task *Task `bun:"rel:belongs-to,join:task_id=id"`
}
