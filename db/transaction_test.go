package db_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

// newFixtureThatHears has deadlocks told to hear.
func newFixtureThatHears(t *testing.T, hear func(error)) *fixture {
	t.Helper()
	d, err := db.Open(t.Context(), pgtest.New(t).URL, db.Options{OnDeadlock: hear})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	f := &fixture{DB: d}
	f.owner = dbtest.Owner(t, f.DB)
	f.repo = dbtest.Repository(t, f.DB, f.owner)
	return f
}

// survivor is a transaction that is never the victim of a deadlock.
type survivor struct{ pgx.Tx }

func (f *fixture) survivor(t *testing.T) survivor {
	t.Helper()
	tx, err := f.Pool.Begin(t.Context())
	require.NoError(t, err)
	s := survivor{tx}
	s.exec(t, `SET LOCAL deadlock_timeout = '1h'`)
	return s
}

func (s survivor) exec(t *testing.T, statement string, args ...any) {
	t.Helper()
	_, err := s.Exec(t.Context(), statement, args...)
	require.NoError(t, err)
}

func TestTheVictimOfADeadlockIsDoneAgain(t *testing.T) {
	var heard []error
	over := make(chan struct{})
	f := newFixtureThatHears(t, func(err error) { heard = append(heard, err); <-over })
	run, attempt := f.run(t, job("a"))
	tx := f.survivor(t)
	tx.exec(t, `SELECT 1 FROM attempts WHERE id = $1 FOR UPDATE`, attempt.ID)
	var group errgroup.Group
	group.Go(func() error { return f.PauseRun(t.Context(), run.ID, 1, f.owner.ID) })
	f.awaitLockWait(t) // it has locked the repository

	tx.exec(t, `SELECT 1 FROM repositories WHERE id = $1 FOR UPDATE`, f.repo.ID)
	require.NoError(t, tx.Commit(t.Context()))
	close(over)
	require.NoError(t, group.Wait())
	f.reload(t, attempt)
	require.False(t, attempt.PausedAt.IsZero())
	require.Len(t, heard, 1)
	require.ErrorContains(t, heard[0], "deadlock detected")
}

// What a report has read in its first try, it has not been told by the runner.
func TestAReportThatIsDoneAgainReadsTheStepsAgain(t *testing.T) {
	deadlocks, over := 0, make(chan struct{})
	f := newFixtureThatHears(t, func(error) { deadlocks++; <-over })
	j := job("a")
	f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t)) // its step 1 runs
	most := 5
	require.NoError(t, f.SetJobLimit(t.Context(), db.LimitRepository, f.repo.ID, &most))
	tx := f.survivor(t)
	tx.exec(t, `SELECT 1 FROM job_limits WHERE kind = 'repo' AND id = $1 FOR UPDATE`, f.repo.ID)
	var group errgroup.Group
	group.Go(func() error {
		_, err := f.ReportTask(t.Context(), db.Report{TaskID: task.ID, Final: db.TaskSuccess, Steps: []db.Step{{Index: 0, Status: ci.StatusSuccess}}})
		return err
	})
	f.awaitLockWait(t) // it has locked the task and read its steps

	tx.exec(t, `UPDATE tasks SET steps = jsonb_set(steps, '{1,status}', '"failure"') WHERE id = $1`, task.ID)
	require.NoError(t, tx.Commit(t.Context()))
	close(over)
	require.NoError(t, group.Wait())
	require.Equal(t, 1, deadlocks)
	f.reload(t, task)
	require.Equal(t, ci.StatusFailure, task.Steps[1].Status)
}
