package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Names of activities, which package activities implements. Those of runs and jobs, but for
// SuperviseTask, are local: they are single short transactions, and a local activity costs no round trip to the Temporal
// server. SendHook and those of the retention sweep take longer, and are seen in histories.
const (
	ActivityLoadPlan      = "LoadPlan"
	ActivityEnterGate     = "EnterGate"
	ActivityReadNews      = "ReadNews"
	ActivityEvaluateIfs   = "EvaluateIfs"
	ActivityExpandJobs    = "ExpandJobs"
	ActivityAdmitJobs     = "AdmitJobs"
	ActivityConcludeCalls = "ConcludeCalls"
	ActivityRecordStep    = "RecordStep"
	ActivityAttachTask    = "AttachTask"
	ActivityOfferAgain    = "OfferAgain"
	ActivityCheckTask     = "CheckTask"
	ActivityEndTask       = "EndTask"
	ActivitySuperviseTask = "SuperviseTask"
	ActivityExpireLogs    = "ExpireLogs"
	ActivityDeleteRuns    = "DeleteRuns"
	ActivityDiscardLogs   = "DiscardLogs"

	// Of webhooks; SendHook is not local.
	ActivitySendHook   = "SendHook"
	ActivityGiveUpHook = "GiveUpHook"
)

// WorkflowTaskTimeout bounds a stall when an answer between server and worker is lost; the default of 10 s was seen
// to delay jobs under load.
const WorkflowTaskTimeout = 3 * time.Second

// withLocal makes ctx fit for local activities: retried for as long as the database is away, since giving up would
// lose the run. Each retry that waits longer than a workflow task costs some events, so they become rare.
func withLocal(ctx workflow.Context) workflow.Context {
	return workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    100 * time.Millisecond,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	})
}

// local runs a local activity and returns what it answered.
func local[T any](ctx workflow.Context, name string, args ...any) (T, error) {
	var out T
	err := workflow.ExecuteLocalActivity(ctx, name, args...).Get(ctx, &out)
	return out, err
}
