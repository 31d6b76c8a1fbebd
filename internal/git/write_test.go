package git

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func change(parent string, files map[string][]byte) Change {
	return Change{
		Branch: "main", Parent: parent, Files: files, Message: "A change\n\nwith a text",
		Author: Signature{Name: "Ann <x>", Email: "ann@example.com", When: time.Unix(1_700_000_000, 0).UTC()},
	}
}

func TestCommitFiles(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	require.NoError(t, s.Create(ctx, testID, "main"))
	first, err := s.CommitFiles(ctx, testID, change("", map[string][]byte{"README.md": []byte("# x\n"), ".gitea/workflows/ci.yml": []byte("on: push\n")}))
	require.NoError(t, err)
	require.Equal(t, RefUpdate{Ref: "refs/heads/main", Old: ZeroSHA, New: first.New}, first)
	commit, err := s.Commit(ctx, testID, first.New)
	require.NoError(t, err)
	require.Equal(t, "A change", commit.Title())
	require.Equal(t, "ann@example.com", commit.Author.Email)
	require.EqualValues(t, 1_700_000_000, commit.Committer.When.Unix())
	set, err := s.WorkflowFiles(ctx, testID, first.New, nil)
	require.NoError(t, err)
	require.Len(t, set.Files, 1)

	second, err := s.CommitFiles(ctx, testID, change(first.New, map[string][]byte{"README.md": nil, "a/b": {}}))
	require.NoError(t, err)
	require.Equal(t, first.New, second.Old)
	_, err = s.ReadFile(ctx, testID, second.New, "README.md", 0)
	require.ErrorIs(t, err, ErrNotFound)
	empty, err := s.ReadFile(ctx, testID, second.New, "a/b", 0)
	require.NoError(t, err)
	require.Empty(t, empty)
	require.Empty(t, entries(t, s.layout.tmp()), "nothing is left behind")
}

func TestCommitFilesRefuses(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	require.NoError(t, s.Create(ctx, testID, "main"))
	first, err := s.CommitFiles(ctx, testID, change("", map[string][]byte{"dir/file": []byte("x")}))
	require.NoError(t, err)
	for _, path := range []string{"dir", "dir/file/below", ".git/config", "../x", "/etc/passwd", "", "a//b", "a\x00b"} {
		_, err := s.CommitFiles(ctx, testID, change(first.New, map[string][]byte{path: []byte("x")}))
		require.ErrorIs(t, err, ErrInvalid, path)
	}
	_, err = s.CommitFiles(ctx, testID, change("", map[string][]byte{"x": []byte("x")}))
	require.ErrorIs(t, err, ErrMoved, "the branch is there already")
	refs, err := s.Refs(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"refs/heads/main": first.New}, refs)
	_, err = s.CommitFiles(ctx, 99, change("", nil))
	require.ErrorIs(t, err, ErrNotFound)
}

func TestEntries(t *testing.T) {
	s, ctx := newStore(t), t.Context()
	require.NoError(t, s.Create(ctx, testID, "main"))
	made, err := s.CommitFiles(ctx, testID, change("", map[string][]byte{"a/b": []byte("xyz"), "c": []byte("x"), "ü": {}}))
	require.NoError(t, err)
	root, err := s.Entries(ctx, testID, made.New, "")
	require.NoError(t, err)
	require.Len(t, root, 3)
	require.Equal(t, []any{"a", EntryDirectory, int64(0)}, []any{root[0].Path, root[0].Type, root[0].Size})
	require.Equal(t, []any{"c", EntryFile, int64(1)}, []any{root[1].Path, root[1].Type, root[1].Size})
	require.Equal(t, "ü", root[2].Path)
	below, err := s.Entries(ctx, testID, made.New, "a")
	require.NoError(t, err)
	require.Equal(t, "a/b", below[0].Path)

	file, err := s.Entry(ctx, testID, made.New, "a/b")
	require.NoError(t, err)
	require.Equal(t, Entry{Path: "a/b", Type: EntryFile, SHA: below[0].SHA, Size: 3}, file)
	dir, err := s.Entry(ctx, testID, made.New, "a")
	require.NoError(t, err)
	require.Equal(t, EntryDirectory, dir.Type)
	for _, path := range []string{"x", "a/b/c", "A"} {
		_, err = s.Entry(ctx, testID, made.New, path)
		require.ErrorIs(t, err, ErrNotFound, path)
		_, err = s.Entries(ctx, testID, made.New, path)
		require.ErrorIs(t, err, ErrNotFound, path)
	}
	_, err = s.Entries(ctx, testID, made.New, "c")
	require.ErrorIs(t, err, ErrNotFound, "a file is no directory")
	for _, path := range []string{"../x", "/x", "a\nb"} {
		_, err = s.Entry(ctx, testID, made.New, path)
		require.ErrorIs(t, err, ErrInvalid, path)
	}
	_, err = s.Entry(ctx, testID, "main", "c")
	require.ErrorIs(t, err, ErrInvalid)
	_, err = s.Entries(ctx, testID, "0123456789abcdef0123456789abcdef01234567", "")
	require.ErrorIs(t, err, ErrNotFound)
}
