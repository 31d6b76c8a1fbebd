package git

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestChangedFiles(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	root := c.commit("root", map[string]string{"a": "1", "dir/b": "1", "ä\"\t.txt": "1"})
	edit := c.commit("edit", map[string]string{"a": "2", "new": "x"})
	c.git("mv", "dir/b", "moved")
	move := c.commit("move", nil)
	c.git("checkout", "-q", "-b", "side", edit)
	side := c.commit("side", map[string]string{"side": "1"})
	c.git("checkout", "-q", "main")
	c.git("merge", "-q", "-m", "merge", "side")
	merge := c.git("rev-parse", "HEAD")
	c.seed(s, testID)

	tests := []struct {
		name, before, after string
		want                []string
	}{
		{"range", root, edit, []string{"a", "new"}},
		{"backwards", edit, root, []string{"a", "new"}},
		{"move shows both names", edit, move, []string{"dir/b", "moved"}},
		{"whole range", root, merge, []string{"a", "dir/b", "moved", "new", "side"}},
		{"new ref: against the parent", ZeroSHA, move, []string{"dir/b", "moved"}},
		{"new ref: merge against its first parent", ZeroSHA, merge, []string{"side"}},
		{"new ref: root commit", ZeroSHA, root, []string{"a", "dir/b", "ä\"\t.txt"}},
		{"nothing", side, side, nil},
	}
	for _, test := range tests {
		got, truncated, err := s.ChangedFiles(t.Context(), testID, test.before, test.after)
		require.NoError(t, err, test.name)
		require.Equal(t, test.want, got, test.name)
		require.False(t, truncated, test.name)
	}

	gone := strings.Repeat("1", 40)
	_, _, err := s.ChangedFiles(t.Context(), testID, gone, edit)
	require.True(t, missing(err, gone), "%v", err)
	_, _, err = s.ChangedFiles(t.Context(), testID, edit, gone)
	require.True(t, missing(err, gone), "%v", err)
	_, _, err = s.ChangedFiles(t.Context(), testID, ZeroSHA, gone)
	require.ErrorIs(t, err, ErrNotFound)
	_, _, err = s.ChangedFiles(t.Context(), testID, edit, ZeroSHA)
	require.ErrorIs(t, err, ErrInvalid)
	_, _, err = s.ChangedFiles(t.Context(), testID, "--output=/tmp/x", edit)
	require.ErrorIs(t, err, ErrInvalid)
}

func TestChangedFilesIsBounded(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	first := c.commit("first", nil)
	files := map[string]string{}
	for i := range maxChangedFiles + 1 {
		files[fmt.Sprintf("%d/%05d", i%50, i)] = "x"
	}
	second := c.commit("many", files)
	c.seed(s, testID)
	got, truncated, err := s.ChangedFiles(t.Context(), testID, first, second)
	require.NoError(t, err)
	require.True(t, truncated)
	require.Len(t, got, maxChangedFiles)
}

func TestMergeBase(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	base := c.commit("base", nil)
	a := c.commit("a", nil)
	c.git("checkout", "-q", "-b", "side", base)
	b := c.commit("b", map[string]string{"b": "1"})
	c.git("checkout", "-q", "--orphan", "island")
	island := c.commit("island", nil)
	c.seed(s, testID)

	got, err := s.MergeBase(t.Context(), testID, a, b)
	require.NoError(t, err)
	require.Equal(t, base, got)
	_, err = s.MergeBase(t.Context(), testID, a, island)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.MergeBase(t.Context(), testID, a, strings.Repeat("1", 40))
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.MergeBase(t.Context(), testID, "--all", a)
	require.ErrorIs(t, err, ErrInvalid)
}

func titles(commits []PushCommit) (titles []string) {
	for _, c := range commits {
		titles = append(titles, c.Title())
	}
	return titles
}

func TestPushCommits(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	root := c.commit("root", map[string]string{"a": "1", "b": "1"})
	two := c.commit("two", map[string]string{"a": "2", "ä": "1"})
	c.git("checkout", "-q", "-b", "side")
	side := c.commit("side", map[string]string{"side": "1"})
	c.git("checkout", "-q", "main")
	c.git("rm", "-q", "b")
	three := c.commit("three", nil)
	c.git("merge", "-q", "-m", "merge", "side")
	merge := c.git("rev-parse", "HEAD")
	c.git("branch", "topic", side)
	c.seed(s, testID)
	ctx := t.Context()

	got, total, err := s.PushCommits(ctx, testID, RefUpdate{root, merge, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Equal(t, "merge", got[0].Title())
	require.ElementsMatch(t, []string{"merge", "side", "three", "two"}, titles(got))
	byTitle := map[string]PushCommit{}
	for _, commit := range got {
		byTitle[commit.Title()] = commit
	}
	require.Equal(t, []string{"side"}, byTitle["merge"].Added, "a merge is shown against its first parent")
	require.Equal(t, []string{"ä"}, byTitle["two"].Added)
	require.Equal(t, []string{"a"}, byTitle["two"].Modified)
	require.Equal(t, []string{"b"}, byTitle["three"].Removed)
	require.Equal(t, three, byTitle["three"].SHA)

	got, total, err = s.PushCommits(ctx, testID, RefUpdate{root, merge, "refs/heads/main"}, 2)
	require.NoError(t, err)
	require.Equal(t, 4, total)
	require.Len(t, got, 2)

	got, total, err = s.PushCommits(ctx, testID, RefUpdate{ZeroSHA, two, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Equal(t, 2, total)
	require.Equal(t, []string{"two", "root"}, titles(got), "the first push brings everything")
	require.Equal(t, []string{"a", "b"}, got[1].Added)

	_, total, err = s.PushCommits(ctx, testID, RefUpdate{ZeroSHA, side, "refs/heads/topic"}, 0)
	require.NoError(t, err)
	require.Zero(t, total, "the default branch has it all")

	_, total, err = s.PushCommits(ctx, testID, RefUpdate{root, ZeroSHA, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Zero(t, total)

	gone := strings.Repeat("1", 40)
	got, total, err = s.PushCommits(ctx, testID, RefUpdate{gone, two, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	require.Equal(t, []string{"two"}, titles(got), "the old side is gone")

	_, _, err = s.PushCommits(ctx, testID, RefUpdate{root, gone, "refs/heads/main"}, 0)
	require.True(t, missing(err, gone), "%v", err)
}

func TestPushCommitsWithoutDefaultBranch(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	require.NoError(t, s.SetDefaultBranch(t.Context(), testID, "unborn"))
	sha := c.commit("one", map[string]string{"a": "1"})
	c.seed(s, testID)
	got, total, err := s.PushCommits(t.Context(), testID, RefUpdate{ZeroSHA, sha, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Equal(t, 1, total)
	require.Equal(t, []string{"a"}, got[0].Added)
}

func TestPushCommitsBoundsNames(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	files := map[string]string{}
	for i := range maxNamesPerList + 10 {
		files[fmt.Sprintf("%05d", i)] = "x"
	}
	sha := c.commit("many", files)
	c.seed(s, testID)
	got, _, err := s.PushCommits(t.Context(), testID, RefUpdate{ZeroSHA, sha, "refs/heads/main"}, 0)
	require.NoError(t, err)
	require.Len(t, got[0].Added, maxNamesPerList)
}
