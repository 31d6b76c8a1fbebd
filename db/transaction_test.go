package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
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

func TestTheVictimOfADeadlockIsDoneAgain(t *testing.T) {
	var heard []error
	f := newFixtureThatHears(t, func(err error) { heard = append(heard, err) })
	run, attempt := f.run(t, job("a"))
	tx, err := f.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SET LOCAL deadlock_timeout = '1h'`) // this one is never the victim
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `SELECT 1 FROM attempts WHERE id = $1 FOR UPDATE`, attempt.ID)
	require.NoError(t, err)
	var group errgroup.Group
	group.Go(func() error { return f.PauseRun(t.Context(), run.ID, 1, f.owner.ID) })
	f.awaitLockWait(t) // it has locked the repository

	_, err = tx.Exec(t.Context(), `SELECT 1 FROM repositories WHERE id = $1 FOR UPDATE`, f.repo.ID)
	require.NoError(t, err)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, group.Wait())
	f.reload(t, attempt)
	require.False(t, attempt.PausedAt.IsZero())
	require.Len(t, heard, 1)
	require.ErrorContains(t, heard[0], "deadlock detected")
}
