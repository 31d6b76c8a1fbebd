package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Retention ends what has been kept for long enough: it has logs expire, deletes runs, and removes what logs have left
// behind. It works in small batches until nothing is due. A cron schedule starts it again and again (RetentionCron); if it
// fails or is terminated, the next one does what this one has not.
func Retention(ctx workflow.Context) error {
	ctx = withBatches(ctx)
	left := maxBatches
	for _, activity := range []string{ActivityExpireLogs, ActivityDeleteRuns, ActivityDiscardLogs} {
		for more := true; more; left-- {
			if left == 0 {
				return workflow.NewContinueAsNewError(ctx, RetentionWorkflowName)
			}
			var batch RetentionBatch
			if err := workflow.ExecuteActivity(ctx, activity).Get(ctx, &batch); err != nil {
				return err
			}
			more = batch.More
		}
	}
	return nil
}

// maxBatches bounds the history of one Retention workflow, which then continues as new.
const maxBatches = 500

// RetentionBatch is what one batch of a retention activity found.
type RetentionBatch struct {
	// More: there may be more that is due.
	More bool `json:"more"`
}

// withBatches makes ctx fit for the batches of a sweep. Each may be repeated; none is worth waiting for longer than until
// the next sweep.
func withBatches(ctx workflow.Context) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout:    2 * time.Minute,
		ScheduleToCloseTimeout: 30 * time.Minute,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    time.Minute,
		},
	})
}
