package workflows_test

import (
	"cmp"
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
	// retry and timeout are what the file asks for; 0 is 10 minutes.
	retry   *ci.Retry
	timeout int
	// now is the clock of the test; endedAt is when EndTask was called.
	now     func() time.Time
	endedAt []time.Time
}

// offered are the offers that runners could have, without those that were shown before as waiting.
func (r *rows) offered() (tries []int) {
	for _, o := range r.again {
		if o.NotBefore.IsZero() {
			tries = append(tries, o.Try)
		}
	}
	return tries
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
	if r.now != nil {
		r.endedAt = append(r.endedAt, r.now())
	}
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
	env.ExecuteWorkflow(workflows.Job, workflows.JobInput{
		JobID: 1, TimeoutMinutes: cmp.Or(r.timeout, 10), Settings: settings, Retry: r.retry, Version: workflows.CurrentVersion,
	})
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

// queuedFor is an offer that has waited for a while.
func queuedFor(waited time.Duration) workflows.TaskState {
	s := queued
	s.Waited = waited
	return s
}

func TestTheQueueTimeoutCountsWhatAnOfferHasWaited(t *testing.T) {
	for name, c := range map[string]struct {
		attach, ends []workflows.TaskState
		want         []time.Duration
	}{
		"from the first look on":           {states(queuedFor(20 * time.Hour)), states(withdrawn), []time.Duration{4 * time.Hour}},
		"a look for nothing gives no time": {states(queued, queuedFor(2*time.Hour)), states(withdrawn), []time.Duration{24 * time.Hour}},
		"anew after a pause":               {states(queued), states(queuedFor(30*time.Minute), withdrawn), []time.Duration{24 * time.Hour, 47*time.Hour + 30*time.Minute}},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rows{attach: c.attach, ends: c.ends}
			var began time.Time
			runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
				began = env.Now()
				r.now = env.Now
				if len(c.attach) > 1 {
					env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalTaskChanged, nil) }, 2*time.Hour)
				}
			})
			var at []time.Duration
			for _, ended := range r.endedAt {
				at = append(at, ended.Sub(began).Round(time.Second))
			}
			require.Equal(t, c.want, at)
			require.Equal(t, settings.QueueTimeout, r.ended[0].Waited)
		})
	}
}

func TestTheReasonOfATimeoutIsWordedAsItShouldBe(t *testing.T) {
	for n, want := range map[int]string{1: "timed out after 1 minute", 2: "timed out after 2 minutes"} {
		r := &rows{attach: states(running), supervise: tooLong, ends: states(withdrawn), timeout: n}
		runJob(t, r, nil)
		require.Equal(t, want, r.ended[len(r.ended)-1].Reason)
	}
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
	require.Equal(t, []int{2, 3}, r.offered())
	require.Equal(t, ci.ErrorTransient, got.Class)
}

func TestATaskThatReachedNoRunnerIsOfferedMoreOften(t *testing.T) {
	var attach []workflows.TaskState
	for range 10 {
		attach = append(attach, running, lost)
	}
	r := &rows{attach: append(attach, ended("success", "")), supervise: ends(workflows.EndLost, "the runner never confirmed the task")}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Len(t, r.offered(), 10)
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
	r := &rows{attach: states(running, gone, running, gone), supervise: silent, check: lost, ends: states(withdrawn)}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		// The second retry pauses.
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Second)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Equal(t, []int{2}, r.offered())
}

func TestAFaultOfOursFailsTheWorkflow(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterActivityWithOptions(func(context.Context, workflows.TaskRef) (workflows.TaskState, error) {
		return workflows.TaskState{}, temporal.NewNonRetryableApplicationError("gone", "not_found", nil)
	}, activity.RegisterOptions{Name: workflows.ActivityAttachTask})
	env.ExecuteWorkflow(workflows.Job, workflows.JobInput{
		JobID: 1, TimeoutMinutes: 10, Settings: settings, Version: workflows.CurrentVersion,
	})
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

func timedOut() workflows.TaskState { return ended("cancelled", "timed out after 10 minutes") }

func TestAFailureIsTriedAgainWhenTheFileAsksForIt(t *testing.T) {
	again := &ci.Retry{MaxAttempts: 3, OnFailure: true, Backoff: 30 * time.Second}
	for _, c := range []struct {
		name      string
		retry     *ci.Retry
		supervise func() (workflows.TaskEnd, error)
		want      ci.Status
		offered   []int
	}{
		{"not asked for", nil, ends("failure", ""), ci.StatusFailure, nil},
		{"asked for something else", &ci.Retry{MaxAttempts: 3, OnTimeout: true}, ends("failure", ""), ci.StatusFailure, nil},
		{"succeeds at last", again, answers(ends("failure", ""), ends("failure", ""), ends("success", "")), ci.StatusSuccess, []int{2, 3}},
		{"fails to the end", again, ends("failure", ""), ci.StatusFailure, []int{2, 3}},
		{"only once", &ci.Retry{MaxAttempts: 1, OnFailure: true}, ends("failure", ""), ci.StatusFailure, nil},
		{"a cancel is no failure", again, ends("cancelled", ""), ci.StatusCancelled, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &rows{attach: states(running), supervise: c.supervise, retry: c.retry}
			require.Equal(t, c.want, runJob(t, r, nil).Status)
			require.Equal(t, c.offered, r.offered())
		})
	}
}

func TestATimeoutIsTriedAgainWhenTheFileAsksForIt(t *testing.T) {
	r := &rows{
		attach: states(running), supervise: answers(tooLong, ends("success", "")), ends: states(timedOut()),
		retry: &ci.Retry{MaxAttempts: 2, OnTimeout: true, Backoff: time.Second},
	}
	require.Equal(t, ci.StatusSuccess, runJob(t, r, nil).Status)
	require.Equal(t, []int{2}, r.offered())
	require.Equal(t, workflows.CauseTimeout, r.again[0].Cause)
}

func TestRetriesPauseLongerAndLonger(t *testing.T) {
	r := &rows{
		attach: states(running), supervise: ends("failure", ""),
		retry: &ci.Retry{MaxAttempts: 4, OnFailure: true, Backoff: 40 * time.Minute},
	}
	began := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) { env.SetStartTime(began) })
	var until []time.Duration
	for _, o := range r.again {
		if !o.NotBefore.IsZero() {
			until = append(until, o.NotBefore.Sub(began).Round(time.Minute))
		}
	}
	// 40 minutes, and then the longest pause of an hour, twice.
	require.Equal(t, []time.Duration{40 * time.Minute, 100 * time.Minute, 160 * time.Minute}, until)
}

func TestACancelEndsTheWaitForARetry(t *testing.T) {
	r := &rows{
		attach: states(running), supervise: ends("failure", ""), ends: states(withdrawn),
		retry: &ci.Retry{MaxAttempts: 3, OnFailure: true, Backoff: time.Hour},
	}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(env.CancelWorkflow, time.Minute)
	})
	require.Equal(t, ci.StatusCancelled, got.Status)
	require.Empty(t, r.offered())
	require.Len(t, r.ended, 1)
}

func TestLossesThatTheFileAllows(t *testing.T) {
	gone := ended(workflows.EndLost, "the runner was not heard of")
	gone.End.Cause = "lost"
	r := &rows{attach: states(running), supervise: silent, check: gone, retry: &ci.Retry{MaxAttempts: 5, OnLost: true}}
	got := runJob(t, r, nil)
	require.Equal(t, ci.StatusFailure, got.Status)
	require.Equal(t, []int{2, 3, 4, 5}, r.offered())
}

func TestAPauseDoesNotCountAsWaitingForARunner(t *testing.T) {
	paused := queued
	paused.Held = true
	r := &rows{attach: states(queued, running), ends: states(paused), supervise: ends("success", "")}
	got := runJob(t, r, func(env *testsuite.TestWorkflowEnvironment) {
		env.RegisterDelayedCallback(func() { env.SignalWorkflow(workflows.SignalTaskChanged, nil) }, 100*time.Hour)
	})
	require.Equal(t, ci.StatusSuccess, got.Status)
	require.Len(t, r.ended, 4, "a look each day")
}
