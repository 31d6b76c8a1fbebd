package workflows_test

import (
	"context"
	"errors"
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

// How often it is tried is said by the activity; the workflow bounds the time.
func TestADeliveryHasItsTime(t *testing.T) {
	day := refused(25 * time.Hour)
	r, env := deliver(t, day, day, day, day, day)
	require.NoError(t, env.GetWorkflowError(), "a receiver that does not take it is no fault of the workflow")
	require.Equal(t, 1, r.givenUp)
	require.Len(t, r.tried, 3, "three days are the limit")
}

func TestTheActivitySaysWhenItIsTriedAgain(t *testing.T) {
	r, env := deliver(t, refused(17*time.Minute), refused(time.Second))
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, r.tried, 3)
	require.Equal(t, 17*time.Minute, r.tried[1].Sub(r.tried[0]).Round(time.Second))
	require.Equal(t, time.Second, r.tried[2].Sub(r.tried[1]).Round(time.Second))
	require.Zero(t, r.givenUp)
}

// A fault of our own, such as a database that is away, does not use up the tries.
func TestAFaultOfOurOwnIsTriedAgain(t *testing.T) {
	errs := make([]error, 9) // the test environment makes no more
	for i := range errs {
		errs[i] = errors.New("the database is away")
	}
	r, env := deliver(t, errs...)
	require.NoError(t, env.GetWorkflowError())
	require.Len(t, r.tried, 10)
	require.Equal(t, 5*time.Minute, r.tried[9].Sub(r.tried[8]).Round(time.Second))
	require.Zero(t, r.givenUp)
}
