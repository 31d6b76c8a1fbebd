package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// terminal runs the program as the user of a project does, with contexts of its own.
type terminal struct {
	project  *project
	contexts string
}

func (p *project) terminal(t *testing.T) *terminal {
	return &terminal{project: p, contexts: filepath.Join(t.TempDir(), "contexts.json")}
}

// pawl runs one command in the work tree of the project, and returns what it printed and whether it succeeded.
func (c *terminal) pawl(t *testing.T, stdin string, args ...string) (out, errs string, ok bool) {
	t.Helper()
	path, err := program()
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Dir, cmd.Stdin = c.project.work, strings.NewReader(stdin)
	cmd.Env = append(os.Environ(), "PAWL_CONTEXTS="+c.contexts, "PAWL_URL=", "PAWL_TOKEN=", "PAWL_REPO=")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err == nil
}

// must runs a command that has to succeed.
func (c *terminal) must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	out, errs, ok := c.pawl(t, stdin, args...)
	require.True(t, ok, "pawl %v: %s%s", args, out, errs)
	return out
}

// id runs a command with --json and returns the number that it answers with.
func (c *terminal) id(t *testing.T, field string, args ...string) string {
	t.Helper()
	var answer map[string]any
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "", append(args, "--json")...)), &answer))
	number, ok := answer[field].(float64)
	require.True(t, ok, "%v", answer)
	return strconv.FormatInt(int64(number), 10)
}

const cliWorkflow = `
on:
  workflow_dispatch:
    inputs:
      who: {type: string, required: true}
jobs:
  greet:
    runs-on: ubuntu-latest
    steps:
      - run: echo "hello ${{ inputs.who }}"
  wrong:
    needs: greet
    runs-on: ubuntu-latest
    steps:
      - run: exit 3
`

func TestCommandLine(t *testing.T) {
	p := theStack(t).project(t, cliWorkflow)
	c := p.terminal(t)

	_, errs, ok := c.pawl(t, "", "run", "list")
	require.False(t, ok)
	require.Contains(t, errs, "which server?")
	_, errs, ok = c.pawl(t, "wrong", "context", "add", "here", "--url", p.URL)
	require.False(t, ok)
	require.Contains(t, errs, "the server does not know this token")
	require.Contains(t, c.must(t, p.Token+"\n", "context", "add", "here", "--url", p.URL), "here: "+p.URL)
	require.NotContains(t, c.must(t, "", "context", "list", "--json"), p.Token)

	// The repository comes from the git remote of the directory.
	_, errs, ok = c.pawl(t, "", "run", "list")
	require.False(t, ok)
	require.Contains(t, errs, "which repository?")
	p.git(t, "remote", "add", "origin", p.URL+"/"+p.repo+".git")
	require.Contains(t, c.must(t, "", "workflow", "list"), "ci.yml")
	require.Contains(t, c.must(t, "", "workflow", "lint"), "no problems")

	_, errs, ok = c.pawl(t, "", "workflow", "run", "ci.yml")
	require.False(t, ok)
	require.Contains(t, errs, "who")
	out, errs, ok := c.pawl(t, "", "workflow", "run", "ci.yml", "-f", "who=world=1", "--watch")
	require.False(t, ok, "a run that fails fails its watcher")
	require.Contains(t, errs, "failure")
	require.Contains(t, out, "greet: success")
	require.Contains(t, out, "wrong: failure")

	var runs []struct{ ID int64 }
	require.NoError(t, json.Unmarshal([]byte(c.must(t, "", "run", "list", "--json")), &runs))
	require.Len(t, runs, 1)
	run := strconv.FormatInt(runs[0].ID, 10)
	require.Contains(t, c.must(t, "", "run", "view", run), "greet")
	require.Contains(t, c.must(t, "", "run", "logs", run, "--job", "greet"), "\nhello world=1\n")
	require.Contains(t, c.must(t, "", "run", "logs", run, "--failed"), "Process completed with exit code 3")
	require.Contains(t, c.must(t, "", "run", "timeline", run), "claimed")
	require.Contains(t, c.must(t, "", "run", "logs", run, "--job", "greet", "--step", "0"), "hello world=1\n")
	require.Contains(t, c.must(t, "", "run", "search", run, "HELLO WORLD", "-i"), "greet\t")
	_, errs, ok = c.pawl(t, "", "run", "search", run, "what nobody said")
	require.False(t, ok)
	require.Contains(t, errs, "no line of the logs")

	require.Equal(t, run, c.id(t, "run", "run", "rerun", run, "--failed"))
	require.Contains(t, c.must(t, "", "run", "logs", run, "-f"), "wrong")
	_, errs, ok = c.pawl(t, "", "run", "watch", run, "--exit-status")
	require.False(t, ok)
	require.Contains(t, errs, "failure")
	_, errs, ok = c.pawl(t, "", "run", "cancel", run)
	require.False(t, ok)
	require.Contains(t, errs, "already finished")

	c.must(t, "", "workflow", "disable", "ci.yml")
	_, errs, ok = c.pawl(t, "", "workflow", "run", "ci.yml", "-f", "who=x")
	require.False(t, ok)
	require.Contains(t, errs, "disabled")
	c.must(t, "", "workflow", "enable", "ci.yml")

	_, errs, ok = c.pawl(t, "y\n", "run", "delete", run)
	require.False(t, ok, "nobody is at a terminal")
	require.Contains(t, errs, "--yes")
	require.Contains(t, c.must(t, "", "run", "delete", run, "--yes"), "deleted")
	_, errs, ok = c.pawl(t, "", "run", "view", run)
	require.False(t, ok)
	require.Contains(t, errs, "not found")
	_, err := (&client.Client{URL: p.URL + "/", Token: p.Token}).Me(t.Context())
	require.NoError(t, err, "an address with a slash at its end")

	require.Contains(t, c.must(t, "", "runner", "list", "--instance"), "ubuntu-latest")
	require.Len(t, strings.TrimSpace(c.must(t, "", "runner", "token")), 40)
	require.Contains(t, c.must(t, "", "completion", "words", "--", "run", "c"), "cancel")
}
