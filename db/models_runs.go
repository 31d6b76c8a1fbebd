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
	// SourceRepoID is the repository that a scoped workflow comes from; 0 for the run's own.
	SourceRepoID int64     `bun:",notnull"`
	Approval     Approval  `bun:",notnull"`
	ApprovedBy   int64     `bun:",notnull"`
	ApprovedAt   time.Time `bun:",nullzero"`
	CreatedAt    time.Time `bun:",nullzero,default:now()"`
	UpdatedAt    time.Time `bun:",nullzero,default:now()"`
	StartedAt    time.Time `bun:",nullzero"`
	StoppedAt    time.Time `bun:",nullzero"`
	// LogsExpiredAt is when the logs of all its attempts have expired.
	LogsExpiredAt time.Time `bun:",nullzero"`

	// Latest is its latest attempt, in lists.
	Latest *Attempt `bun:"rel:has-one,join:id=run_id,join:attempt=number"`
}

// Approval is whether a run waits for somebody to let it begin (execution-semantics.md §8).
type Approval string

// The states of an approval; it is never taken back, and a rerun keeps it.
const (
	ApprovalNone   Approval = ""
	ApprovalNeeded Approval = "needed"
	ApprovalGiven  Approval = "given"
)

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
	CancelReason      string    `bun:",notnull"`
	CancelForced      bool      `bun:",notnull"`
	// Concurrency is the gate of the whole attempt; nil when it has none.
	Concurrency *ci.Concurrency `bun:"type:jsonb,nullzero"`
	PausedAt    time.Time       `bun:",nullzero"`
	PausedBy    int64           `bun:",notnull"`
	// Reason says why the attempt ended as it did, where its jobs do not say.
	Reason string `bun:",notnull"`
}

// AttemptFile is a workflow file that an attempt reads while it runs: N 0 is its own, the others are called by it.
type AttemptFile struct {
	bun.BaseModel `bun:"table:attempt_files,alias:attempt_file"`

	AttemptID  int64  `bun:",pk"`
	N          int    `bun:",pk"`
	RepoID     int64  `bun:",notnull"`
	Repository string `bun:",notnull"`
	Path       string `bun:",notnull"`
	Ref        string `bun:",notnull"`
	SHA        string `bun:"sha,notnull"`
	Content    []byte `bun:",notnull"`
	// Calls are the `uses` of the file's jobs, by their text.
	Calls map[string]CallTarget `bun:"type:jsonb,nullzero,default:'{}'"`
}

// CallTarget is what a `uses` leads to: a file of the attempt, or nothing and why.
type CallTarget struct {
	File    int    `json:"file,omitempty"`
	Problem string `json:"problem,omitempty"`
}

// Job is one matrix cell of one job of one attempt, a caller of a reusable workflow, or a job whose matrix is not known
// yet (ci.JobKind).
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

	Kind     ci.JobKind `bun:",notnull,nullzero,default:'job'"`
	ParentID int64      `bun:",notnull"` // the caller; 0 for a job of the run's own file
	OriginID int64      `bun:",notnull"` // the deferred job that this cell came of
	// ExpandedAt is when the cells of a deferred job or the children of a caller were made; such a deferred job IsHidden.
	ExpandedAt time.Time `bun:",nullzero"`
	IsHidden   bool      `bun:",notnull"`
	File       int       `bun:",notnull"` // AttemptFile.N where it is written
	Uses       string    `bun:",notnull"`
	// CallInputs and CallSecrets are what an expanded caller gives to its children, Outputs what they gave back.
	CallInputs  json.RawMessage   `bun:"type:jsonb,nullzero,default:'{}'"`
	CallSecrets *ci.CallSecrets   `bun:"type:jsonb,nullzero,default:'{}'"`
	Outputs     map[string]string `bun:"type:jsonb,nullzero,default:'{}'"`
	IsGated     bool              `bun:",notnull"` // has `concurrency` or `environment`
	IfAt        string            `bun:",notnull"` // file:line:column of its `if`
	IfMatrix    bool              `bun:",notnull"` // its `if` uses the matrix
	Priority    int               `bun:",notnull"`
	Retry       *ci.Retry         `bun:"type:jsonb,nullzero"`
	// FollowsID is the job of an earlier attempt that still runs, and whose end this one takes over.
	FollowsID  int64         `bun:",notnull"`
	ByFailFast bool          `bun:",notnull"` // cancelled because another cell failed
	Class      ci.ErrorClass `bun:",notnull"`

	Run  *Run  `bun:"rel:belongs-to,join:run_id=id"`
	Task *Task `bun:"rel:belongs-to,join:task_id=id"`
}
