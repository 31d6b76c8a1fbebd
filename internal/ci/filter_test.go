package ci

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPatterns(t *testing.T) {
	for _, tc := range []struct {
		pattern  string
		yes, no  []string
		compiles bool
	}{
		{"main", []string{"main"}, []string{"main2", "xmain", "Main", ""}, true},
		{"*", []string{"main", ""}, []string{"a/b"}, true},
		{"**", []string{"main", "a/b", "a/b/c"}, nil, true},
		{"feature/*", []string{"feature/x"}, []string{"feature/x/y", "feature"}, true},
		{"feature/**", []string{"feature/x", "feature/x/y"}, []string{"features/x"}, true},
		{"**/docs/*.md", []string{"docs/a.md", "x/y/docs/a.md"}, []string{"docs/x/a.md", "xdocs/a.md"}, true},
		{"*.js", []string{"app.js"}, []string{"js/app.js", "app.jsx"}, true},
		{"**.js", []string{"app.js", "js/app.js"}, []string{"appjs"}, true},
		{"*.jsx?", []string{"a.js", "a.jsx"}, []string{"a.jsxx"}, true},
		{"go+gle", []string{"gogle", "gooogle"}, []string{"ggle"}, true},
		{"v[12].[0-9]+.[0-9]+", []string{"v1.10.1", "v2.0.0"}, []string{"v3.0.0", "v1.x.0"}, true},
		{"[CB]at", []string{"Cat", "Bat"}, []string{"cat"}, true},
		{"[a-c_]x", []string{"ax", "_x"}, []string{"dx", "-x"}, true},
		{`\*x`, []string{"*x"}, []string{"ax"}, true},
		{`a\?`, []string{"a?"}, []string{"a", ""}, true},
		{"?x", []string{"?x"}, []string{"x", "ax"}, true},
		{"+1", []string{"+1"}, []string{"1"}, true},
		{"a.b", []string{"a.b"}, []string{"axb"}, true},
		{"straße*", []string{"straße1"}, []string{"strasse1"}, true},
		{"ä?x", []string{"äx", "x"}, nil, true},
		{"l1\nl2", []string{"l1\nl2"}, nil, true},
		{"[", nil, []string{"["}, false},
		{"[]", nil, []string{"[]"}, false},
		{"[z-a]", nil, []string{"z"}, false},
		{"[é]", nil, []string{"é"}, false},
		{"[a-", nil, []string{"a"}, false},
		{`x\`, nil, []string{`x\`, "x"}, false},
		{"a++", nil, []string{"a", "aa"}, false},
		{strings.Repeat("a", MaxPatternBytes+1), nil, nil, false},
	} {
		t.Run(tc.pattern[:min(len(tc.pattern), 20)], func(t *testing.T) {
			_, err := compilePattern(tc.pattern)
			require.Equal(t, tc.compiles, err == nil, "%v", err)
			for _, in := range tc.yes {
				require.True(t, MatchFilter([]string{tc.pattern}, []string{in}), in)
			}
			for _, in := range tc.no {
				require.False(t, MatchFilter([]string{tc.pattern}, []string{in}), in)
			}
		})
	}
}

func TestMatchFilterOrder(t *testing.T) {
	rel := []string{"releases/**", "!releases/**-alpha"}
	require.True(t, MatchFilter(rel, []string{"releases/10"}))
	require.False(t, MatchFilter(rel, []string{"releases/beta/3-alpha"}))
	back := append(rel, "releases/x-alpha")
	require.True(t, MatchFilter(back, []string{"releases/x-alpha"}), "later patterns override")
	require.False(t, MatchFilter([]string{"!main"}, []string{"dev"}), "a negative pattern alone includes nothing")
	require.True(t, MatchFilter([]string{"*.go"}, []string{"a.md", "b.go"}), "one input is enough")
	require.False(t, MatchFilter([]string{"*.go"}, nil))
	require.True(t, MatchFilter(nil, nil))
	require.False(t, MatchFilter([]string{"["}, []string{"a"}), "what does not compile matches nothing")
}

func TestMatchIgnore(t *testing.T) {
	require.True(t, MatchIgnore([]string{"docs/**"}, []string{"docs/a", "docs/b/c"}))
	require.False(t, MatchIgnore([]string{"docs/**"}, []string{"docs/a", "main.go"}))
	require.True(t, MatchIgnore([]string{"docs/**"}, nil), "an empty change list is filtered out")
	require.False(t, MatchIgnore(nil, nil))
	require.False(t, MatchIgnore([]string{"**", "!keep"}, []string{"keep"}))
	require.False(t, MatchIgnore([]string{"["}, []string{"["}))
}

func TestPatternsDoNotBlowUp(t *testing.T) {
	evil := strings.Repeat("**/", 300) + "x"
	input := strings.Repeat("a/", 5000) + "y"
	start := time.Now()
	require.False(t, MatchFilter([]string{evil, strings.Repeat("a+", 500), strings.Repeat("**a", 300)}, []string{input}))
	require.Less(t, time.Since(start), time.Minute, "some milliseconds on an idle machine")
}

// TestPushFilter holds execution-semantics.md §9.3.
func TestPushFilter(t *testing.T) {
	const main, dev, tag, pull = "refs/heads/main", "refs/heads/dev/x", "refs/tags/v1", "refs/pull/5/head"
	list := func(l ...string) []string { return append([]string{}, l...) }
	for _, tc := range []struct {
		name    string
		filter  PushFilter
		ref     string
		changed []string
		want    bool
	}{
		{"no filter, branch", PushFilter{}, main, nil, true},
		{"no filter, tag", PushFilter{}, tag, nil, true},
		{"no filter, other ref", PushFilter{}, pull, nil, true},
		{"branches hit", PushFilter{Branches: list("main")}, main, nil, true},
		{"branches miss", PushFilter{Branches: list("main")}, dev, nil, false},
		{"branches only, tag", PushFilter{Branches: list("**")}, tag, nil, false},
		{"branches-ignore only, tag", PushFilter{BranchesIgnore: list("x")}, tag, nil, false},
		{"branches only, other ref", PushFilter{Branches: list("**")}, pull, nil, false},
		{"tags only, branch", PushFilter{Tags: list("**")}, main, nil, false},
		{"empty tags only, branch", PushFilter{Tags: list()}, main, nil, false},
		{"empty tags only, tag", PushFilter{Tags: list()}, tag, nil, true},
		{"tags hit", PushFilter{Tags: list("v*")}, tag, nil, true},
		{"tags-ignore hit", PushFilter{TagsIgnore: list("v*")}, tag, nil, false},
		{"tags-ignore miss", PushFilter{TagsIgnore: list("x*")}, tag, nil, true},
		{"branches and tags, branch", PushFilter{Branches: list("main"), Tags: list("v*")}, main, nil, true},
		{"branches and tags, tag", PushFilter{Branches: list("main"), Tags: list("v*")}, tag, nil, true},
		{"branches and tags, neither", PushFilter{Branches: list("main"), Tags: list("v*")}, dev, nil, false},
		{"branches and ignore: both required", PushFilter{Branches: list("**"), BranchesIgnore: list("dev/**")}, dev, nil, false},
		{"branches-ignore", PushFilter{BranchesIgnore: list("dev/**")}, main, nil, true},
		{"paths hit", PushFilter{Paths: list("**.go")}, main, list("README", "a/b.go"), true},
		{"paths miss", PushFilter{Paths: list("**.go")}, main, list("README"), false},
		{"paths, nothing changed", PushFilter{Paths: list("**")}, main, nil, false},
		{"paths are satisfied for tags", PushFilter{Paths: list("**.go")}, tag, nil, true},
		{"paths-ignore all", PushFilter{PathsIgnore: list("docs/**")}, main, list("docs/a"), false},
		{"paths-ignore some", PushFilter{PathsIgnore: list("docs/**")}, main, list("docs/a", "b"), true},
		{"paths-ignore, nothing changed", PushFilter{PathsIgnore: list("docs/**")}, main, nil, false},
		{"paths-ignore, tag", PushFilter{PathsIgnore: list("**")}, tag, list("b"), true},
		{"branch and paths", PushFilter{Branches: list("main"), Paths: list("**.go")}, dev, list("a.go"), false},
		{"paths and ignore: both required", PushFilter{Paths: list("**.go"), PathsIgnore: list("gen/**")}, main, list("gen/a.go"), false},
	} {
		t.Run(tc.name, func(t *testing.T) { require.Equal(t, tc.want, tc.filter.Match(tc.ref, tc.changed)) })
	}
	require.True(t, PushFilter{PathsIgnore: list()}.NeedsPaths())
	require.False(t, PushFilter{Branches: list("x")}.NeedsPaths())
}

// TestSkips holds execution-semantics.md §9.4.
func TestSkips(t *testing.T) {
	for _, word := range skipWords {
		require.True(t, HasSkipWord("fix: a\n\nbody "+word+" end"), word)
		require.False(t, HasSkipWord(strings.ToUpper(word)), word)
	}
	require.True(t, HasSkipWord("fix\n\nskip-checks: true\n"))
	require.True(t, HasSkipWord("fix\r\n\r\nskip-checks:true"))
	require.False(t, HasSkipWord("fix skip-checks: true"))
	require.False(t, HasSkipWord(""))

	require.True(t, SkipsRun("push", "", "[skip ci]", ""))
	require.False(t, SkipsRun("push", "", "x", "[skip ci]"))
	require.True(t, SkipsRun("pull_request", "opened", "x", "[ci skip] y"))
	require.True(t, SkipsRun("pull_request", "synchronize", "[no ci]", ""))
	require.False(t, SkipsRun("pull_request", "labeled", "[no ci]", ""))
	require.False(t, SkipsRun("issue_comment", "created", "[no ci]", "[no ci]"))
	require.False(t, SkipsRun("workflow_dispatch", "", "[no ci]", ""))
}
