package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestDispatchKeys(t *testing.T) {
	f := newFixture(t)
	key := db.DispatchKey{RepoID: f.repo.ID, UserID: f.owner.ID, Key: "k", BodyHash: []byte("asked")}
	_, err := f.DispatchedRun(t.Context(), key)
	require.ErrorIs(t, err, db.ErrNotFound)

	first := newRun(f)
	require.NoError(t, f.PrepareRun(t.Context(), first))
	_, err = f.CreateRun(t.Context(), db.NewRun{Run: first, Key: &key})
	require.NoError(t, err)
	run, err := f.DispatchedRun(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, first.ID, run)

	second := newRun(f)
	require.NoError(t, f.PrepareRun(t.Context(), second))
	_, err = f.CreateRun(t.Context(), db.NewRun{Run: second, Key: &key})
	require.ErrorIs(t, err, db.ErrConflict)
	_, err = f.Run(t.Context(), f.repo.ID, second.ID, 0)
	require.ErrorIs(t, err, db.ErrNotFound, "nothing of it is stored")

	other := key
	other.BodyHash = []byte("asked otherwise")
	_, err = f.DispatchedRun(t.Context(), other)
	require.ErrorIs(t, err, db.ErrConflict)

	require.NoError(t, f.ForgetDispatchKeys(t.Context(), 10))
	_, err = f.DispatchedRun(t.Context(), key)
	require.NoError(t, err, "it is young")
	_, err = f.NewRaw(`UPDATE dispatch_keys SET created_at = now() - interval '25 hours'`).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.ForgetDispatchKeys(t.Context(), 10))
	left, err := f.NewSelect().Table("dispatch_keys").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)
}
