package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// What a job has not got is nil, and not a row of zeros.
func TestAbsentPartsOfJobs(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b")
	f.run(t, a, b)
	runner := f.runner(t)
	f.offer(t, a)
	f.claim(t, a, runner)
	view := func(id int64) *db.JobView {
		t.Helper()
		v, err := f.Job(t.Context(), f.repo.ID, id)
		require.NoError(t, err)
		require.NotZero(t, v.Run.RunNumber)
		return v
	}
	require.Nil(t, view(b.ID).Job.Task)
	task := view(a.ID).Job.Task
	require.NotZero(t, task.ClaimedAt)
	require.Zero(t, task.StoppedAt)
	require.Equal(t, runner.Name, task.Runner.Name)
	f.exec(t, "UPDATE tasks SET runner_id = -1 WHERE id = ?", task.ID)
	require.Nil(t, view(a.ID).Job.Task.Runner)
}
