package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

func TestWithLockLetsOneIn(t *testing.T) {
	f := newFixture(t)
	calls := 0
	count := func(context.Context) error { calls++; return nil }
	require.NoError(t, f.WithLock(t.Context(), 1, func(ctx context.Context) error {
		calls++
		if err := f.WithLock(ctx, 2, count); err != nil {
			return err
		}
		return f.WithLock(ctx, 1, count)
	}))
	require.Equal(t, 2, calls, "the same key once, another one too")
	require.NoError(t, f.WithLock(t.Context(), 1, count))
	require.Equal(t, 3, calls)
}

func TestALockThatBrokeIsNoSecret(t *testing.T) {
	f := newFixture(t)
	err := f.WithLock(t.Context(), 1, func(ctx context.Context) error {
		_, err := f.NewRaw(`SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = 1
			AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`).Exec(ctx)
		return err
	})
	require.Error(t, err, "somebody else may have been in as well")
	// Postgres tells the client of the end before it lets go of the lock.
	require.Eventually(t, func() bool {
		called := false
		err := f.WithLock(t.Context(), 1, func(context.Context) error { called = true; return nil })
		return err == nil && called
	}, 10*time.Second, 5*time.Millisecond)
}

func TestOpenRefusesTooFewConnections(t *testing.T) {
	for conns, ok := range map[int32]bool{-1: false, 1: false, db.MinConns - 1: false, db.MinConns: true, 0: true} {
		d, err := db.Open(t.Context(), pgtest.New(t).URL, db.Options{MaxConns: conns})
		require.Equal(t, ok, err == nil, "%d: %v", conns, err)
		if err == nil {
			require.NoError(t, d.Close())
		}
	}
}
