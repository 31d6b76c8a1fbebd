package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// manifold makes a run whose jobs are, by key: queued and held, each also with always(), and running by a runner that can
// finish and one that cannot.
func (f *fixture) manifold(t *testing.T) (*db.Run, *db.Attempt, map[string]*db.Job, map[string]*db.Task) {
	t.Helper()
	jobs, tasks := map[string]*db.Job{}, map[string]*db.Task{}
	var list []*db.Job
	for _, key := range []string{"queued", "queued-always", "held", "held-always", "running", "running-always", "capable"} {
		j := job(key)
		if key == "queued-always" || key == "held-always" || key == "running-always" {
			j.IfExpr = "always()"
		}
		jobs[key], list = j, append(list, j)
	}
	run, attempt := f.run(t, list...)
	f.offer(t, list...)
	_, err := f.Exec("UPDATE offers SET state = 'held' WHERE job_id IN (?, ?)", jobs["held"].ID, jobs["held-always"].ID)
	require.NoError(t, err)
	tasks["running"] = f.claim(t, jobs["running"], f.runner(t))
	tasks["running-always"] = f.claim(t, jobs["running-always"], f.runner(t))
	tasks["capable"] = f.claim(t, jobs["capable"], f.runner(t, db.CapabilityCancelling))
	_, err = f.Supervise(t.Context(), tasks["capable"].ID)
	require.NoError(t, err)
	return run, attempt, jobs, tasks
}

// stand tells where each job stands: the state of its offer, or of its task.
func (f *fixture) stand(t *testing.T, jobs map[string]*db.Job) map[string]string {
	t.Helper()
	out := map[string]string{}
	for key, j := range jobs {
		o, err := f.Attach(t.Context(), j.ID, 1)
		require.NoError(t, err)
		out[key] = string(o.State)
		if o.TaskID != 0 {
			out[key] = string(o.Status)
		}
	}
	return out
}

func TestCancelAndForcedCancel(t *testing.T) {
	f := newFixture(t)
	run, attempt, jobs, tasks := f.manifold(t)
	attempts, err := f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, By: f.owner.ID, Reason: "too slow"})
	require.NoError(t, err)
	require.Equal(t, []int{1}, attempts)
	require.Equal(t, map[string]string{
		"queued": "withdrawn", "held": "withdrawn", "running": "cancelled", "capable": "cancelling",
		"queued-always": "queued", "held-always": "queued", "running-always": "running",
	}, f.stand(t, jobs))
	f.reload(t, tasks["running"])
	require.Equal(t, "too slow", tasks["running"].Reason)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, CancelSeen: true})

	for range 2 {
		attempts, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, By: 7, Reason: "at once", Force: true})
		require.NoError(t, err)
		require.Equal(t, []int{1}, attempts)
	}
	require.Equal(t, map[string]string{
		"queued": "withdrawn", "held": "withdrawn", "running": "cancelled", "capable": "cancelled",
		"queued-always": "withdrawn", "held-always": "withdrawn", "running-always": "cancelled",
	}, f.stand(t, jobs))
	f.reload(t, tasks["capable"])
	require.True(t, tasks["capable"].DeliveredAt.IsZero(), "its workflow has to be told")
	f.reload(t, attempt)
	require.Equal(t, f.owner.ID, attempt.CancelRequestedBy, "the first stays")
	require.Equal(t, "too slow", attempt.CancelReason)
	require.True(t, attempt.CancelForced)
	require.True(t, attempt.CancelSeenAt.IsZero(), "the workflow has not heard of the force")
	waiting, err := f.Undelivered(t.Context(), 0, 0, 10)
	require.NoError(t, err)
	require.NotEmpty(t, waiting)
}

func TestNothingIsOfferedAfterAForcedCancel(t *testing.T) {
	f := newFixture(t)
	always := job("always")
	always.IfExpr = "always()"
	run, _ := f.run(t, always)
	_, err := f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Force: true})
	require.NoError(t, err)
	f.offer(t, always)
	state, _ := f.latest(t, always, 1)
	require.Equal(t, db.OfferWithdrawn, state)
}

// A cancel without an attempt is for all that go on: when a run is rerun early, an older one may.
func TestCancelOfAllAttempts(t *testing.T) {
	f := newFixture(t)
	run, first := f.run(t, job("a"))
	second := &db.Attempt{RunID: run.ID, Number: 2, TriggerUserID: f.owner.ID, Status: ci.StatusWaiting}
	f.insert(t, second)
	attempts, err := f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 2})
	require.NoError(t, err)
	require.Equal(t, []int{2}, attempts)
	attempts, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID})
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, attempts)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: first.ID, Status: ci.StatusCancelled})
	attempts, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID})
	require.NoError(t, err)
	require.Equal(t, []int{2}, attempts)
	_, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 1})
	require.ErrorIs(t, err, db.ErrFinished)
	_, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: 404})
	require.ErrorIs(t, err, db.ErrFinished)
}
