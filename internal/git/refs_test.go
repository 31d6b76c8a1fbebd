package git

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResolveRef(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	first := c.commit("first", map[string]string{"a": "1"})
	c.git("tag", "light")
	c.git("tag", "-a", "-m", "annotated", "v1")
	c.git("tag", "-a", "-m", "tag of a tag", "nested", "v1")
	c.git("tag", "blob", c.git("rev-parse", "HEAD:a"))
	c.git("branch", "both")
	c.git("branch", "feature/x")
	second := c.commit("second", map[string]string{"a": "2"})
	c.git("tag", "both")
	c.git("update-ref", "refs/pull/7/head", first)
	c.git("update-ref", "refs/notes/ci", first)
	c.seed(s, testID)
	annotated := c.git("rev-parse", "v1")
	require.NotEqual(t, first, annotated)

	tests := []struct {
		ref  string
		want Resolved
	}{
		{"main", Resolved{"refs/heads/main", second, RefBranch}},
		{"refs/heads/main", Resolved{"refs/heads/main", second, RefBranch}},
		{"feature/x", Resolved{"refs/heads/feature/x", first, RefBranch}},
		{"light", Resolved{"refs/tags/light", first, RefTag}},
		{"refs/tags/light", Resolved{"refs/tags/light", first, RefTag}},
		{"v1", Resolved{"refs/tags/v1", first, RefTag}},
		{"nested", Resolved{"refs/tags/nested", first, RefTag}},
		{"both", Resolved{"refs/heads/both", first, RefBranch}},
		{"refs/tags/both", Resolved{"refs/tags/both", second, RefTag}},
		{"refs/pull/7/head", Resolved{"refs/pull/7/head", first, RefPull}},
		{"refs/notes/ci", Resolved{"refs/notes/ci", first, RefOther}},
		{first, Resolved{"", first, RefCommit}},
		{strings.ToUpper(first), Resolved{"", first, RefCommit}},
		{annotated, Resolved{"", first, RefCommit}},
	}
	missing := []string{
		"", "nope", "HEAD", "refs/heads/nope", "refs/heads", "refs/heads/feature", "feature", "refs/heads/v1", "refs/tags/main", "heads/main",
		"main~1", "main^", "main:a", "@{0}", "-n", "--all", "*", "refs/heads/*", "../main", "refs/heads/../heads/main", "main\nrefs/heads/main",
		first[:7], strings.Repeat("1", 40), ZeroSHA, "refs/tags/blob", "blob", c.git("rev-parse", "HEAD:a"), strings.Repeat("x", 5000),
	}
	check := func(t *testing.T) {
		for _, test := range tests {
			got, err := s.ResolveRef(t.Context(), testID, test.ref)
			require.NoError(t, err, test.ref)
			require.Equal(t, test.want, got, test.ref)
		}
		for _, ref := range missing {
			_, err := s.ResolveRef(t.Context(), testID, ref)
			require.ErrorIs(t, err, ErrNotFound, "%q", ref)
		}
	}
	t.Run("loose", check)
	_, err := s.git(t.Context(), testID, "pack-refs", "--all", "--prune")
	require.NoError(t, err)
	t.Run("packed", check)
}

func TestRefs(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	sha := c.commit("one", nil)
	c.git("tag", "-a", "-m", "x", "v1")
	c.seed(s, testID)
	refs, err := s.Refs(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"refs/heads/main": sha, "refs/tags/v1": c.git("rev-parse", "v1")}, refs)
}
