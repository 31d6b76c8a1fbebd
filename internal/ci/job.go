package ci

import "time"

// JobKind is what a job of a run is.
type JobKind string

// The kinds of jobs.
const (
	// JobTask is handed to a runner.
	JobTask JobKind = "job"
	// JobCall calls a reusable workflow: it ends when the jobs of that, its children, have ended.
	JobCall JobKind = "call"
	// JobDeferred has keys that depend on the outputs of its needs. When they have ended it is replaced by its cells.
	JobDeferred JobKind = "deferred"
)

// ErrorClass says what kind of fault ended a job (workflow-execution.md, Recovery Strategies).
type ErrorClass string

// The classes. A job that succeeded, or failed in one of its steps, has none.
const (
	// ErrorTransient is a fault of the platform that was retried in vain.
	ErrorTransient ErrorClass = "transient"
	// ErrorPermanent would come again however often it is tried, such as an expression that cannot be evaluated.
	ErrorPermanent ErrorClass = "permanent"
	// ErrorUnknown is a fault that nobody foresaw: administrators are told.
	ErrorUnknown ErrorClass = "unknown"
)

// Concurrency is an evaluated `concurrency` (execution-semantics.md §6).
type Concurrency struct {
	Group            string `json:"group"`
	CancelInProgress bool   `json:"cancel_in_progress,omitempty"`
	// QueueAll is `queue: max`: every member waits, in order, and none is replaced by a newer one.
	QueueAll bool `json:"queue_all,omitempty"`
}

// Retry is a job's `retry`, Pawl's own key: which ends of its tasks are tried again.
type Retry struct {
	// MaxAttempts is how many tasks the job may have, the first included; 1 to MaxRetryAttempts.
	MaxAttempts int  `json:"max_attempts"`
	OnFailure   bool `json:"on_failure,omitempty"`
	OnTimeout   bool `json:"on_timeout,omitempty"`
	OnLost      bool `json:"on_lost,omitempty"`
	// Backoff is the pause before the second task; it doubles with each further one, up to MaxRetryPause.
	Backoff time.Duration `json:"backoff"`
}

// CallSecrets is which secrets a caller hands on (execution-semantics.md §10). Without any, children have the task
// token only.
type CallSecrets struct {
	Inherit bool `json:"inherit,omitempty"`
	// Names maps a secret of the callee to the caller's secret that it gets.
	Names map[string]string `json:"names,omitempty"`
}
