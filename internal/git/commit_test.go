package git

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCommit(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	first := c.commit("first", map[string]string{"a": "1"})
	second := c.commit("Add ☃\n\nbody [skip ci]", map[string]string{"a": "2"})
	c.git("tag", "-a", "-m", "x", "v1")
	c.seed(s, testID)

	got, err := s.Commit(t.Context(), testID, second)
	require.NoError(t, err)
	require.Equal(t, second, got.SHA)
	require.Equal(t, []string{first}, got.Parents)
	require.Equal(t, c.git("rev-parse", "HEAD^{tree}"), got.Tree)
	require.Equal(t, "Add ☃\n\nbody [skip ci]\n", got.Message)
	require.Equal(t, "Add ☃", got.Title())
	require.Equal(t, "Ada", got.Author.Name)
	require.Equal(t, "ada@example.org", got.Author.Email)
	require.Equal(t, "2023-11-15T00:13:20+02:00", got.Author.When.Format(time.RFC3339))
	require.Equal(t, "Grace", got.Committer.Name)
	require.Equal(t, "2023-11-14T20:45:00-01:30", got.Committer.When.Format(time.RFC3339))

	peeled, err := s.Commit(t.Context(), testID, c.git("rev-parse", "v1"))
	require.NoError(t, err)
	require.Equal(t, second, peeled.SHA)

	_, err = s.Commit(t.Context(), testID, strings.Repeat("1", 40))
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Commit(t.Context(), testID, got.Tree)
	require.ErrorIs(t, err, ErrNotFound)
	for _, bad := range []string{"", "main", "--all", second[:10], ZeroSHA, second + "\n"} {
		_, err = s.Commit(t.Context(), testID, bad)
		require.ErrorIs(t, err, ErrInvalid, bad)
	}
}

func TestCommitComesFromTheCache(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	sha := c.commit("one", nil)
	c.seed(s, testID)
	first, err := s.Commit(t.Context(), testID, sha)
	require.NoError(t, err)
	s.options.CommandTimeout = time.Nanosecond // No process can run any more.
	again, err := s.Commit(t.Context(), testID, sha)
	require.NoError(t, err)
	require.Equal(t, first, again)
	s.cache.forget(testID)
	_, err = s.Commit(t.Context(), testID, sha)
	require.Error(t, err)
}

func TestParseSignature(t *testing.T) {
	zero := time.Unix(0, 0).UTC()
	tests := map[string]Signature{
		"A B <a@b> 5 +0000":                  {"A B", "a@b", time.Unix(5, 0).UTC()},
		"A <b> <a@b> 5 +0000":                {"A", "b> <a@b", time.Unix(5, 0).UTC()},
		"<> 5 +0000":                         {"", "", time.Unix(5, 0).UTC()},
		"A <a@b>":                            {"A", "a@b", zero},
		"A <a@b> x y":                        {"A", "a@b", zero},
		"A <a@b> 99999999999999999999 +0000": {"A", "a@b", zero},
		"A <a@b> 9999999999999 +0000":        {"A", "a@b", zero},
		"A <a@b> -5 +0000":                   {"A", "a@b", zero},
		"A <a@b> 5 +9999":                    {"A", "a@b", time.Unix(5, 0).UTC()},
		"no mail at all":                     {"no mail at all", "", zero},
		"\xff\x00 <\xff@b> 5 +0000":          {"\uFFFD", "\uFFFD@b", time.Unix(5, 0).UTC()},
		"":                                   {"", "", zero},
	}
	for line, want := range tests {
		got := parseSignature(line)
		require.Equal(t, want.Name, got.Name, line)
		require.Equal(t, want.Email, got.Email, line)
		require.True(t, want.When.Equal(got.When), "%s: %s", line, got.When)
	}
}

// Whatever a commit object holds, reading it neither panics nor gives what JSON cannot hold.
func TestParseCommitSurvivesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := "tree " + ZeroSHA + "\n" + string(rapid.SliceOf(rapid.Byte()).Draw(t, "raw"))
		c, err := parseCommit(ZeroSHA, raw)
		if err != nil {
			return
		}
		_, err = c.Author.When.MarshalJSON()
		require.NoError(t, err)
		require.NotContains(t, c.Message, "\x00")
		require.Equal(t, c.Message, strings.ToValidUTF8(c.Message, "?"))
	})
}
