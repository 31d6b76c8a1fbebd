package workflows_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

var settings = workflows.JobSettings{
	QueueTimeout: 24 * time.Hour,
	LostAfter:    time.Minute,
	CancelGrace:  5 * time.Minute,
	MaxTries:     3,
}

// rows plays the database: it answers as scripted and notes what it was asked.
type rows struct {
	mu sync.Mutex
	// attach answers AttachTask, in order; the last answer is repeated.
	attach []workflows.TaskState
	// supervise answers SuperviseTask. What the test environment cannot do for a pending activity, time it out, is
	// answered here as the server would.
	supervise func() (workflows.TaskEnd, error)
	// check answers CheckTask; ends answers EndTask, in order, the last repeated.
	check workflows.TaskState
	ends  []workflows.TaskState
	ended []workflows.EndTask
	again []workflows.OfferAgain
}

func (r *rows) AttachTask(context.Context, workflows.TaskRef) (workflows.TaskState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return next(&r.attach), nil
}

// next takes the first of a list, and leaves the last.
func next[T any](list *[]T) T {
	v := (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return v
}

func (r *rows) SuperviseTask(context.Context, workflows.TaskRef) (workflows.TaskEnd, error) {
	return r.supervise()
}

func (r *rows) CheckTask(context.Context, workflows.CheckTask) (workflows.TaskState, error) {
	return r.check, nil
}

func (r *rows) EndTask(_ context.Context, e workflows.EndTask) (workflows.TaskState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = append(r.ended, e)
	return next(&r.ends), nil
}

func (r *rows) OfferAgain(_ context.Context, o workflows.OfferAgain) (struct{}, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again = append(r.again, o)
	return struct{}{}, nil
}

func (r *rows) register(env *testsuite.TestWorkflowEnvironment) {
	for name, fn := range map[string]any{
		workflows.ActivityAttachTask:    r.AttachTask,
		workflows.ActivitySuperviseTask: r.SuperviseTask,
		workflows.ActivityCheckTask:     r.CheckTask,
		workflows.ActivityEndTask:       r.EndTask,
		workflows.ActivityOfferAgain:    r.OfferAgain,
	} {
		env.RegisterActivityWithOptions(fn, activity.RegisterOptions{Name: name})
	}
}

var (
	queued     = workflows.TaskState{Phase: workflows.PhaseQueued}
	running    = workflows.TaskState{Phase: workflows.PhaseRunning, TaskID: 7}
	cancelling = workflows.TaskState{Phase: workflows.PhaseCancelling, TaskID: 7}
	withdrawn  = ended(workflows.EndWithdrawn, "cancelled")
	lost       = ended(workflows.EndLost, "the runner was not heard of")
)

func ended(status, reason string) workflows.TaskState {
	return workflows.TaskState{Phase: workflows.PhaseEnded, TaskID: 7, End: end(status, reason)}
}

func end(status, reason string) workflows.TaskEnd {
	return workflows.TaskEnd{TaskID: 7, Status: status, Reason: reason}
}

// answers gives SuperviseTask's answers in order; the last is repeated.
func answers(list ...func() (workflows.TaskEnd, error)) func() (workflows.TaskEnd, error) {
	return func() (workflows.TaskEnd, error) { return next(&list)() }
}

func ends(status, reason string) func() (workflows.TaskEnd, error) {
	return func() (workflows.TaskEnd, error) { return end(status, reason), nil }
}

func states(list ...workflows.TaskState) []workflows.TaskState { return list }

func pending() (workflows.TaskEnd, error) { return workflows.TaskEnd{}, activity.ErrResultPending }

func silent() (workflows.TaskEnd, error) {
	return workflows.TaskEnd{}, temporal.NewHeartbeatTimeoutError()
}

func tooLong() (workflows.TaskEnd, error) {
	return workflows.TaskEnd{}, temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, nil)
}

func runJob(t *testing.T, r *rows, prepare func(*testsuite.TestWorkflowEnvironment)) workflows.JobResult {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	r.register(env)
	if prepare != nil {
		prepare(env)
	}
	env.ExecuteWorkflow(workflows.Job, workflows.JobInput{JobID: 1, TimeoutMinutes: 10, Settings: settings})
	require.True(t, env.IsWorkflowCompleted())
	require.NoError(t, env.GetWorkflowError())
	var out workflows.JobResult
	require.NoError(t, env.GetWorkflowResult(&out))
	return out
}

func TestJobThatEndedBeforeItsWorkflowBegan(t *testing.T) {
	r := &rows{attach: states(ended("success", ""))}
	require.Equal(t, workflows.JobResult{Status: ci.StatusSuccess}, runJob(t, r, nil))
}

func TestJobWaitsForAClaimAndForTheTask(t *testing.T) {
	r := &rows{
		attach:    states(queued, running),
		supervise: ends("failure", ""),
	}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalTaskChanged, nil) }, time.Hour)
	})
	require.Equal(t, workflows.JobResult{Status: ci.StatusFailure}, got)
	require.Empty(t, r.again, "a failing step is never retried")
}

func TestQueueTimeout(t *testing.T) {
	r := &rows{attach: states(queued), ends: states(ended(workflows.EndWithdrawn, "no runner took the job"))}
	got := runJob(t, r, nil)
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Len(t, r.ended, 1)
	require.Contains(t, r.ended[0].Reason, "no runner took the job within 24h")
}

func TestJobTimeout(t *testing.T) {
	r := &rows{
		attach:    states(running),
		supervise: tooLong,
		ends:      states(ended("cancelled", "timed out after 10 minutes")),
	}
	got := runJob(t, r, nil)
	require.Equal(t, workflows.JobResult{Status: ci.StatusCancelled, Reason: "timed out after 10 minutes"}, got)
	require.True(t, r.ended[len(r.ended)-1].Force)
}

func TestLostRunnerIsRetriedAndThenGivenUp(t *testing.T) {
	gone := lost
	gone.Confirmed = true
	r := &rows{attach: states(running, gone, running, gone, running, gone), supervise: silent, check: lost}
	got := runJob(t, r, nil)
	require.Equal(t, ci.StatusFailure, got.Status)
	require.Contains(t, got.Reason, "given up after 3 tries")
	require.Len(t, r.again, 2)
	require.Equal(t, []int{2, 3}, []int{r.again[0].Try, r.again[1].Try})
}

func TestATaskThatReachedNoRunnerIsOfferedMoreOften(t *testing.T) {
	var attach []workflows.TaskState
	for range 10 {
		attach = append(attach, running, lost)
	}
	r := &rows{attach: append(attach, ended("success", "")), supervise: ends(workflows.EndLost, "the runner never confirmed the task")}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Len(t, r.again, 10)
	require.Equal(t, "the runner never confirmed the task", r.again[0].Reason)
}

func TestARunnerThatCameAtTheLastMomentKeepsTheJob(t *testing.T) {
	r := &rows{attach: states(queued), ends: states(running), supervise: ends("success", "")}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.True(t, r.ended[0].OnlyQueued)
}

func TestATaskThatEndedBeforeTheCancelKeepsItsEnd(t *testing.T) {
	r := &rows{attach: states(running), supervise: pending, ends: states(ended("success", ""))}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	require.Equal(t, ci.StatusSuccess, got.Status)
}

func TestACancelledJobIsNotOfferedAgain(t *testing.T) {
	gone := lost
	gone.Confirmed = true
	r := &rows{attach: states(running, gone, running, gone), supervise: silent, check: lost}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		// The second retry pauses.
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Second)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Len(t, r.again, 1)
}

func TestAFaultOfOursFailsTheWorkflow(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivityWithOptions(func(context.Context, workflows.TaskRef) (workflows.TaskState, error) {
		return workflows.TaskState{}, temporal.NewNonRetryableApplicationError("gone", "not_found", nil)
	}, activity.RegisterOptions{Name: workflows.ActivityAttachTask})
	env.ExecuteWorkflow(workflows.Job, workflows.JobInput{JobID: 1, TimeoutMinutes: 10, Settings: settings})
	require.Error(t, env.GetWorkflowError(), "the run then ends what is left of the job")
}

func TestCancelOfAQueuedJob(t *testing.T) {
	r := &rows{attach: states(queued), ends: states(withdrawn)}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
}

func TestCancelWaitsForACapableRunner(t *testing.T) {
	r := &rows{attach: states(running, ended("cancelled", "cancelled")), supervise: pending, ends: states(cancelling)}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalTaskChanged, nil) }, 20*time.Second)
	})
	require.Equal(t, workflows.JobResult{Status: ci.StatusCancelled, Reason: "cancelled"}, got)
	require.Len(t, r.ended, 1)
	require.False(t, r.ended[0].Force)
}

func TestCancelIsForcedWhenTheRunnerDoesNotEnd(t *testing.T) {
	r := &rows{attach: states(running), supervise: pending, ends: states(cancelling, ended("cancelled", "forced"))}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	require.Equal(t, workflows.JobResult{Status: ci.StatusCancelled, Reason: "forced"}, got)
	require.Len(t, r.ended, 2)
	require.True(t, r.ended[1].Force)
}

func TestSilenceWhileNobodyListenedIsNoLoss(t *testing.T) {
	r := &rows{
		attach:    states(running),
		supervise: answers(silent, ends("success", "")),
		check:     running,
	}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Empty(t, r.again)
}
