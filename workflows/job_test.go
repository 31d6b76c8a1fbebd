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
	// check answers CheckTask, end EndTask.
	check, end workflows.TaskState
	ended      []workflows.EndTask
	again      []workflows.OfferAgain
}

func (r *rows) AttachTask(context.Context, workflows.TaskRef) (workflows.TaskState, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.attach[0]
	if len(r.attach) > 1 {
		r.attach = r.attach[1:]
	}
	return s, nil
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
	return r.end, nil
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
	return func() (workflows.TaskEnd, error) {
		next := list[0]
		if len(list) > 1 {
			list = list[1:]
		}
		return next()
	}
}

func ends(status, reason string) func() (workflows.TaskEnd, error) {
	return func() (workflows.TaskEnd, error) { return end(status, reason), nil }
}

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
	r := &rows{attach: []workflows.TaskState{ended("success", "")}}
	require.Equal(t, workflows.JobResult{Status: ci.StatusSuccess}, runJob(t, r, nil))
}

func TestJobWaitsForAClaimAndForTheTask(t *testing.T) {
	r := &rows{
		attach:    []workflows.TaskState{queued, running},
		supervise: ends("failure", ""),
	}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalTaskChanged, nil) }, time.Hour)
	})
	require.Equal(t, workflows.JobResult{Status: ci.StatusFailure}, got)
	require.Empty(t, r.again, "a failing step is never retried")
}

func TestQueueTimeout(t *testing.T) {
	r := &rows{attach: []workflows.TaskState{queued}, end: ended(workflows.EndWithdrawn, "no runner took the job")}
	got := runJob(t, r, nil)
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Len(t, r.ended, 1)
	require.Contains(t, r.ended[0].Reason, "no runner took the job within 24h")
}

func TestJobTimeout(t *testing.T) {
	r := &rows{
		attach:    []workflows.TaskState{running},
		supervise: tooLong,
		end:       ended("cancelled", "timed out after 10 minutes"),
	}
	got := runJob(t, r, nil)
	require.Equal(t, workflows.JobResult{Status: ci.StatusCancelled, Reason: "timed out after 10 minutes"}, got)
	require.True(t, r.ended[len(r.ended)-1].Force)
}

func TestLostRunnerIsRetriedAndThenGivenUp(t *testing.T) {
	r := &rows{attach: []workflows.TaskState{running}, supervise: silent, check: lost}
	got := runJob(t, r, nil)
	require.Equal(t, ci.StatusFailure, got.Status)
	require.Contains(t, got.Reason, "given up after 3 tries")
	require.Len(t, r.again, 2)
	require.Equal(t, []int{2, 3}, []int{r.again[0].Try, r.again[1].Try})
}

func TestTaskThatTheGatewayGaveUpIsRetried(t *testing.T) {
	r := &rows{
		attach:    []workflows.TaskState{running},
		supervise: answers(ends(workflows.EndLost, "the runner never confirmed the task"), ends("success", "")),
	}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Len(t, r.again, 1)
	require.Equal(t, "the runner never confirmed the task", r.again[0].Reason)
}

func TestCancelOfAQueuedJob(t *testing.T) {
	r := &rows{attach: []workflows.TaskState{queued}, end: withdrawn}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
}

func TestCancelWaitsForACapableRunner(t *testing.T) {
	r := &rows{
		attach:    []workflows.TaskState{running},
		supervise: answers(pending, ends("cancelled", "cancelled")),
		end:       cancelling,
	}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Len(t, r.ended, 1)
	require.False(t, r.ended[0].Force)
}

func TestCancelIsForcedWhenTheRunnerDoesNotEnd(t *testing.T) {
	r := &rows{attach: []workflows.TaskState{running}, end: cancelling}
	// By the time the grace is over, ending the task by force works.
	r.supervise = answers(pending, func() (workflows.TaskEnd, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.end = ended("cancelled", "forced")
		return tooLong()
	})
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, 10*time.Second)
	})
	require.Equal(t, workflows.JobResult{Status: ci.StatusCancelled, Reason: "forced"}, got)
	require.Len(t, r.ended, 2)
	require.True(t, r.ended[1].Force)
}

func TestSilenceWhileNobodyListenedIsNoLoss(t *testing.T) {
	r := &rows{
		attach:    []workflows.TaskState{running},
		supervise: answers(silent, ends("success", "")),
		check:     running,
	}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Empty(t, r.again)
}
