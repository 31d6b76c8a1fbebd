package db

import (
	"time"

	"github.com/google/uuid"
	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// OfferState is where an offer stands.
type OfferState string

// The states of an offer. Claimed and withdrawn are final: a retried job is a new offer.
const (
	OfferQueued OfferState = "queued"
	// OfferHeld means that no runner may have it yet: its run or repository is paused, or a retry waits.
	OfferHeld      OfferState = "held"
	OfferClaimed   OfferState = "claimed"
	OfferWithdrawn OfferState = "withdrawn"
)

// Offer is a job that is ready and waits for a runner.
type Offer struct {
	bun.BaseModel `bun:"table:offers,alias:offer"`

	ID         int64      `bun:",pk,autoincrement"`
	JobID      int64      `bun:",notnull"`
	Try        int        `bun:",notnull"`
	RunID      int64      `bun:",notnull"`
	AttemptID  int64      `bun:",notnull"`
	RepoID     int64      `bun:",notnull"`
	OwnerID    int64      `bun:",notnull"`
	LabelSetID int64      `bun:",notnull"`
	Priority   int        `bun:",notnull"`
	State      OfferState `bun:",notnull"`
	Attached   bool       `bun:",notnull"`
	CreatedAt  time.Time  `bun:",nullzero,default:now()"`
	// Turn orders the offers of different repositories fairly: smaller first.
	Turn      int64     `bun:",notnull"`
	NotBefore time.Time `bun:",nullzero"`
}

// LabelSet is one distinct set of runs-on labels, sorted; offers queue by it.
type LabelSet struct {
	bun.BaseModel `bun:"table:label_sets,alias:label_set"`

	ID     int64    `bun:",pk,autoincrement"`
	Labels []string `bun:",array,notnull"`
}

// Runner is a registered runner. OwnerID and RepoID are its scope: both 0 is the instance.
type Runner struct {
	bun.BaseModel `bun:"table:runners,alias:runner"`

	ID           int64     `bun:",pk,autoincrement"`
	UUID         uuid.UUID `bun:"type:uuid,notnull"`
	TokenHash    []byte    `bun:",notnull"`
	Name         string    `bun:",notnull"`
	OwnerID      int64     `bun:",notnull"`
	RepoID       int64     `bun:",notnull"`
	Labels       []string  `bun:",array,notnull"`
	Version      string    `bun:",notnull"`
	Capabilities []string  `bun:",array,notnull"`
	IsEphemeral  bool      `bun:",notnull"`
	IsDisabled   bool      `bun:",notnull"`
	CreatedAt    time.Time `bun:",nullzero,default:now()"`
	LastOnlineAt time.Time `bun:",nullzero"`
	LastActiveAt time.Time `bun:",nullzero"`
	RemovedAt    time.Time `bun:",nullzero"`
}

// RegistrationToken lets runners register in one scope; one per scope is active.
type RegistrationToken struct {
	bun.BaseModel `bun:"table:registration_tokens,alias:registration_token"`

	ID        int64     `bun:",pk,autoincrement"`
	TokenHash []byte    `bun:",notnull"`
	Sealed    []byte    `bun:",notnull"` // its text; empty when it is active no longer
	Token     string    `bun:",notnull"` // its text, of a row that was made before there were seals
	OwnerID   int64     `bun:",notnull"`
	RepoID    int64     `bun:",notnull"`
	IsActive  bool      `bun:",notnull"`
	CreatedAt time.Time `bun:",nullzero,default:now()"`
}

// Step is the state of one step as its runner reported it (runner-protocol.md §8.1).
type Step struct {
	// Index counts from 0 in the order of the payload; its name is Job.StepNames[Index].
	Index     int       `json:"index"`
	Status    ci.Status `json:"status"`
	StartedAt time.Time `json:"started_at,omitzero"`
	StoppedAt time.Time `json:"stopped_at,omitzero"`
	// LogIndex is the first row of the step, LogLength their number.
	LogIndex  int64 `json:"log_index"`
	LogLength int64 `json:"log_length"`
}

// TaskStatus is the state of a task.
type TaskStatus string

// The states of a task. All but the first two are final.
const (
	TaskRunning    TaskStatus = "running"
	TaskCancelling TaskStatus = "cancelling"
	TaskSuccess    TaskStatus = "success"
	TaskFailure    TaskStatus = "failure"
	TaskCancelled  TaskStatus = "cancelled"
	TaskSkipped    TaskStatus = "skipped"
	// TaskLost means that the runner is gone; what it still reports is answered with CANCELLED and changes nothing.
	TaskLost TaskStatus = "lost"
)

// Causes of lost tasks: faults of the platform, after which the job is offered again.
const (
	CauseLost        = "lost"        // the runner was not heard of, or began anew
	CauseUnconfirmed = "unconfirmed" // no runner ever reported on the task
	CauseRefused     = "refused"     // its content could not be built
)

// Final tells whether the task has ended.
func (s TaskStatus) Final() bool { return s != TaskRunning && s != TaskCancelling }

// Task is one hand-over of a job to a runner.
type Task struct {
	bun.BaseModel `bun:"table:tasks,alias:task"`

	ID                int64      `bun:",pk,autoincrement"`
	OfferID           int64      `bun:",notnull"`
	JobID             int64      `bun:",notnull"`
	Try               int        `bun:",notnull"`
	RunID             int64      `bun:",notnull"`
	AttemptID         int64      `bun:",notnull"`
	RepoID            int64      `bun:",notnull"`
	RunnerID          int64      `bun:",notnull"`
	TokenHash         []byte     `bun:",notnull"`
	Status            TaskStatus `bun:",notnull"`
	Reason            string     `bun:",notnull"`
	Steps             []Step     `bun:"type:jsonb,notnull"`
	Attached          bool       `bun:",notnull"`
	Supervised        bool       `bun:",notnull"`
	ClaimedAt         time.Time  `bun:",nullzero,default:now()"`
	ConfirmedAt       time.Time  `bun:",nullzero"`
	HeartbeatAt       time.Time  `bun:",nullzero,default:now()"`
	CancelRequestedAt time.Time  `bun:",nullzero"`
	StartedAt         time.Time  `bun:",nullzero"`
	StoppedAt         time.Time  `bun:",nullzero"`
	DeliveredAt       time.Time  `bun:",nullzero"`
	OwnerID           int64      `bun:",notnull"`
	Cause             string     `bun:",notnull"`

	Runner *Runner  `bun:"rel:belongs-to,join:runner_id=id"`
	Log    *TaskLog `bun:"rel:has-one,join:id=task_id"`
}

// TaskLog counts what a task has logged.
type TaskLog struct {
	bun.BaseModel `bun:"table:task_logs,alias:task_log"`

	TaskID    int64     `bun:",pk"`
	RowCount  int64     `bun:",notnull"`
	ByteCount int64     `bun:",notnull"`
	IsSealed  bool      `bun:",notnull"`
	ExpiredAt time.Time `bun:",nullzero"`
}
