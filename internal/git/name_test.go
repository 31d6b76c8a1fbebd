package git

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCheckRefName(t *testing.T) {
	good := []string{"refs/heads/main", "refs/heads/feature/x", "refs/tags/v1.0", "refs/pull/1/head", "refs/heads/-x", "refs/heads/ä", "refs/heads/a@b", "refs/heads/@"}
	bad := []string{
		"", "main", "refs/heads", "refs/heads/", "refs/heads//x", "/refs/heads/x", "refs/heads/a..b", "refs/heads/.a", "refs/heads/a.lock",
		"refs/heads/a.lock/b", "refs/heads/a.", "refs/heads/a b", "refs/heads/a\nb", "refs/heads/a\x00b", "refs/heads/a~1", "refs/heads/a^", "refs/heads/a:b",
		"refs/heads/a?", "refs/heads/a*", "refs/heads/[a]", `refs/heads/a\b`, "refs/heads/a@{1}", "refs/heads/../../etc", "refs/heads/\xff",
		"--upload-pack=x", "refs/heads/" + strings.Repeat("x", 255),
	}
	for _, name := range good {
		require.NoError(t, CheckRefName(name), name)
	}
	for _, name := range bad {
		require.ErrorIs(t, CheckRefName(name), ErrInvalid, name)
	}
}

func TestCheckBranchName(t *testing.T) {
	require.NoError(t, CheckBranchName("release/1.x"))
	for _, name := range []string{"", "-x", "--force", "HEAD", "a..b", "x.lock"} {
		require.ErrorIs(t, CheckBranchName(name), ErrInvalid, name)
	}
}

// Our rule must never allow what git refuses, nor refuse what it allows.
func TestCheckRefNameAgreesWithGit(t *testing.T) {
	alphabet := rapid.SampledFrom([]string{"a", "b", "/", ".", "..", "@", "{", "@{", "~", "^", ":", "?", "*", "[", `\`, " ", "\x7f", "\x01", ".lock", "-", "ä", "HEAD"})
	rapid.Check(t, func(t *rapid.T) {
		name := "refs/heads/" + strings.Join(rapid.SliceOfN(alphabet, 0, 6).Draw(t, "parts"), "")
		gitSays := exec.Command("git", "check-ref-format", name).Run() == nil
		require.Equal(t, gitSays, CheckRefName(name) == nil, "%q", name)
	})
}

func TestCheckPath(t *testing.T) {
	for _, path := range []string{"a", ".github/workflows", "a/b.c", "...", "a..b", "-x"} {
		require.NoError(t, checkPath(path), path)
	}
	for _, path := range []string{"", ".", "..", "../a", "a/../../b", "a/..", "/a", "a//b", "./a", "a/", "a\nb", "a\x00"} {
		require.ErrorIs(t, checkPath(path), ErrInvalid, path)
	}
}

func TestIsSHA(t *testing.T) {
	require.True(t, IsSHA(ZeroSHA))
	require.True(t, IsSHA("0123456789abcdef0123456789abcdef01234567"))
	for _, s := range []string{"", "abc", strings.Repeat("A", 40), strings.Repeat("g", 40), strings.Repeat("a", 41)} {
		require.False(t, IsSHA(s), s)
	}
}
