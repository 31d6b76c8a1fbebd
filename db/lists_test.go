package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestRunAsOfEachAttempt(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	run, first := f.run(t, job("a"))
	other := dbtest.Owner(t, f.DB)
	_, err := f.NewRaw(`UPDATE attempts SET status = 'failure', started_at = now(), stopped_at = now() WHERE id = ?`, first.ID).Exec(ctx)
	require.NoError(t, err)
	_, err = f.NewRaw(`UPDATE runs SET status = 'failure', started_at = now(), stopped_at = now() WHERE id = ?`, run.ID).Exec(ctx)
	require.NoError(t, err)
	second := &db.Attempt{RunID: run.ID, Number: 2, TriggerUserID: other.ID, Status: ci.StatusWaiting}
	require.NoError(t, f.CreateAttempt(ctx, run, second, []*db.Job{job("a")}))

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
	require.Equal(t, 2, n, "of both attempts")
	require.Equal(t, run.SHA, jobs[0].Run.SHA)
	_, n, err = f.Jobs(ctx, db.JobFilter{RepoID: f.repo.ID, RunID: run.ID, Attempt: 2})
	require.NoError(t, err)
	require.Equal(t, 1, n)
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
		require.Equal(t, 3, n)
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
	require.Equal(t, 3, n)
	require.Greater(t, blocked[0].Job.ID, blocked[1].Job.ID)
	ran, err := f.WorkflowRan(ctx, f.repo.ID, "w.yml")
	require.NoError(t, err)
	require.True(t, ran)
	ran, err = f.WorkflowRan(ctx, f.repo.ID, "other.yml")
	require.NoError(t, err)
	require.False(t, ran)
}

func TestTasksAndLogState(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	j := job("a")
	run, _ := f.run(t, j)
	s, err := f.JobLogState(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, db.JobLogState{Status: ci.StatusWaiting}, s)
	_, err = f.JobLogState(ctx, j.ID+99)
	require.ErrorIs(t, err, db.ErrNotFound)

	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.insert(t, &db.TaskLog{TaskID: task.ID})
	ok, err := f.AppendLog(ctx, db.LogAppend{TaskID: task.ID, Rows: 3, Bytes: 5, Seal: true})
	require.NoError(t, err)
	require.True(t, ok)
	s, err = f.JobLogState(ctx, j.ID)
	require.NoError(t, err)
	require.Equal(t, db.JobLogState{Status: ci.StatusRunning, TaskID: task.ID, RowCount: 3, IsSealed: true}, s)

	view, err := f.Job(ctx, f.repo.ID, j.ID)
	require.NoError(t, err)
	require.Equal(t, "runner", view.Job.Task.Runner.Name)
	require.Len(t, view.Job.Task.Steps, 2)
	_, err = f.Job(ctx, f.repo.ID+1, j.ID)
	require.ErrorIs(t, err, db.ErrNotFound)

	tasks, n, err := f.Tasks(ctx, f.repo.ID, db.Page{Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, task.ID, tasks[0].ID)
	require.Equal(t, run.Title, tasks[0].Title)
	require.Equal(t, "a", tasks[0].JobName)
	require.Equal(t, db.TaskRunning, tasks[0].Status)
	require.False(t, tasks[0].RunStartedAt.IsZero())
	tasks, n, err = f.Tasks(ctx, f.repo.ID, db.Page{Offset: 5, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Empty(t, tasks)
}
