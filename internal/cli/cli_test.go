package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// root is a program that has all verbs.
type root struct {
	LogLevel string `name:"log-level" enum:"debug,info" default:"info"`
	Commands
}

func model(t *testing.T) *kong.Application {
	t.Helper()
	k, err := kong.New(&root{}, kong.Name("pawl"))
	require.NoError(t, err)
	return k.Model
}

func TestComplete(t *testing.T) {
	for line, want := range map[string][]string{
		"ru":                      {"run", "runner"},
		"run wa":                  {"watch"},
		"run rerun 7 --fa":        {"--failed"},
		"run de":                  {"delete"},
		"run se":                  {"search"},
		"run delete 7 --y":        {"--yes"},
		"run logs 7 --s":          {"--step"},
		"--log-level ":            {"debug", "info"},
		"--log-level d":           {"debug"},
		"--log-level debug con":   {"context"},
		"run list --repo run can": nil, // run is the value of --repo
		"run list -R a/b --js":    {"--json"},
		"completion w":            nil, // hidden
		"nothing of this ":        {"run", "workflow", "runner", "secret", "variable", "context", "completion"},
	} {
		require.ElementsMatch(t, want, complete(model(t).Node, strings.Split(line, " ")), line)
	}
	require.NotEmpty(t, complete(model(t).Node, nil))
}

func TestRepoOfRemote(t *testing.T) {
	for remote, want := range map[string]string{
		"http://pawl.example/ann/app.git":           "ann/app",
		"http://ann:secret@pawl.example/ann/app":    "ann/app",
		"http://pawl.example/ann/app/":              "ann/app",
		"http://elsewhere.example/ann/app.git":      "",
		"http://pawl.example/ann":                   "",
		"http://pawl.example/ann/app/deeper":        "",
		"git@pawl.example:ann/app.git":              "",
		"":                                          "",
		"http://pawl.example/ann/app?x=/repos/b/c":  "ann/app",
		"http://pawl.example/../admin/users/..%2Fb": "",
	} {
		require.Equal(t, want, repoOfRemote(remote, "http://pawl.example"), remote)
	}
	require.Equal(t, "ann/app", repoOfRemote("https://h/ci/ann/app.git", "https://h/ci"))
}

func TestIsRepo(t *testing.T) {
	for name, want := range map[string]bool{
		"a/b": true, "a": false, "/b": false, "a/": false, "a/b/c": false, "a/b?x": false, "../b": false, "a/..": false,
		"a/b c": false, "a/b%2f": false,
	} {
		require.Equal(t, want, isRepo(name), name)
	}
}

func TestReadInputs(t *testing.T) {
	inputs, err := readInputs([]string{"a=1", "b=x=y,z", "c="})
	require.NoError(t, err)
	require.Equal(t, map[string]string{"a": "1", "b": "x=y,z", "c": ""}, inputs)
	for _, bad := range [][]string{{"a"}, {"=1"}, {"a=1", "a=2"}} {
		_, err := readInputs(bad)
		require.Error(t, err, "%q", bad)
	}
}

func TestContextsAreKeptPrivateAndWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "below", "contexts.json")
	t.Setenv("PAWL_CONTEXTS", path)
	all, err := readContexts()
	require.NoError(t, err)
	all.put(server{Name: "b", URL: "http://b", Token: "tb"})
	all.put(server{Name: "a", URL: "http://a", Token: "ta", Repo: "x/y"})
	all.put(server{Name: "b", URL: "http://b2", Token: "tb"})
	all.Current = "b"
	require.NoError(t, all.write())
	info, err := os.Stat(path)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	all, err = readContexts()
	require.NoError(t, err)
	current, err := all.find("")
	require.NoError(t, err)
	require.Equal(t, "http://b2", current.URL)
	all.remove("b")
	current, err = all.find("")
	require.NoError(t, err)
	require.Nil(t, current)
	_, err = all.find("b")
	require.ErrorContains(t, err, `no context "b"`)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*"))
	require.NoError(t, err)
	require.Equal(t, []string{path}, left, "nothing temporary stays")
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	_, err = readContexts()
	require.ErrorContains(t, err, path)
}

func TestWhichServerIsMeant(t *testing.T) {
	t.Setenv("PAWL_CONTEXTS", filepath.Join(t.TempDir(), "contexts.json"))
	_, err := (&Flags{}).open(&Terminal{})
	require.ErrorContains(t, err, "which server?")
	all := &contexts{Current: "a", Servers: []server{
		{Name: "a", URL: "http://a", Token: "ta", Repo: "x/y"}, {Name: "b", URL: "http://b", Token: "tb"},
	}}
	require.NoError(t, all.write())
	for _, c := range []struct {
		flags Flags
		want  server
	}{
		{Flags{}, server{URL: "http://a", Token: "ta"}},
		{Flags{Context: "b"}, server{URL: "http://b", Token: "tb"}},
		{Flags{URL: "http://a/"}, server{URL: "http://a", Token: "ta"}},
		// The token of one server is never sent to another.
		{Flags{URL: "http://evil"}, server{URL: "http://evil"}},
		{Flags{URL: "http://c", Token: "tc"}, server{URL: "http://c", Token: "tc"}},
		{Flags{Token: "other"}, server{URL: "http://a", Token: "other"}},
	} {
		s, err := c.flags.open(&Terminal{})
		require.NoError(t, err)
		require.Equal(t, c.want, server{URL: s.URL, Token: s.Token})
	}
	_, err = (&Flags{Context: "z"}).open(&Terminal{})
	require.Error(t, err)
}

func TestContextVerbsSayWhatTheyDid(t *testing.T) {
	t.Setenv("PAWL_CONTEXTS", filepath.Join(t.TempDir(), "contexts.json"))
	all := &contexts{Servers: []server{{Name: "a", URL: "http://a", Token: "t"}}}
	require.NoError(t, all.write())
	var out bytes.Buffer
	terminal := &Terminal{Out: &out}
	require.NoError(t, (&contextUse{oneContext{Name: "a"}}).Run(terminal))
	require.NoError(t, (&contextRm{oneContext{Name: "a", JSON: true}}).Run(terminal))
	require.Equal(t, "a: in use\n{\n  \"name\": \"a\",\n  \"result\": \"forgotten\"\n}\n", out.String())
	require.ErrorContains(t, (&contextRm{oneContext{Name: "a"}}).Run(terminal), `no context "a"`)
}

func TestReadValueTakesTheLineEndOff(t *testing.T) {
	for in, want := range map[string]string{"x\n": "x", "x": "x", "a\nb\n": "a\nb", "x\r\n": "x", " x ": " x ", "": ""} {
		value, err := ReadValue(&Terminal{In: strings.NewReader(in)}, "")
		require.NoError(t, err)
		require.Equal(t, want, value)
	}
}

func TestTablesLineUp(t *testing.T) {
	var out bytes.Buffer
	for rich, want := range map[bool]string{
		false: "A     B\nlong  x\n✓     y\n",
		true:  "\x1b[90mA\x1b[0m     \x1b[90mB\x1b[0m\nlong  x\n\x1b[32m✓\x1b[0m     y\n",
	} {
		out.Reset()
		table := printer{&Terminal{Out: &out, Rich: rich}}.table("A", "B")
		table.row(plain("lo\x1bng"), plain("x"))
		table.row(mark("completed", "success"), plain("y"))
		require.NoError(t, table.print())
		require.Equal(t, want, out.String())
	}
}

func TestCutCountsWhatIsSeen(t *testing.T) {
	require.Equal(t, "abc", cut("abc", 3))
	require.Equal(t, "ab\x1b[0m", cut("abc", 2))
	require.Equal(t, "\x1b[32mab\x1b[0m", cut("\x1b[32mab\x1b[0m", 2))
	require.Equal(t, "\x1b[32mä\x1b[0m", cut("\x1b[32mäb\x1b[0m", 1))
}

func TestTheScreenKeepsWhatRuns(t *testing.T) {
	job := func(id int64, status string) client.Job { return client.Job{ID: id, Status: status} }
	jobs := []client.Job{job(1, "completed"), job(2, "in_progress"), job(3, "completed"), job(4, "queued")}
	ids := func(jobs []client.Job) (ids []int64) {
		for _, j := range jobs {
			ids = append(ids, j.ID)
		}
		return ids
	}
	for most, want := range map[int][]int64{9: {1, 2, 3, 4}, 4: {1, 2, 3, 4}, 3: {2, 3, 4}, 2: {2, 4}, 1: {2}, -5: {2}} {
		shown, hidden := fit(jobs, most)
		require.Equal(t, want, ids(shown), "%d", most)
		require.Equal(t, 4-len(want), hidden)
	}
}

func TestWatchWithoutATerminalPrintsChangesOnce(t *testing.T) {
	var out bytes.Buffer
	s := &session{printer: printer{&Terminal{Out: &out}}, flags: &Flags{}}
	v := s.newView()
	run := shownRun{Run: client.Run{ID: 7, Status: "queued"}, Jobs: []client.Job{{ID: 1, Name: "b\x1b[2J", Status: "waiting", PendingReason: "needs a"}}}
	v.show(run, time.Now())
	v.show(run, time.Now())
	run.Status, run.Conclusion = "completed", "failure"
	v.show(run, time.Now())
	require.Equal(t, "b[2J: waiting (needs a)\nrun 7: queued\nrun 7: failure\n", out.String())
	require.ErrorContains(t, s.ended(run, true), "failure")
	require.NoError(t, s.ended(run, false))
}

func TestLint(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	var out bytes.Buffer
	terminal := &Terminal{Out: &out}
	require.ErrorContains(t, (&workflowLint{}).Run(terminal), "there is neither")
	require.NoError(t, os.MkdirAll(".gitea/workflows/deep", 0o755))
	write := func(name, text string) { require.NoError(t, os.WriteFile(name, []byte(text), 0o600)) }
	write(".gitea/workflows/ok.yml", "on: push\njobs: {a: {runs-on: x, steps: [{run: true}]}}\n")
	write(".gitea/workflows/README.md", "not a workflow")
	require.NoError(t, (&workflowLint{}).Run(terminal))
	require.Equal(t, "no problems; files: 1\n", out.String())
	out.Reset()
	write(".gitea/workflows/deep/bad.yaml", "on: push\njobs:\n  a:\n    runs-on: x\n    needs: z\n    steps: [{run: true}]\n")
	require.ErrorIs(t, (&workflowLint{}).Run(terminal), errLint)
	require.Contains(t, out.String(), ".gitea/workflows/deep/bad.yaml:5:12: ")
	write("large.yml", strings.Repeat("#", maxFile+1))
	require.ErrorIs(t, (&workflowLint{Paths: []string{"large.yml"}}).Run(terminal), errLint)
	require.Error(t, (&workflowLint{Paths: []string{"none.yml"}}).Run(terminal))
}

func TestRunnersOfAllKinds(t *testing.T) {
	for want, r := range map[string]client.Runner{
		"draining": {Disabled: true, Busy: true}, "paused": {Disabled: true}, "busy": {Busy: true, Status: "online"},
		"idle": {Status: "online"}, "offline": {Status: "offline"},
	} {
		require.Equal(t, want, stateOfRunner(r).text)
	}
}
