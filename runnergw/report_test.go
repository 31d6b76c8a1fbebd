package runnergw_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/runnergw"
)

// running registers a runner and gives it a task of two steps.
func running(t testing.TB, e *env) (*runner, *runnerv1.Task) {
	t.Helper()
	r := e.register(db.Scope{}, "linux")
	e.offer(dbtest.Job("a", "linux"))
	return r, r.mustFetch()
}

// supervise makes the task one whose end Temporal waits for.
func (e *env) supervise(task int64) {
	e.t.Helper()
	_, err := e.db.Supervise(e.t.Context(), task)
	require.NoError(e.t, err)
}

func TestLifeOfATask(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	e.supervise(task.Id)
	began := timestamppb.Now()
	steps := []*runnerv1.StepState{{Id: 0, StartedAt: began}, {Id: 1}}
	require.Equal(t, runnerv1.Result_RESULT_UNSPECIFIED, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, StartedAt: began, Steps: steps}))
	stored := e.task(task.Id)
	require.False(t, stored.ConfirmedAt.IsZero())
	require.Equal(t, []ci.Status{ci.StatusRunning, ci.StatusWaiting}, []ci.Status{stored.Steps[0].Status, stored.Steps[1].Status})

	steps[0].Result, steps[0].StoppedAt, steps[0].LogLength = runnerv1.Result_RESULT_SUCCESS, timestamppb.Now(), 7
	steps[1].Result, steps[1].LogIndex, steps[1].LogLength = runnerv1.Result_RESULT_FAILURE, 7, 3
	final := &runnerv1.TaskState{Id: task.Id, StartedAt: began, StoppedAt: timestamppb.Now(), Steps: steps, Result: runnerv1.Result_RESULT_FAILURE}
	for range 3 {
		require.Equal(t, runnerv1.Result_RESULT_FAILURE, r.mustUpdate(final), "a final report may be repeated")
	}
	stored = e.task(task.Id)
	require.Equal(t, db.TaskFailure, stored.Status)
	require.EqualValues(t, 7, stored.Steps[1].LogIndex)
	require.Equal(t, ci.StatusFailure, stored.Steps[1].Status)
	require.Equal(t, runnerv1.Result_RESULT_FAILURE, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS}), "the first end stays")

	e.eventually(func() bool { return !e.task(task.Id).DeliveredAt.IsZero() }, "delivered")
	require.Len(t, e.tasks.ends(), 1, "once")
	require.Equal(t, "failure", e.tasks.ends()[0].Status)
}

func TestFinalReportWakesAWorkflowThatDoesNotSuperviseYet(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	job := e.task(task.Id).JobID
	_, err := e.db.Attach(t.Context(), job, 1)
	require.NoError(t, err)
	r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS})
	e.eventually(func() bool { return slices.Contains(e.tasks.wakes(), job) }, "woken")
	require.Empty(t, e.tasks.ends())
}

// The runner gets its answer although Temporal is away; the end is delivered when it is back.
func TestEndIsRedelivered(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	e.supervise(task.Id)
	e.tasks.fail(errors.New("Temporal is away"))
	require.Equal(t, runnerv1.Result_RESULT_SUCCESS, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Result: runnerv1.Result_RESULT_SUCCESS}))
	e.eventually(func() bool { return e.metric("pawl_temporal_deliveries_total") >= 2 }, "tried again")
	require.True(t, e.task(task.Id).DeliveredAt.IsZero())
	e.tasks.fail(nil)
	e.eventually(func() bool { return !e.task(task.Id).DeliveredAt.IsZero() }, "delivered")
	require.Equal(t, task.Id, e.tasks.ends()[0].TaskID)
}

func TestOutputsAreAcknowledged(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	state := &runnerv1.TaskState{Id: task.Id}
	long := strings.Repeat("k", 256)
	got, err := r.update(state, map[string]string{"a": "1", "": "x", long: "x", "big": strings.Repeat("x", 1<<20+1), "nul": "a\x00b", "n\x00": "x"})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "nul"}, got.SentOutputs, "what is above its limit is never acknowledged")
	got, err = r.update(state, map[string]string{"a": "2", "b": strings.Repeat("x", 1<<20)})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b", "nul"}, got.SentOutputs)
	got, err = r.update(state, nil)
	require.NoError(t, err)
	require.Len(t, got.SentOutputs, 3)
	outputs := map[string]string{}
	var rows []struct{ Key, Value string }
	require.NoError(t, e.db.NewRaw("SELECT key, value FROM task_outputs").Scan(t.Context(), &rows))
	for _, row := range rows {
		outputs[row.Key] = row.Value
	}
	require.Equal(t, "1", outputs["a"], "the first value wins")
	require.Equal(t, "ab", outputs["nul"])
}

func TestReportsOfOthers(t *testing.T) {
	e := newEnv(t)
	_, task := running(t, e)
	other := e.register(db.Scope{}, "linux")
	_, err := other.update(&runnerv1.TaskState{Id: task.Id}, nil)
	require.Equal(t, connect.CodePermissionDenied, connect.CodeOf(err))
	require.ErrorContains(t, err, "invalid runner for task")
	_, err = other.log(task.Id, 0, false, "x")
	require.ErrorContains(t, err, "invalid runner for task")
	for _, id := range []int64{1 << 40, 0, -1} {
		_, err = other.update(&runnerv1.TaskState{Id: id}, nil)
		require.Equal(t, connect.CodeNotFound, connect.CodeOf(err))
		require.ErrorContains(t, err, "resource does not exist")
		_, err = other.log(id, 0, false, "x")
		require.ErrorContains(t, err, "resource does not exist")
	}
}

func TestCancelOfACapableRunner(t *testing.T) {
	e := newEnv(t)
	r, _ := running(t, e)
	require.NoError(t, r.declare([]string{"linux"}, "cancelling")) // gives up the first task
	e.offer(dbtest.Job("b", "linux"))
	task := r.mustFetch()
	job := e.task(task.Id).JobID
	e.supervise(task.Id)
	_, err := e.db.EndTask(t.Context(), job, db.EndGraceful, "cancelled")
	require.NoError(t, err)
	require.Equal(t, db.TaskCancelling, e.task(task.Id).Status)

	steps := []*runnerv1.StepState{{Id: 0, Result: runnerv1.Result_RESULT_CANCELLED}, {Id: 1, StartedAt: timestamppb.Now()}}
	require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Steps: steps}))
	require.Len(t, e.task(task.Id).Steps, 2, "reports are still stored")
	require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(&runnerv1.TaskState{Id: task.Id, Steps: steps, Result: runnerv1.Result_RESULT_SUCCESS}))
	require.Equal(t, db.TaskCancelled, e.task(task.Id).Status, "any result is cancelled")
	e.eventually(func() bool { return len(e.tasks.ends()) == 1 }, "delivered")
	require.Equal(t, "cancelled", e.tasks.ends()[0].Status)
}

func TestCancelOfAnOldRunner(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	state := &runnerv1.TaskState{Id: task.Id}
	require.Equal(t, runnerv1.Result_RESULT_UNSPECIFIED, r.mustUpdate(state))
	_, err := e.db.EndTask(t.Context(), e.task(task.Id).JobID, db.EndGraceful, "cancelled")
	require.NoError(t, err)
	require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(state), "the very next report, although it says nothing new")
	ack, err := r.log(task.Id, 0, true, "still", "accepted")
	require.NoError(t, err)
	require.EqualValues(t, 2, ack)
	state.Result = runnerv1.Result_RESULT_SUCCESS
	require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(state))
	require.Equal(t, db.TaskCancelled, e.task(task.Id).Status)
}

func TestUnchangedReportsAreWrittenNowAndThen(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	state := &runnerv1.TaskState{Id: task.Id, StartedAt: timestamppb.Now(), Steps: []*runnerv1.StepState{{Id: 0}, {Id: 1}}}
	r.mustUpdate(state)
	first := e.task(task.Id).HeartbeatAt
	r.mustUpdate(state)
	require.Equal(t, first, e.task(task.Id).HeartbeatAt)
	e.clock.advance(6 * time.Second)
	r.mustUpdate(state)
	second := e.task(task.Id).HeartbeatAt
	require.True(t, second.After(first))
	state.Steps[0].StartedAt = timestamppb.Now()
	r.mustUpdate(state)
	require.True(t, e.task(task.Id).HeartbeatAt.After(second), "news are written at once")
}

func TestHeartbeatsAreThrottled(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.LostAfter = 30 * time.Second })
	r, task := running(t, e)
	state := &runnerv1.TaskState{Id: task.Id}
	r.mustUpdate(state)
	e.supervise(task.Id)
	beats := func(n int) {
		t.Helper()
		e.eventually(func() bool { return len(e.tasks.heartbeats()) == n }, "heartbeats")
	}
	e.clock.advance(6 * time.Second)
	r.mustUpdate(state)
	beats(1)
	r.mustUpdate(state)
	e.clock.advance(11 * time.Second)
	_, err := r.log(task.Id, 0, false, "a row is a sign of life too")
	require.NoError(t, err)
	beats(2)

	e.tasks.fail(errors.New("Temporal is away"))
	e.clock.advance(11 * time.Second)
	before := e.metric("pawl_temporal_deliveries_total")
	r.mustUpdate(state)
	e.eventually(func() bool { return e.metric("pawl_temporal_deliveries_total") > before }, "tried")
	e.tasks.fail(nil)
	r.mustUpdate(state)
	beats(3)
}

func TestUnconfirmedTaskIsGivenUp(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.ConfirmWithin = time.Second })
	r, task := running(t, e)
	job := e.task(task.Id).JobID
	_, err := e.db.Attach(t.Context(), job, 1)
	require.NoError(t, err)
	e.eventually(func() bool { return e.task(task.Id).Status == db.TaskLost }, "lost")
	require.Equal(t, "the runner never confirmed the task within 1s", e.task(task.Id).Reason)
	e.eventually(func() bool { return slices.Contains(e.tasks.wakes(), job) }, "its workflow is woken")
	require.NoError(t, e.db.OfferAgain(t.Context(), db.OfferAgain{JobID: job, Try: 2}))
	again := r.mustFetch()
	require.Equal(t, job, e.task(again.Id).JobID)
	require.Equal(t, 2, e.task(again.Id).Try)
	require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(&runnerv1.TaskState{Id: task.Id}), "the first one is fenced off")
	require.Equal(t, runnerv1.Result_RESULT_UNSPECIFIED, r.mustUpdate(&runnerv1.TaskState{Id: again.Id}))
}

func TestUnattendedTaskIsWokenAgain(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	r.mustUpdate(&runnerv1.TaskState{Id: task.Id})
	job := e.task(task.Id).JobID
	_, err := e.db.Attach(t.Context(), job, 1)
	require.NoError(t, err)
	e.exec("UPDATE tasks SET claimed_at = now() - interval '1 minute'")
	e.eventually(func() bool { return slices.Contains(e.tasks.wakes(), job) }, "woken")
}

// A wake-up that failed makes no pause longer: nobody waits for one when the outage is over.
func TestUnattendedTaskIsWokenAtOnceAfterAnOutage(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	r.mustUpdate(&runnerv1.TaskState{Id: task.Id})
	job := e.task(task.Id).JobID
	_, err := e.db.Attach(t.Context(), job, 1)
	require.NoError(t, err)
	e.tasks.fail(errors.New("away"))
	before := e.metric("pawl_temporal_deliveries_total")
	e.exec("UPDATE tasks SET claimed_at = now() - interval '1 minute'")
	e.eventually(func() bool { return e.metric("pawl_temporal_deliveries_total") >= before+4 }, "tried every second")
	e.tasks.fail(nil)
	e.eventually(func() bool { return slices.Contains(e.tasks.wakes(), job) }, "woken")
}

func TestPresenceIsWritten(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	r.mustUpdate(&runnerv1.TaskState{Id: task.Id})
	e.eventually(func() bool {
		list, _, err := e.db.Runners(t.Context(), db.RunnerFilter{ID: r.id})
		require.NoError(t, err)
		return !list[0].LastActiveAt.IsZero() && list[0].IsOnline && list[0].IsBusy
	}, "seen")
	require.Equal(t, 1.0, e.metric("pawl_runners"))
}
