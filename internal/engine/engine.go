// Package engine is the one place that talks to Temporal on behalf of the API server and the runner gateway: it
// starts, signals, completes and queries workflows by the names that package workflows defines.
package engine

import (
	"context"

	"github.com/pawl-ci/pawl/workflows"
)

// RunStart says which attempt to start, and what an SRE can find it by in the Temporal UI.
type RunStart struct {
	RunID     int64
	AttemptID int64
	Attempt   int

	Repository string // owner/name
	Workflow   string // file name
	Event      string
	Ref        string // full ref
	Actor      string // login
	RunNumber  int64
}

// Runs is what the API server needs of Temporal. All methods are idempotent. Their errors mean that Temporal could
// not be reached: the caller has stored its intention before, and the reconciler repeats the call.
type Runs interface {
	// StartRun starts the workflow of an attempt; it does nothing when it was started before.
	StartRun(ctx context.Context, s RunStart) error
	// CancelRun tells the workflow of an attempt to cancel. A workflow that is gone is no error.
	CancelRun(ctx context.Context, run int64, attempt int, c CancelRequest) error
	// WakeRun has the workflow of an attempt read its news. A workflow that is gone is no error.
	WakeRun(ctx context.Context, run int64, attempt int) error
}

// CancelRequest says who cancels a run, why, and whether by force.
type CancelRequest = workflows.CancelRequest

// TaskEnd is how a task ended, as the job's workflow hears of it.
type TaskEnd = workflows.TaskEnd

// Tasks is what the runner gateway needs of Temporal. All methods are idempotent, and a workflow or activity that
// is gone, or not there yet, is no error: it reads the task's row when it comes. Other errors mean that Temporal
// could not be reached, and the caller redelivers.
type Tasks interface {
	// Wake makes the job's workflow look at its offer again.
	Wake(ctx context.Context, job int64) error
	// Complete ends the SuperviseTask activity of a task.
	Complete(ctx context.Context, job int64, end TaskEnd) error
	// Heartbeat tells Temporal that the runner of a task is alive.
	Heartbeat(ctx context.Context, job, task int64) error
}
