package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func TestScopedSources(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	source := dbtest.Repository(t, f.DB, f.owner)
	everywhere := dbtest.Repository(t, f.DB, dbtest.Owner(t, f.DB))
	sources := func(repo *db.Repository) (ids []int64) {
		list, err := f.ScopedSourcesFor(ctx, repo)
		require.NoError(t, err)
		for _, r := range list {
			require.NotEmpty(t, r.FullName())
			ids = append(ids, r.ID)
		}
		return ids
	}
	require.Empty(t, sources(f.repo))
	require.NoError(t, f.SetScopedSource(ctx, f.owner.ID, source.ID, false))
	require.NoError(t, f.SetScopedSource(ctx, 0, source.ID, false))
	require.NoError(t, f.SetScopedSource(ctx, 0, everywhere.ID, false))
	require.Equal(t, []int64{source.ID, everywhere.ID}, sources(f.repo), "each once")
	require.Equal(t, []int64{source.ID, everywhere.ID}, sources(source), "a source is a consumer as well")
	require.NoError(t, f.DeleteScopedSource(ctx, 0, source.ID))
	require.ErrorIs(t, f.DeleteScopedSource(ctx, 0, source.ID), db.ErrNotFound)
	require.Equal(t, []int64{everywhere.ID}, sources(everywhere), "of another owner")

	for range 2 {
		require.NoError(t, f.SetScopedOptOut(ctx, f.repo.ID, source.ID, true))
	}
	require.Equal(t, []int64{everywhere.ID}, sources(f.repo))
	outs, err := f.ScopedOptOuts(ctx, f.repo.ID)
	require.NoError(t, err)
	require.Equal(t, map[int64]bool{source.ID: true}, outs)
	require.NoError(t, f.SetScopedSource(ctx, f.owner.ID, source.ID, true))
	require.Equal(t, []int64{source.ID, everywhere.ID}, sources(f.repo), "what is required runs all the same")
	require.NoError(t, f.SetScopedOptOut(ctx, f.repo.ID, source.ID, false))

	list, err := f.ScopedSources(ctx, f.owner.ID)
	require.NoError(t, err)
	require.Len(t, list, 1)
	require.Equal(t, []any{true, source.FullName()}, []any{list[0].Required, list[0].Repository.FullName()})
}
