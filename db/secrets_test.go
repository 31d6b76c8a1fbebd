package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

// Every change that a job of the repository would see gives the next claim another version, and no other change does.
func TestAClaimTellsTheVersionOfItsSecrets(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	a := job("a")
	_, _ = f.run(t, a)
	runner := f.runner(t)
	f.offer(t, a)
	got, err := f.Claim(ctx, db.Claim{RunnerID: runner.ID, LabelSets: []int64{a.LabelSetID}, TokenHash: []byte("one")})
	require.NoError(t, err)
	require.Equal(t, f.owner.ID, got.Task.OwnerID)
	version := func() int64 {
		facts, err := f.TaskFacts(ctx, got.Task.TaskID)
		require.NoError(t, err)
		require.Equal(t, got.Task.RunID, facts.Origin.RunID)
		return facts.Origin.SecretsVersion
	}
	require.Equal(t, got.Task.SecretsVersion, version())

	put := func(s db.Scope) error {
		_, err := f.PutSecret(ctx, &db.Secret{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: "N", Sealed: []byte{1, 2}})
		return err
	}
	other := dbtest.Repository(t, f.DB, dbtest.Owner(t, f.DB))
	seen := map[int64]bool{version(): true}
	changed := func(what string) {
		t.Helper()
		require.False(t, seen[version()], what)
		seen[version()] = true
	}
	require.NoError(t, put(db.Scope{OwnerID: f.owner.ID}))
	changed("a secret of the owner")
	require.NoError(t, put(db.Scope{RepoID: f.repo.ID}))
	changed("a secret of the repository")
	require.NoError(t, put(db.Scope{RepoID: f.repo.ID}))
	changed("the same secret again")
	require.NoError(t, f.CreateVariable(ctx, &db.Variable{Name: "V", Value: "x"}))
	changed("a variable of the installation")
	require.NoError(t, f.DeleteSecret(ctx, db.Scope{RepoID: f.repo.ID}, "N"))
	changed("a deletion")
	rows, err := f.RowsToSeal(ctx, db.SealedSecrets, []byte{9}, 0, 10)
	require.NoError(t, err)
	require.Len(t, rows, 1)
	done, err := f.Reseal(ctx, db.SealedSecrets, rows, []db.FreshSeal{{Sealed: []byte{9, 1}}})
	require.NoError(t, err)
	require.Equal(t, 1, done)
	changed("a secret that was sealed again")
	done, err = f.Reseal(ctx, db.SealedSecrets, rows, []db.FreshSeal{{Sealed: []byte{9, 2}}})
	require.NoError(t, err)
	require.Zero(t, done, "somebody was faster")

	before := version()
	require.NoError(t, put(db.Scope{RepoID: other.ID}))
	require.ErrorIs(t, put(db.Scope{RepoID: 1 << 40}), db.ErrNotFound)
	require.ErrorIs(t, put(db.Scope{OwnerID: 1 << 40}), db.ErrNotFound)
	require.ErrorIs(t, f.DeleteVariable(ctx, db.Scope{}, "W"), db.ErrNotFound)
	require.Equal(t, before, version())
}

// A token that was hashed with an older key is found, and is kept under the present one from then on.
func TestTokensAreHashedAnewWhenTheyAreUsed(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	require.NoError(t, f.CreateAccessToken(ctx, &db.AccessToken{UserID: f.owner.ID, Name: "t", TokenHash: []byte("old"), Scopes: []string{"all"}}))
	_, _, err := f.TokenOwner(ctx, []byte("new"))
	require.ErrorIs(t, err, db.ErrNotFound)
	got, _, err := f.TokenOwner(ctx, []byte("new"), []byte("old"))
	require.NoError(t, err)
	require.Equal(t, "t", got.Name)
	_, _, err = f.TokenOwner(ctx, []byte("new"))
	require.NoError(t, err)
	_, _, err = f.TokenOwner(ctx, []byte("old"))
	require.ErrorIs(t, err, db.ErrNotFound)
}
