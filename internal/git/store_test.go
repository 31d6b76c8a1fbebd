package git

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCreateAndRemove(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	require.False(t, s.Exists(testID))
	require.NoError(t, s.Create(ctx, testID, "trunk"))
	require.True(t, s.Exists(testID))
	require.ErrorIs(t, s.Create(ctx, testID, "main"), ErrExists)

	branch, err := s.DefaultBranch(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, "trunk", branch, "the second Create changed nothing")
	require.NoError(t, s.SetDefaultBranch(ctx, testID, "release/2"))
	branch, err = s.DefaultBranch(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, "release/2", branch)

	refs, err := s.Refs(ctx, testID)
	require.NoError(t, err)
	require.Empty(t, refs)

	require.NoError(t, s.Remove(ctx, testID))
	require.False(t, s.Exists(testID))
	require.NoError(t, s.Remove(ctx, testID), "removing twice is no error")
	require.Empty(t, entries(t, s.layout.tmp()), "nothing is left behind")
}

func TestCreateRefusesBadInput(t *testing.T) {
	s := newStore(t)
	require.ErrorIs(t, s.Create(t.Context(), 0, "main"), ErrInvalid)
	require.ErrorIs(t, s.Create(t.Context(), -5, "main"), ErrInvalid)
	require.ErrorIs(t, s.Create(t.Context(), 1, "--template=/etc"), ErrInvalid)
	require.ErrorIs(t, s.Create(t.Context(), 1, "a b"), ErrInvalid)
	require.False(t, s.Exists(1))
}

func TestConcurrentCreateHasOneWinner(t *testing.T) {
	s := newStore(t)
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() { results[i] = s.Create(t.Context(), testID, "main") })
	}
	wg.Wait()
	wins := 0
	for _, err := range results {
		if err == nil {
			wins++
			continue
		}
		require.ErrorIs(t, err, ErrExists)
	}
	require.Equal(t, 1, wins)
}

func TestMissingRepository(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	sha := "0123456789abcdef0123456789abcdef01234567"
	calls := map[string]func() error{
		"DefaultBranch":    func() error { _, err := s.DefaultBranch(ctx, 7); return err },
		"SetDefaultBranch": func() error { return s.SetDefaultBranch(ctx, 7, "main") },
		"Refs":             func() error { _, err := s.Refs(ctx, 7); return err },
		"ResolveRef":       func() error { _, err := s.ResolveRef(ctx, 7, "main"); return err },
		"ResolveRef sha":   func() error { _, err := s.ResolveRef(ctx, 7, sha); return err },
		"Commit":           func() error { _, err := s.Commit(ctx, 7, sha); return err },
		"WorkflowFiles":    func() error { _, err := s.WorkflowFiles(ctx, 7, sha, nil); return err },
		"ReadFile":         func() error { _, err := s.ReadFile(ctx, 7, sha, "a", 0); return err },
		"ChangedFiles":     func() error { _, _, err := s.ChangedFiles(ctx, 7, ZeroSHA, sha); return err },
		"PushCommits": func() error {
			_, _, err := s.PushCommits(ctx, 7, RefUpdate{ZeroSHA, sha, "refs/heads/x"}, 0)
			return err
		},
		"Mirror": func() error { return s.Mirror(ctx, 7, MirrorRequest{URL: "https://example.org/a/b.git"}) },
	}
	for name, call := range calls {
		var missing *NotFoundError
		err := call()
		require.ErrorIs(t, err, ErrNotFound, name)
		require.ErrorAs(t, err, &missing, name)
		require.Equal(t, "repository", missing.Kind, name)
	}
}

func TestTwoStoresShareOneRoot(t *testing.T) {
	a := newRepository(t)
	b := newStore(t, func(o *Options) { o.Root = a.options.Root })
	c := newClient(t)
	sha := c.commit("one", nil)
	c.seed(a, testID)
	resolved, err := b.ResolveRef(t.Context(), testID, "main")
	require.NoError(t, err)
	require.Equal(t, sha, resolved.Commit)
}

// The account and the environment of the server must not reach git.
func TestEnvironmentIsScrubbed(t *testing.T) {
	t.Setenv("GIT_DIR", "/nonexistent")
	t.Setenv("GIT_CONFIG_COUNT", "1")
	t.Setenv("GIT_CONFIG_KEY_0", "core.bare")
	t.Setenv("GIT_CONFIG_VALUE_0", "nonsense")
	t.Setenv("HOME", "/nonexistent")
	s := newRepository(t)
	_, err := s.Refs(t.Context(), testID)
	require.NoError(t, err)
}

func TestCommandTimeLimit(t *testing.T) {
	s := newRepository(t)
	s.options.CommandTimeout = time.Nanosecond
	_, err := s.Refs(t.Context(), testID)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestCancelledContext(t *testing.T) {
	s := newRepository(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Refs(ctx, testID)
	require.ErrorIs(t, err, context.Canceled)
}

func TestOpenSweepsOldLeftovers(t *testing.T) {
	s := newRepository(t)
	old := filepath.Join(s.layout.tmp(), "create-old")
	young := filepath.Join(s.layout.tmp(), "create-young")
	require.NoError(t, os.MkdirAll(filepath.Join(old, "bare.git"), 0o700))
	require.NoError(t, os.MkdirAll(young, 0o700))
	past := time.Now().Add(-25 * time.Hour)
	require.NoError(t, os.Chtimes(old, past, past))
	newStore(t, func(o *Options) { o.Root = s.options.Root })
	require.NoDirExists(t, old)
	require.DirExists(t, young)
}

func TestUpkeepRemovesStaleLocks(t *testing.T) {
	s := newRepository(t)
	dir := s.layout.repository(testID)
	stale, fresh := filepath.Join(dir, "refs", "heads", "main.lock"), filepath.Join(dir, "packed-refs.lock")
	for _, path := range []string{stale, fresh} {
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, nil, 0o600))
	}
	past := time.Now().Add(-4 * time.Hour)
	require.NoError(t, os.Chtimes(stale, past, past))
	s.upkeep.maintain(t.Context(), testID)
	require.NoFileExists(t, stale)
	require.FileExists(t, fresh)
}

func TestOpenRefusesBadOptions(t *testing.T) {
	_, err := Open(t.Context(), Options{})
	require.ErrorIs(t, err, ErrInvalid)
	_, err = Open(t.Context(), Options{Root: t.TempDir(), Git: "no-such-git"})
	require.ErrorContains(t, err, "find git")
}

func TestCommandErrorTellsWhy(t *testing.T) {
	s := newRepository(t)
	_, err := s.git(t.Context(), testID, "rev-list", "--no-such-option")
	var failed *CommandError
	require.True(t, errors.As(err, &failed))
	require.Equal(t, "rev-list", failed.Op)
	require.NotZero(t, failed.ExitCode)
	require.NotEmpty(t, failed.Stderr)
}

func entries(t *testing.T, dir string) (names []string) {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	for _, entry := range list {
		names = append(names, entry.Name())
	}
	return names
}
