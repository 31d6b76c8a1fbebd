package trigger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// rerun runs all jobs of a run again, or, if one is given, that job.
func (f *fixture) rerun(t *testing.T, run *db.Run, job ...int64) (trigger.Rerun, error) {
	t.Helper()
	r := trigger.RerunRequest{Repo: f.repo, Run: run, Actor: f.owner}
	for _, id := range job {
		r.Job = id
	}
	return f.Rerun(t.Context(), r)
}

func (f *fixture) rerunFailed(t *testing.T, run *db.Run) (trigger.Rerun, error) {
	t.Helper()
	return f.Rerun(t.Context(), trigger.RerunRequest{Repo: f.repo, Run: run, Actor: f.owner, FailedOnly: true})
}

func (f *fixture) jobs(t *testing.T, run *db.Run, attempt int) []*db.Job {
	t.Helper()
	jobs, err := f.db.JobsOfAttempt(t.Context(), run.ID, attempt)
	require.NoError(t, err)
	return jobs
}

func (f *fixture) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := f.db.NewRaw(query, args...).Exec(t.Context())
	require.NoError(t, err)
}

// end ends jobs as the workflow of their attempt does, and with a status the attempt as well.
func (f *fixture) end(t *testing.T, run *db.Run, attempt int, status ci.Status, ends ...db.JobEnd) {
	t.Helper()
	a, err := f.db.Attempt(t.Context(), run.ID, attempt)
	require.NoError(t, err)
	_, err = f.db.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: a.ID, Ended: ends, Status: status, Release: true})
	require.NoError(t, err)
}

func (f *fixture) latest(t *testing.T) *db.Run {
	t.Helper()
	runs := f.runs(t)
	require.NotEmpty(t, runs)
	return &runs[len(runs)-1]
}

func (f *fixture) dispatch(t *testing.T, workflow string) *db.Run {
	t.Helper()
	run, err := f.Dispatch(t.Context(), trigger.DispatchRequest{Repo: f.repo, Actor: f.owner, Workflow: workflow, Ref: "main"})
	require.NoError(t, err)
	return run
}

func TestRerunAndCancel(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow")
	run := f.latest(t)
	_, err := f.rerun(t, run)
	require.True(t, fault.Has(err, fault.CodeBadRequest), err)

	require.NoError(t, f.Cancel(t.Context(), run, f.owner, false))
	require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 1}}, f.engine.cancels)
	attempt, err := f.db.Attempt(t.Context(), run.ID, 1)
	require.NoError(t, err)
	_, err = f.db.AbandonAttempt(t.Context(), run.ID, attempt.ID, ci.StatusCancelled, "test")
	require.NoError(t, err)
	for _, force := range []bool{false, true} {
		require.True(t, fault.Has(f.Cancel(t.Context(), run, f.owner, force), fault.CodeConflict))
	}

	run = f.latest(t)
	next, err := f.rerun(t, run)
	require.NoError(t, err)
	require.Equal(t, 2, next.Run.Attempt)
	require.Nil(t, next.Job)
	_, err = f.rerun(t, run)
	require.True(t, fault.Has(err, fault.CodeConflict), err)
	require.Equal(t, 1, run.Attempt, "the caller's is left alone")
	require.Len(t, f.jobs(t, run, 2), 3)
	require.Equal(t, ci.StatusCancelled, f.jobs(t, run, 1)[0].Status, "earlier attempts stay as they were")
}

func TestRerunOfFailedJobs(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow")
	run := f.latest(t)
	before := f.jobs(t, run, 1)
	f.exec(t, `UPDATE jobs SET task_id = 4711, started_at = now() WHERE run_id = ?`, run.ID)
	f.end(t, run, 1, ci.StatusFailure, db.JobEnd{JobID: before[0].ID, Status: ci.StatusSuccess, Reason: "done"},
		db.JobEnd{JobID: before[1].ID, Status: ci.StatusFailure}, db.JobEnd{JobID: before[2].ID, Status: ci.StatusSkipped})
	next, err := f.rerunFailed(t, f.latest(t))
	require.NoError(t, err)
	require.Equal(t, ci.StatusWaiting, next.Run.Status)
	kept, again, dependant := f.jobs(t, run, 2)[0], f.jobs(t, run, 2)[1], f.jobs(t, run, 2)[2]
	require.Equal(t, []any{ci.StatusSuccess, "done", int64(4711)}, []any{kept.Status, kept.Reason, kept.TaskID})
	require.False(t, kept.StoppedAt.IsZero())
	require.Equal(t, []any{ci.StatusWaiting, int64(0), before[1].Payload}, []any{again.Status, again.TaskID, again.Payload})
	require.Equal(t, ci.StatusBlocked, dependant.Status)
	require.True(t, dependant.StoppedAt.IsZero())

	f.end(t, run, 2, ci.StatusSuccess, db.JobEnd{JobID: again.ID, Status: ci.StatusSuccess}, db.JobEnd{JobID: dependant.ID, Status: ci.StatusSuccess})
	_, err = f.rerunFailed(t, f.latest(t))
	require.NoError(t, err)
	for _, j := range f.jobs(t, run, 3) {
		require.False(t, j.Status.Terminal(), "nothing failed, so all run")
	}
}

func TestTheLastRerun(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow")
	run := f.latest(t)
	f.end(t, run, 1, ci.StatusFailure)
	f.exec(t, `UPDATE runs SET attempt = 49`)
	f.exec(t, `UPDATE attempts SET number = 49`)
	f.exec(t, `UPDATE jobs SET attempt = 49, status = 'failure', stopped_at = now()`)
	next, err := f.rerun(t, f.latest(t))
	require.NoError(t, err)
	f.end(t, run, 50, ci.StatusFailure)
	_, err = f.rerun(t, f.latest(t))
	require.True(t, fault.Has(err, fault.CodeBadRequest), err)
	require.Equal(t, 50, next.Run.Attempt)
}

func TestAnEarlyRerun(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, `on: push
jobs:
  a: {runs-on: linux, steps: [{run: x}]}
  b: {runs-on: linux, steps: [{run: x}]}
  c: {runs-on: linux, needs: b, steps: [{run: x}]}
`, "Three jobs")
	run := f.latest(t)
	first := f.jobs(t, run, 1)
	a, b, c := first[0], first[1], first[2]
	for _, id := range []int64{a.ID, b.ID} {
		_, err := f.rerun(t, run, id)
		require.True(t, fault.Has(err, fault.CodeConflict), err)
	}
	_, err := f.rerun(t, run, 4711)
	require.True(t, fault.Has(err, fault.CodeNotFound), err)

	f.end(t, run, 1, ci.StatusUnknown, db.JobEnd{JobID: a.ID, Status: ci.StatusFailure})
	next, err := f.rerun(t, run, a.ID)
	require.NoError(t, err)
	require.Equal(t, []any{2, "a", ci.StatusWaiting}, []any{next.Run.Attempt, next.Job.Key, next.Job.Status})
	second := f.jobs(t, run, 2)
	require.Equal(t, []int64{0, b.ID, c.ID}, []int64{second[0].FollowsID, second[1].FollowsID, second[2].FollowsID})
	require.Equal(t, second[0].ID, next.Job.ID)
	_, err = f.rerun(t, run, a.ID)
	require.True(t, fault.Has(err, fault.CodeConflict), err)

	t.Run("ends are news to who follows", func(t *testing.T) {
		attempt, err := f.db.Attempt(t.Context(), run.ID, 1)
		require.NoError(t, err)
		wake, err := f.db.RecordStep(t.Context(), db.RunStep{
			RunID: run.ID, AttemptID: attempt.ID, Ended: []db.JobEnd{{JobID: b.ID, Status: ci.StatusSuccess}},
		})
		require.NoError(t, err)
		require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 2}}, wake)
	})
	t.Run("and are known to the next early rerun", func(t *testing.T) {
		f.end(t, run, 2, ci.StatusUnknown, db.JobEnd{JobID: second[0].ID, Status: ci.StatusFailure})
		_, err := f.rerun(t, f.latest(t), second[0].ID)
		require.NoError(t, err)
		third := f.jobs(t, run, 3)
		require.Equal(t, []any{ci.StatusSuccess, int64(0)}, []any{third[1].Status, third[1].FollowsID})
		require.Equal(t, c.ID, third[2].FollowsID, "the job itself is followed, not who follows it")
	})
	t.Run("all attempts are paused and cancelled", func(t *testing.T) {
		all := []db.RunRef{{RunID: run.ID, Attempt: 1}, {RunID: run.ID, Attempt: 2}, {RunID: run.ID, Attempt: 3}}
		f.engine.wakes()
		require.NoError(t, f.Pause(t.Context(), run, f.owner))
		require.Equal(t, all, f.engine.wakes())
		require.NoError(t, f.Resume(t.Context(), run, f.owner))
		require.NoError(t, f.Cancel(t.Context(), run, f.owner, true))
		require.Equal(t, all, f.engine.cancels)
		for _, r := range all {
			f.end(t, run, r.Attempt, ci.StatusCancelled)
		}
		require.True(t, fault.Has(f.Pause(t.Context(), run, f.owner), fault.CodeConflict))
	})
}
