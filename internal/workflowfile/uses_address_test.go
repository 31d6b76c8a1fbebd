package workflowfile

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAddressesInUses(t *testing.T) {
	for text, root := range map[string]string{
		"https://ci.test/o/r/.gitea/workflows/x.yml@v1":             "https://ci.test",
		"HTTPS://CI.Test:443/o/r/.gitea/workflows/x.yml@v1":         "https://ci.test",
		"https://ci.test/o/r/.gitea/workflows/x.yml@v1 ":            "",
		"http://ci.test:3000/o/r/.gitea/workflows/x.yml@v1":         "http://ci.test:3000",
		"http://[::1]:80/o/r/.gitea/workflows/x.yml@v1":             "http://[::1]",
		"https://ci.test/sub/path/o/r/.gitea/workflows/x.yml@v1":    "https://ci.test/sub/path",
		"https://ci.test/Sub/o/r/.gitea/workflows/x.yml@v1":         "https://ci.test/Sub/",
		"https://ci.test/o/r/.gitea/workflows/x.yml@refs/heads/a@b": "https://ci.test",
	} {
		u, err := ParseUses(text)
		if root == "" {
			require.Error(t, err, text)
			continue
		}
		require.NoError(t, err, text)
		require.Empty(t, u.Owner, "not known yet")
		got, err := u.On(root)
		require.NoError(t, err, text)
		require.Equal(t, Uses{Owner: "o", Repo: "r", Path: ".gitea/workflows/x.yml", Ref: u.Ref}, got)
	}
	const form = "the address in `uses` of a job must be https://host/owner/repo/path/file.yml@ref"
	for text, want := range map[string]string{
		"https://ci.test/o/r/x.yml":                  form,
		"https://ci.test/o/x.yml@main":               form,
		"https:///o/r/x.yml@main":                    form,
		"https://user:secret@ci.test/o/r/x.yml@main": form,
		"https://ci.test/o/r/x.yml?a=b@main":         form,
		"https://ci.test/o/r/%2e%2e/x.yml@main":      form,
		"https://ci.test:x/o/r/x.yml@main":           form,
		"https://ci.test/o/r/x@main":                 "must name a file that ends with .yml or .yaml",
		"https://ci.test/o/r/../x.yml@main":          "is not a plain path",
		"https://ci.test//o/r/x.yml@main":            "is not a plain path",
		"https://ci.test/o/r/x.yml@":                 `"" cannot name a branch, tag or commit`,
		"https://ci.test/o/r/x.yml@a..b":             `"a..b" cannot name a branch, tag or commit`,
		"ftp://ci.test/o/r/x.yml@main":               "`uses` of a job must be",
	} {
		_, err := ParseUses(text)
		require.ErrorContains(t, err, want, text)
	}
	require.Contains(t, problemsOf(t, "on: push\njobs:\n  a:\n    uses: https://ci.test/x.yml@v1\n"), "ci.yml:4:11: "+form)
}

func TestOtherServersCannotBeCalled(t *testing.T) {
	for text, root := range map[string]string{
		"https://ci.test/o/r/x.yml@v1":      "https://other.test",
		"http://ci.test/o/r/x.yml@v1":       "https://ci.test",
		"http://ci.test:81/o/r/x.yml@v1":    "http://ci.test",
		"https://ci.test/o/r/y.yml@v1":      "https://ci.test/sub",
		"https://ci.test/subo/r/x.yml@v1":   "https://ci.test/sub",
		"https://ci.test/o/r/z.yml@v1":      "",
		"https://ci.test.evil/o/r/x.yml@v1": "https://ci.test",
	} {
		u, err := ParseUses(text)
		require.NoError(t, err, text)
		_, err = u.On(root)
		require.EqualError(t, err, "only workflows of this server ("+root+") can be called")
	}
	u, err := ParseUses("https://ci.test/sub/o/x.yml@v1")
	require.NoError(t, err)
	_, err = u.On("https://ci.test/sub")
	require.ErrorContains(t, err, "owner/repo/path/file.yml@ref")
	u, err = ParseUses("./x.yml")
	require.NoError(t, err)
	same, err := u.On("https://ci.test")
	require.NoError(t, err)
	require.Equal(t, u, same)
}
