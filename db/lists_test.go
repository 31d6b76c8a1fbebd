package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// exec changes rows that other parts write.
func (f *fixture) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := f.NewRaw(query, args...).Exec(t.Context())
	require.NoError(t, err)
}

func TestRunAsOfEachAttempt(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	run, first := f.run(t, job("a"))
	other := dbtest.Owner(t, f.DB)
	_, err := f.NewRaw(`UPDATE attempts SET status = 'failure', started_at = now(), stopped_at = now() WHERE id = ?`, first.ID).Exec(ctx)
	require.NoError(t, err)
	_, err = f.NewRaw(`UPDATE runs SET status = 'failure', started_at = now(), stopped_at = now() WHERE id = ?`, run.ID).Exec(ctx)
	require.NoError(t, err)
	_, err = f.CreateRerun(ctx, db.NewAttempt{Run: run, TriggerUserID: other.ID, Clone: func(jobs []*db.Job) ([]*db.Job, error) {
		again := job("a")
		again.ID = jobs[0].ID
		return []*db.Job{again}, nil
	}})
	require.NoError(t, err)

	latest, err := f.Run(ctx, f.repo.ID, run.ID, 0)
	require.NoError(t, err)
	require.Equal(t, 2, latest.Attempt.Number)
	require.Equal(t, other.ID, latest.TriggerUser.ID)
	require.Equal(t, f.owner.ID, latest.Actor.ID)
	before, err := f.Run(ctx, f.repo.ID, run.ID, 1)
	require.NoError(t, err)
	require.Equal(t, ci.StatusFailure, before.Attempt.Status)
	require.Equal(t, 1, before.Run.Attempt)
	for _, ids := range [][3]int64{{f.repo.ID, run.ID, 3}, {f.repo.ID, run.ID + 1, 0}, {f.repo.ID + 1, run.ID, 0}} {
		_, err = f.Run(ctx, ids[0], ids[1], int(ids[2]))
		require.ErrorIs(t, err, db.ErrNotFound)
	}

	jobs, n, err := f.Jobs(ctx, db.JobFilter{RepoID: f.repo.ID, RunID: run.ID, Page: db.Page{Limit: 10}})
	require.NoError(t, err)
	require.Equal(t, 2, n.Total, "of both attempts")
	require.Equal(t, run.SHA, jobs[0].Run.SHA)
	_, n, err = f.Jobs(ctx, db.JobFilter{RepoID: f.repo.ID, RunID: run.ID, Attempt: 2})
	require.NoError(t, err)
	require.Equal(t, 1, n.Total)
}

func TestPagesOfLists(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	for range 3 {
		f.run(t, job("a"), job("b", "a"))
	}
	for page, want := range map[db.Page]int{
		{}: 3, {Limit: 2}: 2, {Offset: 2, Limit: 2}: 1, {Offset: 3, Limit: 2}: 0, {Offset: 1 << 40, Limit: 50}: 0,
	} {
		runs, n, err := f.Runs(ctx, db.RunFilter{RepoID: f.repo.ID, Page: page})
		require.NoError(t, err)
		require.Equal(t, 3, n.Total)
		require.Len(t, runs, want)
		runs, _, err = f.Runs(ctx, db.RunFilter{OwnerID: f.owner.ID, Page: page})
		require.NoError(t, err)
		require.Len(t, runs, want)
		if want > 0 {
			require.Equal(t, f.repo.Name, runs[0].Repository.Name)
		}
	}
	blocked, n, err := f.Jobs(ctx, db.JobFilter{OwnerID: f.owner.ID, Statuses: []ci.Status{ci.StatusBlocked, ci.StatusRunning}, Descending: true})
	require.NoError(t, err)
	require.Equal(t, 3, n.Total)
	require.Greater(t, blocked[0].Job.ID, blocked[1].Job.ID)
	ran, err := f.WorkflowRan(ctx, f.repo.ID, "w.yml", 0)
	require.NoError(t, err)
	require.True(t, ran)
	ran, err = f.WorkflowRan(ctx, f.repo.ID, "other.yml", 0)
	require.NoError(t, err)
	require.False(t, ran)
	ran, err = f.WorkflowRan(ctx, f.repo.ID, "w.yml", 7)
	require.NoError(t, err)
	require.False(t, ran)
}

func TestRunsOfScopedWorkflows(t *testing.T) {
	f := newFixture(t)
	own, _ := f.run(t, job("a"))
	scoped, _ := f.run(t, job("a"))
	f.exec(t, "UPDATE runs SET source_repo_id = 7 WHERE id = ?", scoped.ID)
	for source, want := range map[int64][]int64{0: {own.ID}, 7: {scoped.ID}, 8: nil} {
		runs, _, err := f.Runs(t.Context(), db.RunFilter{RepoID: f.repo.ID, SourceRepoID: &source})
		require.NoError(t, err)
		var ids []int64
		for _, v := range runs {
			ids = append(ids, v.Run.ID)
			require.Equal(t, source, v.Run.SourceRepoID)
		}
		require.Equal(t, want, ids)
	}
}

func TestHiddenJobsAreNotThere(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b")
	run, _ := f.run(t, a, b)
	f.exec(t, "UPDATE jobs SET is_hidden = true WHERE id = ?", a.ID)
	_, err := f.Job(t.Context(), f.repo.ID, a.ID)
	require.ErrorIs(t, err, db.ErrNotFound)
	jobs, n, err := f.Jobs(t.Context(), db.JobFilter{RepoID: f.repo.ID, RunID: run.ID})
	require.NoError(t, err)
	require.Equal(t, 1, n.Total)
	require.Equal(t, b.ID, jobs[0].Job.ID)
}

// Every try of a job stays with its own log, also for a job of a rerun that passes on what ran before.
func TestTasksOfAJob(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	ran, other := job("a"), job("b")
	f.run(t, ran, other)
	f.offer(t, ran, other)
	runner := f.runner(t)
	first, foreign := f.claim(t, ran, runner), f.claim(t, other, runner)
	f.exec(t, "UPDATE tasks SET status = 'lost', cause = 'lost', reason = 'gone', stopped_at = now() - interval '1 minute' WHERE id = ?", first.ID)
	f.exec(t, `INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id)
		SELECT job_id, 2, run_id, attempt_id, repo_id, owner_id, label_set_id FROM offers WHERE job_id = ?`, ran.ID)
	second := f.claim(t, ran, runner)
	passed := job("a")
	f.run(t, passed)
	f.exec(t, "UPDATE jobs SET task_id = ? WHERE id = ?", second.ID, passed.ID)
	f.reload(t, passed)
	f.reload(t, ran)

	for _, j := range []*db.Job{ran, passed} {
		tasks, n, err := f.JobTasks(ctx, j, db.Page{})
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, []int64{first.ID, second.ID}, []int64{tasks[0].ID, tasks[1].ID})
		require.Equal(t, "runner", tasks[0].Runner.Name)
		require.Equal(t, db.CauseLost, tasks[0].Cause)
		got, err := f.JobTask(ctx, j, first.ID)
		require.NoError(t, err)
		require.Equal(t, "gone", got.Reason)
		_, err = f.JobTask(ctx, j, foreign.ID)
		require.ErrorIs(t, err, db.ErrNotFound)
	}

	s, err := f.JobLogState(ctx, ran.ID, first.ID)
	require.NoError(t, err)
	require.Equal(t, ci.StatusFailure, s.Status, "a lost task is a failed one")
	require.Equal(t, "gone", s.Reason)
	require.False(t, s.StoppedAt.IsZero())
	require.InDelta(t, 60, s.SinceEnd.Seconds(), 30)
	s, err = f.JobLogState(ctx, ran.ID, 0)
	require.NoError(t, err)
	require.Equal(t, second.ID, s.TaskID)
	require.True(t, s.StoppedAt.IsZero())
}

func TestTasksAndLogState(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	j := job("a")
	run, _ := f.run(t, j)
	s, err := f.JobLogState(ctx, j.ID, 0)
	require.NoError(t, err)
	require.Equal(t, db.LogState{Status: ci.StatusWaiting}, s)
	_, err = f.JobLogState(ctx, j.ID+99, 0)
	require.ErrorIs(t, err, db.ErrNotFound)

	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.insert(t, &db.TaskLog{TaskID: task.ID})
	ok, err := f.AppendLog(ctx, db.LogAppend{TaskID: task.ID, Rows: 3, Bytes: 5, Seal: true})
	require.NoError(t, err)
	require.True(t, ok)
	s, err = f.JobLogState(ctx, j.ID, 0)
	require.NoError(t, err)
	require.Equal(t, db.LogState{Status: ci.StatusRunning, TaskID: task.ID, RowCount: 3, IsSealed: true}, s)

	view, err := f.Job(ctx, f.repo.ID, j.ID)
	require.NoError(t, err)
	require.Equal(t, "runner", view.Job.Task.Runner.Name)
	require.Len(t, view.Job.Task.Steps, 2)
	_, err = f.Job(ctx, f.repo.ID+1, j.ID)
	require.ErrorIs(t, err, db.ErrNotFound)

	tasks, n, err := f.Tasks(ctx, f.repo.ID, db.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, n.Total)
	require.Equal(t, task.ID, tasks[0].ID)
	require.Equal(t, run.Title, tasks[0].Title)
	require.Equal(t, "a", tasks[0].JobName)
	require.Equal(t, db.TaskRunning, tasks[0].Status)
	require.False(t, tasks[0].RunStartedAt.IsZero())
	tasks, n, err = f.Tasks(ctx, f.repo.ID, db.Page{Offset: 5, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, n.Total)
	require.Empty(t, tasks)
}
