package workflows

import (
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// DeliveryInput names a delivery of a webhook; its row has all else.
type DeliveryInput struct {
	DeliveryID int64
}

const (
	// deliveryLimit bounds a delivery as a whole: the tries over about three hours, and what it waits for its turns.
	deliveryLimit = 72 * time.Hour
	// deliveryTryTimeout is above the longest time that one try takes; the try itself ends earlier.
	deliveryTryTimeout = 2 * time.Minute
)

// Delivery has one message sent to one webhook until it is taken, refused for good, or given up. The tries and their
// pauses are the retries of one activity, which cost no history. The activity says how long each pause is, and when it was
// the last try; the policy is for faults of our own, such as a database that is away.
func Delivery(ctx workflow.Context, in DeliveryInput) error {
	sending := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:              HookTaskQueue,
		StartToCloseTimeout:    deliveryTryTimeout,
		ScheduleToCloseTimeout: deliveryLimit,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    10 * time.Second,
			BackoffCoefficient: 2,
			MaximumInterval:    5 * time.Minute,
		},
	})
	if err := workflow.ExecuteActivity(sending, ActivitySendHook, in).Get(ctx, nil); err == nil {
		return nil
	}
	// What came of the last try is in the row. That there is none any more is said here: also when somebody cancels the
	// workflow.
	detached, _ := workflow.NewDisconnectedContext(ctx)
	_, err := local[struct{}](withLocal(detached), ActivityGiveUpHook, in)
	return err
}
