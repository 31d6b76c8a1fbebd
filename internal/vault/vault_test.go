package vault_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/internal/vault"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

var (
	oldKey = []byte("the old key of the installation")
	newKey = []byte("the new key of the installation")
)

func open(t *testing.T, d *db.DB, key []byte, older ...[]byte) *vault.Vault {
	t.Helper()
	keys, err := secretbox.New(key, older...)
	require.NoError(t, err)
	tokens, err := token.NewHasher(key, older...)
	require.NoError(t, err)
	return &vault.Vault{DB: d, Keys: keys, Tokens: tokens}
}

func requireFault(t *testing.T, err error, status int, text string) {
	t.Helper()
	require.Error(t, err)
	require.Equal(t, status, fault.From(err).Code.HTTPStatus(), err)
	require.Contains(t, fault.From(err).Text(), text)
}

func TestCheckName(t *testing.T) {
	for name, want := range map[string]string{
		"token": "TOKEN", "_a1": "_A1", "GITHUB": "GITHUB", "CI_X": "CI_X", "x": "X", strings.Repeat("a", 255): strings.Repeat("A", 255),
	} {
		got, err := vault.CheckName(name)
		require.NoError(t, err, name)
		require.Equal(t, want, got)
	}
	for _, name := range []string{
		"", "1a", "a-b", "a.b", "a b", "gitea_x", "GitHub_token", "ci", "CI", "ä", "ſ", "a\n", "a\x00", "../x", strings.Repeat("a", 256),
	} {
		_, err := vault.CheckName(name)
		requireFault(t, err, http.StatusBadRequest, "invalid variable or secret name")
	}
}

// settings opens what jobs of a repository get.
func settings(t *testing.T, v *vault.Vault, owner, repo int64) (map[string]string, map[string]string) {
	t.Helper()
	got, err := v.DB.JobSettings(t.Context(), owner, repo)
	require.NoError(t, err)
	secrets := map[string]string{}
	for _, s := range got.Secrets {
		secrets[s.Name], err = vault.Open(v.Keys, s)
		require.NoError(t, err)
	}
	vars, err := v.DB.Vars(t.Context(), owner, repo)
	require.NoError(t, err)
	require.Equal(t, vars, got.Vars, "expressions and jobs see the same")
	return secrets, got.Vars
}

func TestTheNearerScopeWins(t *testing.T) {
	d := dbtest.Open(t)
	v, ctx := open(t, d, newKey), t.Context()
	owner := dbtest.Owner(t, d)
	repo, other := dbtest.Repository(t, d, owner), dbtest.Repository(t, d, owner)
	scopes := []db.Scope{{}, {OwnerID: owner.ID}, {RepoID: repo.ID}, {RepoID: other.ID}}
	for i, s := range scopes {
		require.NoError(t, v.CreateVariable(ctx, &db.Variable{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: "all", Value: fmt.Sprint(i)}))
		require.NoError(t, v.CreateVariable(ctx, &db.Variable{OwnerID: s.OwnerID, RepoID: s.RepoID, Name: fmt.Sprintf("only_%d", i), Value: "x"}))
		if s == (db.Scope{}) {
			continue
		}
		for _, name := range []string{"all", fmt.Sprintf("only_%d", i)} {
			created, err := v.PutSecret(ctx, s, name, fmt.Sprintf("%s of %d", name, i), "")
			require.NoError(t, err)
			require.True(t, created)
		}
	}
	secrets, vars := settings(t, v, owner.ID, repo.ID)
	require.Equal(t, map[string]string{"ALL": "all of 2", "ONLY_1": "only_1 of 1", "ONLY_2": "only_2 of 2"}, secrets)
	require.Equal(t, map[string]string{"ALL": "2", "ONLY_0": "x", "ONLY_1": "x", "ONLY_2": "x"}, vars)

	require.NoError(t, v.DeleteVariable(ctx, scopes[2], "All"))
	require.NoError(t, v.DeleteSecret(ctx, scopes[2], "All"))
	secrets, vars = settings(t, v, owner.ID, repo.ID)
	require.Equal(t, "all of 1", secrets["ALL"])
	require.Equal(t, "1", vars["ALL"])

	require.NoError(t, v.UpdateVariable(ctx, "all", &db.Variable{OwnerID: owner.ID, Name: "any", Value: "new", Description: "d"}))
	_, vars = settings(t, v, owner.ID, repo.ID)
	require.Equal(t, map[string]string{"ALL": "0", "ANY": "new", "ONLY_0": "x", "ONLY_1": "x", "ONLY_2": "x"}, vars)
	requireFault(t, v.UpdateVariable(ctx, "any", &db.Variable{OwnerID: owner.ID, Name: "only_1", Value: "v"}), 409, "variable name ONLY_1 already exists")

	_, err := d.NewDelete().Model(repo).WherePK().Exec(ctx)
	require.NoError(t, err)
	n, err := d.NewSelect().Model((*db.Secret)(nil)).Where("repo_id = ?", repo.ID).Count(ctx)
	require.NoError(t, err)
	require.Zero(t, n, "secrets do not outlive their repository")
	_, err = v.PutSecret(ctx, scopes[2], "late", "x", "")
	requireFault(t, err, 404, "")
}

func TestLimits(t *testing.T) {
	d := dbtest.Open(t)
	v, ctx := open(t, d, newKey), t.Context()
	s := db.Scope{OwnerID: dbtest.Owner(t, d).ID}
	put := func(name, value string) error {
		_, err := v.PutSecret(ctx, s, name, value, strings.Repeat("ä", 5000))
		return err
	}
	requireFault(t, put("a", ""), 422, "[Data]: Required")
	requireFault(t, put("a", strings.Repeat("x", 65_537)), 400, "data too long")
	requireFault(t, put("a", "\xff"), 400, "not valid")
	require.NoError(t, put("a", strings.Repeat("x", 65_536)))
	list, n, err := d.Secrets(ctx, s, db.Page{Limit: 5})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Nil(t, list[0].Sealed)
	require.Len(t, []rune(list[0].Description), 4096)
	for i := range 14 {
		require.NoError(t, put(fmt.Sprintf("b%d", i), strings.Repeat("x", 65_536)))
	}
	requireFault(t, put("c", strings.Repeat("x", 65_536)), 400, "there may be 500 secrets here, of 1048576 bytes in all")
	requireFault(t, v.CreateVariable(ctx, &db.Variable{OwnerID: s.OwnerID, Name: "a", Value: strings.Repeat("ä", 65_537)}), 400, "data too long")
	require.NoError(t, v.CreateVariable(ctx, &db.Variable{OwnerID: s.OwnerID, Name: "a", Value: strings.Repeat("ä", 65_536)}))
	requireFault(t, v.CreateVariable(ctx, &db.Variable{OwnerID: s.OwnerID, Name: "A", Value: "x"}), 409, "variable name A already exists")
	requireFault(t, v.DeleteVariable(ctx, s, "b"), 404, "variable not found")
	requireFault(t, v.DeleteSecret(ctx, s, "gone"), 404, "secret was not found [name: GONE]")
}

// Many writers of one scope never exceed its limit, and none of them hangs.
func TestTheLimitHoldsWithManyAtOnce(t *testing.T) {
	d := dbtest.Open(t)
	v := open(t, d, newKey)
	s := db.Scope{OwnerID: dbtest.Owner(t, d).ID}
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			for i := range 3 {
				_, _ = v.PutSecret(context.Background(), s, fmt.Sprintf("s_%d_%d", w, i), strings.Repeat("x", 65_536), "")
			}
		})
	}
	wg.Wait()
	_, n, err := d.Secrets(t.Context(), s, db.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 15, n)
}

func TestRotation(t *testing.T) {
	d := dbtest.Open(t)
	ctx := t.Context()
	owner := dbtest.Owner(t, d)
	repo := dbtest.Repository(t, d, owner)
	before, after := open(t, d, oldKey), open(t, d, newKey, oldKey)
	want := map[string]string{}
	for i := range 450 { // three batches
		name := fmt.Sprintf("S%d", i)
		_, err := before.PutSecret(ctx, db.Scope{RepoID: repo.ID}, name, "value of "+name, "")
		require.NoError(t, err)
		want[name] = "value of " + name
	}
	active, err := before.RegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	_, err = d.Exec(`UPDATE secrets SET sealed = 'damaged' WHERE name = 'S7'`)
	require.NoError(t, err)
	delete(want, "S7")

	var done []vault.Rotated
	var failures []error
	rotate := func() {
		done, failures = nil, nil
		require.NoError(t, after.Rotate(ctx, func(r vault.Rotated) { done = append(done, r) }, func(err error) { failures = append(failures, err) }))
	}
	rotate()
	require.Equal(t, []vault.Rotated{{Table: "secrets", Sealed: 449, Failed: 1}, {Table: "registration_tokens", Sealed: 1}}, done)
	require.Len(t, failures, 1)
	rotate()
	require.Zero(t, done[0].Sealed+done[1].Sealed, "a second time nothing is left")

	_, err = d.Exec(`DELETE FROM secrets WHERE name = 'S7'`)
	require.NoError(t, err)
	alone := open(t, d, newKey)
	got, _ := settings(t, alone, owner.ID, repo.ID)
	require.Equal(t, want, got, "the old key is not needed any more")
	again, err := alone.RegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	require.Equal(t, active, again)
	found, err := d.RegistrationToken(ctx, alone.Tokens.Hashes(active)...)
	require.NoError(t, err)
	require.True(t, found.IsActive, "it is recognised too")
	fresh, err := before.RegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	require.NotEqual(t, active, fresh, "who has another key makes another")
	_, err = d.RegistrationToken(ctx, before.Tokens.Hash(fresh))
	require.NoError(t, err)
}

func TestRegistrationTokens(t *testing.T) {
	d := dbtest.Open(t)
	v, ctx := open(t, d, newKey), t.Context()
	first, err := v.RegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	again, err := v.RegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	require.Equal(t, first, again)
	other, err := v.ResetRegistrationToken(ctx, db.Scope{})
	require.NoError(t, err)
	require.NotEqual(t, first, other)
	found, err := d.RegistrationToken(ctx, v.Tokens.Hashes(first)...)
	require.NoError(t, err)
	require.False(t, found.IsActive)
	var stored string
	require.NoError(t, d.NewRaw(`SELECT string_agg(t::text, ' ') FROM registration_tokens t`).Scan(ctx, &stored))
	require.NotContains(t, stored, first)
	require.NotContains(t, stored, other)

	// A row of the version before.
	plain := token.New()
	_, err = d.NewRaw(`INSERT INTO registration_tokens (token_hash, token, repo_id) VALUES (?, ?, 7)`, v.Tokens.Hash(plain), plain).Exec(ctx)
	require.NoError(t, err)
	for range 2 {
		got, err := v.RegistrationToken(ctx, db.Scope{RepoID: 7})
		require.NoError(t, err)
		require.Equal(t, plain, got)
		require.NoError(t, v.SealOld(ctx))
	}
	require.NoError(t, d.NewRaw(`SELECT string_agg(t::text, ' ') FROM registration_tokens t`).Scan(ctx, &stored))
	require.NotContains(t, stored, plain)
}
