package accounts_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

func TestCheckLogin(t *testing.T) {
	for _, name := range []string{"a", "Anna", "a-b", "a_b.c", "0", strings.Repeat("a", 40)} {
		require.NoError(t, accounts.CheckLogin(name), name)
	}
	for _, name := range []string{
		"", "-a", "a-", "a--b", "a._b", ".", "..", "a b", "a/b", "ä", "a\x00", "api", "API", "user", "gitea-actions", "Ghost", "livez",
		"a.git", "a.keys", strings.Repeat("a", 41), "a\n",
	} {
		require.True(t, fault.Has(accounts.CheckLogin(name), fault.CodeUnprocessable), "%q", name)
	}
}

func TestCheckRepoName(t *testing.T) {
	for _, name := range []string{"a", "-a", "_.", "a--b", "A.1_2-3", strings.Repeat("a", 100)} {
		require.NoError(t, accounts.CheckRepoName(name), name)
	}
	for _, name := range []string{"", ".", "..", "-", "a.git", "a.WIKI", "a/b", "a b", "ä", strings.Repeat("a", 101), "a\n"} {
		require.True(t, fault.Has(accounts.CheckRepoName(name), fault.CodeUnprocessable), "%q", name)
	}
}

// A name that passes needs no escaping in an address, and is never a way out of a path.
func TestAcceptedNamesAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		if accounts.CheckLogin(name) == nil || accounts.CheckRepoName(name) == nil {
			require.NotContains(t, []string{".", ".."}, name)
			require.Empty(t, strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."))
		}
	})
}

func TestCheckEmail(t *testing.T) {
	require.NoError(t, accounts.CheckEmail("a.b+c@example.com"))
	for _, email := range []string{"", "a", "A <a@b.c>", "a@b.c, d@e.f", "a@b.c\x00", strings.Repeat("a", 250) + "@b.cd"} {
		require.Error(t, accounts.CheckEmail(email), email)
	}
}

func TestScopes(t *testing.T) {
	s, err := accounts.ParseScopes([]string{"write:repository", " read:user ", "read:user"})
	require.NoError(t, err)
	require.Equal(t, "read:user,write:repository", s.String())
	require.True(t, s.Allow(accounts.CategoryRepository, true))
	require.True(t, s.Allow(accounts.CategoryRepository, false), "write implies read")
	require.True(t, s.Allow(accounts.CategoryUser, false))
	require.False(t, s.Allow(accounts.CategoryUser, true))
	require.False(t, s.Allow(accounts.CategoryAdmin, false))
	require.True(t, accounts.Scopes{"all"}.Allow(accounts.CategoryAdmin, true))
	require.True(t, accounts.Scopes{"all", "public-only"}.PublicOnly())
	for _, words := range [][]string{nil, {""}, {"public-only"}, {"repo"}, {"delete:user"}, {"read:"}, {"read:all"}, {"all", "x"}, {strings.Repeat("x", 1000)}} {
		_, err := accounts.ParseScopes(words)
		require.True(t, fault.Has(err, fault.CodeBadRequest), words)
		require.Less(t, len(err.Error()), 200)
	}
}

// cheap makes hashes that cost nothing, for tests that are not about the cost.
func cheap() *accounts.Passwords {
	return accounts.NewPasswords(accounts.PasswordOptions{MemoryKiB: 8, Iterations: 1, Concurrent: 1, MaxWait: 20 * time.Millisecond})
}

func TestPasswords(t *testing.T) {
	p := cheap()
	hash, err := p.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(hash, "$argon2id$v=19$m=8,t=1,p=1$"), hash)
	again, err := p.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	require.NotEqual(t, hash, again, "salted")

	// Stored parameters count, not those of the process.
	other := accounts.NewPasswords(accounts.PasswordOptions{MemoryKiB: 16, Iterations: 2})
	for password, want := range map[string]bool{"correct horse": true, "wrong horse": false, "": false, strings.Repeat("x", 2000): false} {
		ok, err := other.Verify(t.Context(), password, hash)
		require.NoError(t, err)
		require.Equal(t, want, ok, password)
	}
	ok, err := p.Verify(t.Context(), "", "")
	require.NoError(t, err)
	require.False(t, ok, "no password matches none")
	for _, password := range []string{"", "short", strings.Repeat("x", 1025)} {
		_, err := p.Hash(t.Context(), password)
		require.True(t, fault.Has(err, fault.CodeUnprocessable), password)
	}
	for _, stored := range []string{"x", "$argon2id$v=19$m=8,t=1,p=1$###$###", "$argon2i$v=19$m=8,t=1,p=1$YQ$YQ", strings.Replace(hash, "m=8", "m=4294967295", 1), strings.Replace(hash, "p=1", "p=0", 1)} {
		_, err := p.Verify(t.Context(), "correct horse", stored)
		require.Error(t, err, stored)
	}
}

// Many checks at once wait for each other, and not for ever.
func TestPasswordsAreCheckedAFewAtATime(t *testing.T) {
	slow := accounts.NewPasswords(accounts.PasswordOptions{MemoryKiB: 64 << 10, Iterations: 20, Concurrent: 1, MaxWait: time.Millisecond})
	errs := make(chan error, 8)
	for range cap(errs) {
		go func() {
			_, err := slow.Verify(context.Background(), "correct horse", "")
			errs <- err
		}()
	}
	refused := 0
	for range cap(errs) {
		if err := <-errs; err != nil {
			require.True(t, fault.Has(err, fault.CodeTooManyRequests), err)
			refused++
		}
	}
	require.Positive(t, refused)
	require.Less(t, refused, cap(errs))

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for { // the select may still take a free slot
		if _, err := cheap().Verify(ctx, "x", ""); err != nil {
			require.ErrorIs(t, err, context.Canceled)
			return
		}
	}
}

func TestVerifierRemembers(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	p := cheap()
	v, err := accounts.NewVerifier(p, func() time.Time { return now })
	require.NoError(t, err)
	hash, err := p.Hash(t.Context(), "correct horse")
	require.NoError(t, err)
	verify := func(ctx context.Context, account int64, password, stored string) bool {
		ok, err := v.Verify(ctx, account, password, stored)
		return err == nil && ok
	}
	require.True(t, verify(t.Context(), 1, "correct horse", hash))

	p.Occupy() // nothing can be computed any more, so what is still right is remembered
	require.True(t, verify(t.Context(), 1, "correct horse", hash))
	require.False(t, verify(t.Context(), 2, "correct horse", hash))
	require.False(t, verify(t.Context(), 1, "wrong horse", hash))
	require.False(t, verify(t.Context(), 1, "correct horse", hash+"x"), "the password has changed")
	now = now.Add(time.Hour)
	require.False(t, verify(t.Context(), 1, "correct horse", hash), "forgotten")
}

func BenchmarkVerifyDefault(b *testing.B) {
	p := accounts.NewPasswords(accounts.PasswordOptions{})
	for b.Loop() {
		_, _ = p.Verify(b.Context(), "correct horse", "")
	}
}
