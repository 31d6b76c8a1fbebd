package apiserver_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// push commits files and pushes them to a branch.
func (c *client) push(repo *db.Repository, branch string, files map[string]string) string {
	t := c.rig.t
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o644))
	}
	c.git(dir, "init", "-q", "-b", branch)
	c.git(dir, "add", ".")
	c.git(dir, "commit", "-q", "-m", "a commit")
	c.git(dir, "push", "-q", "--force", c.rig.url+"/"+repo.FullName()+".git", branch)
	return strings.TrimSpace(c.git(dir, "rev-parse", "HEAD"))
}

func (c *client) git(dir string, args ...string) string {
	c.rig.t.Helper()
	out, err := c.tryGit(dir, args...)
	require.NoError(c.rig.t, err, out)
	return out
}

// tryGit runs git with the client's credentials in its environment.
func (c *client) tryGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
		"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com",
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=http.extraHeader", "GIT_CONFIG_VALUE_0=")
	if c.auth != "" {
		cmd.Env = append(cmd.Env, "GIT_CONFIG_VALUE_0=Authorization: "+c.auth)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const workflow = `name: CI
on:
  push:
    branches: [main]
  workflow_dispatch:
    inputs:
      who: {default: world}
jobs:
  build:
    runs-on: ubuntu-latest
    steps:
      - run: echo hello ${{ inputs.who }}
      - {name: second, run: "true"}
  test:
    needs: build
    runs-on: [ubuntu-latest]
    steps: [{run: "true"}]
`

// pushed makes a repository with the workflow ci.yml, whose push has made run 1.
func (c *client) pushed(name string) *db.Repository {
	c.rig.t.Helper()
	repo := c.repo(name, true)
	c.push(repo, "main", map[string]string{".gitea/workflows/ci.yml": workflow})
	return repo
}
