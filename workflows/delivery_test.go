package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/pawl-ci/pawl/workflows"
)

// receiver plays the activities of webhooks: it answers the tries with its errors, one after the other.
type receiver struct {
	errs    []error
	tried   []time.Time
	givenUp int
}

func (r *receiver) send(env *testsuite.TestWorkflowEnvironment) func(context.Context, workflows.DeliveryInput) error {
	return func(_ context.Context, in workflows.DeliveryInput) error {
		if in.DeliveryID != 7 {
			return temporal.NewNonRetryableApplicationError("another delivery", "", nil)
		}
		r.tried = append(r.tried, env.Now())
		if len(r.tried) > len(r.errs) {
			return nil
		}
		return r.errs[len(r.tried)-1]
	}
}

func (r *receiver) giveUp(context.Context, workflows.DeliveryInput) (struct{}, error) {
	r.givenUp++
	return struct{}{}, nil
}

// deliver runs the workflow with time that is skipped.
func deliver(t *testing.T, errs ...error) (*receiver, *testsuite.TestWorkflowEnvironment) {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // machines of CI are slow
	r := &receiver{errs: errs}
	env.RegisterActivityWithOptions(r.send(env), activity.RegisterOptions{Name: workflows.ActivitySendHook})
	env.RegisterActivityWithOptions(r.giveUp, activity.RegisterOptions{Name: workflows.ActivityGiveUpHook})
	env.ExecuteWorkflow(workflows.Delivery, workflows.DeliveryInput{DeliveryID: 7})
	require.True(t, env.IsWorkflowCompleted())
	return r, env
}

func refused(after time.Duration) error {
	return temporal.NewApplicationErrorWithOptions("the receiver answered 503", "HookRefused", temporal.ApplicationErrorOptions{NextRetryDelay: after})
}

func TestADeliveryIsTakenAtOnce(t *testing.T) {
	r, env := deliver(t)
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, r.tried, 1)
	require.Zero(t, r.givenUp)
}

func TestADeliveryIsTriedAgainAndAgain(t *testing.T) {
	errs := make([]error, 20)
	for i := range errs {
		errs[i] = refused(0)
	}
	r, env := deliver(t, errs...)
	require.NoError(t, env.GetWorkflowError(), "a receiver that does not take it is no fault of the workflow")
	require.Equal(t, 1, r.givenUp)
	var pauses []time.Duration
	for i := range len(r.tried) - 1 {
		pauses = append(pauses, r.tried[i+1].Sub(r.tried[i]).Round(time.Second))
	}
	require.Equal(t, []time.Duration{
		10 * time.Second, 40 * time.Second, 160 * time.Second, 640 * time.Second, 2560 * time.Second, time.Hour, time.Hour,
	}, pauses)
}

func TestAReceiverMayAskForAPause(t *testing.T) {
	r, env := deliver(t, refused(17*time.Minute))
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, r.tried, 2)
	require.Equal(t, 17*time.Minute, r.tried[1].Sub(r.tried[0]).Round(time.Second))
	require.Zero(t, r.givenUp)
}
