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

// How often a delivery is tried, over about three hours: after 10 s, 40 s, 2.7 min, 11 min, 43 min, 1 h and 1 h.
const (
	deliveryTries      = 8
	deliveryFirstPause = 10 * time.Second
	deliveryMostPause  = time.Hour
	// deliveryTryTimeout is above the longest time that one try takes; the try itself ends earlier.
	deliveryTryTimeout = 2 * time.Minute
)

// Delivery has one message sent to one webhook until it is taken, refused for good, or given up. The tries and their
// pauses are the retries of one activity, which cost no history.
func Delivery(ctx workflow.Context, in DeliveryInput) error {
	sending := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		TaskQueue:           HookTaskQueue,
		StartToCloseTimeout: deliveryTryTimeout,
		RetryPolicy: &temporal.RetryPolicy{
			InitialInterval:    deliveryFirstPause,
			BackoffCoefficient: 4,
			MaximumInterval:    deliveryMostPause,
			MaximumAttempts:    deliveryTries,
		},
	})
	if err := workflow.ExecuteActivity(sending, ActivitySendHook, in).Get(ctx, nil); err == nil {
		return nil
	}
	// What came of the last try is in the row; that it was the last is said here, also when somebody cancels the workflow.
	// A receiver that does not answer is no fault of the workflow.
	detached, _ := workflow.NewDisconnectedContext(ctx)
	_, err := local[struct{}](withLocal(detached), ActivityGiveUpHook, in)
	return err
}
