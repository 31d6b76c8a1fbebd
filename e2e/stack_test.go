// Package e2e drives the built program as a user would: `pawl dev` with the official runner, over git and REST.
package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/devstack"
)

// patience bounds every wait of these tests; machines of CI are slow.
const patience = 3 * time.Minute

// stack is a running `pawl dev`.
type stack struct {
	dir    string
	cmd    *exec.Cmd
	output *bytes.Buffer
	ended  chan struct{}
}

// shared is the stack of all tests that break nothing.
var shared struct {
	once  sync.Once
	stack *stack
	err   error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.stack != nil {
		if err := shared.stack.stop(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e:", err)
			code = max(code, 1)
		}
		_ = os.RemoveAll(shared.stack.dir)
	}
	os.Exit(code)
}

// program is the path of the built pawl.
func program() (string, error) {
	path, err := filepath.Abs("../bin/pawl")
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w: run `make build` first", err)
	}
	return path, nil
}

// theStack returns the shared stack.
func theStack(t *testing.T) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a whole stack")
	}
	shared.once.Do(func() {
		var dir string
		if dir, shared.err = os.MkdirTemp("", "pawl-e2e-"); shared.err == nil {
			shared.stack, shared.err = startStack(dir)
		}
	})
	require.NoError(t, shared.err)
	return shared.stack
}

// ownStackUnmanaged starts a stack that the test takes down itself.
func ownStackUnmanaged(t *testing.T, args ...string) *stack {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a whole stack")
	}
	s, err := startStack(t.TempDir(), args...)
	require.NoError(t, err)
	return s
}

// ownStack starts a stack that the test may break.
func ownStack(t *testing.T, args ...string) *stack {
	t.Helper()
	s := ownStackUnmanaged(t, args...)
	t.Cleanup(func() {
		require.NoError(t, s.stop())
		if t.Failed() {
			t.Logf("pawl dev said:\n%s", s.output)
		}
	})
	return s
}

func startStack(dir string, args ...string) (*stack, error) {
	path, err := program()
	if err != nil {
		return nil, err
	}
	s := &stack{dir: dir, output: &bytes.Buffer{}, ended: make(chan struct{})}
	s.cmd = exec.Command(path, append([]string{"dev", "--data-dir", dir, "--http", "127.0.0.1:0", "--runner-capacity", "20"}, args...)...)
	s.cmd.Stdout, s.cmd.Stderr = s.output, s.output
	// Receivers of webhooks and outside repositories are played on this machine.
	s.cmd.Env = append(os.Environ(), "PAWL_HOOK_ALLOWED_HOSTS=loopback", "PAWL_CLONE_ALLOWED_HOSTS=loopback")
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	if err := s.awaitReady(); err != nil {
		_ = s.cmd.Process.Kill()
		<-s.ended
		return nil, fmt.Errorf("%w:\n%s", err, s.output)
	}
	return s, nil
}

func (s *stack) awaitReady() error {
	deadline := time.After(patience)
	for {
		if _, err := s.readInfo(); err == nil {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("pawl dev ended")
		case <-deadline:
			return fmt.Errorf("pawl dev is not ready in time")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// stop asks for the end, as Ctrl-C does.
func (s *stack) stop() error {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return fmt.Errorf("pawl dev did not stop:\n%s", s.output)
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("pawl dev ended with %d:\n%s", code, s.output)
	}
	return nil
}

func (s *stack) readInfo() (devstack.Info, error) {
	var info devstack.Info
	raw, err := os.ReadFile(filepath.Join(s.dir, "dev.json"))
	if err != nil {
		return info, err
	}
	return info, json.Unmarshal(raw, &info)
}

func (s *stack) info(t *testing.T) devstack.Info {
	t.Helper()
	info, err := s.readInfo()
	require.NoError(t, err)
	return info
}

// project is a repository of the administrator.
type project struct {
	*client.Client
	stack *stack
	repo  string
	work  string
}

func (s *stack) project(t *testing.T, workflow string) *project {
	t.Helper()
	info := s.info(t)
	p := &project{Client: &client.Client{URL: info.URL, Token: info.AdminToken}, stack: s, work: t.TempDir()}
	var err error
	p.repo, err = p.CreateRepo(t.Context(), "e2e-"+strconv.FormatInt(time.Now().UnixNano(), 36), true)
	require.NoError(t, err)
	p.git(t, "init", "-q", "-b", "main")
	p.push(t, map[string]string{".gitea/workflows/ci.yml": workflow}, "Add the workflow")
	return p
}

func (p *project) git(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = p.work
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=e2e", "GIT_AUTHOR_EMAIL=e2e@example.invalid", "GIT_COMMITTER_NAME=e2e", "GIT_COMMITTER_EMAIL=e2e@example.invalid")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
}

func (p *project) push(t *testing.T, files map[string]string, message string) {
	t.Helper()
	for name, content := range files {
		full := filepath.Join(p.work, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(content), 0o644))
	}
	p.git(t, "add", ".")
	p.git(t, "commit", "-q", "-m", message)
	info := p.stack.info(t)
	url := fmt.Sprintf("http://%s:%s@%s/%s.git", info.AdminUser, p.Token, p.URL[len("http://"):], p.repo)
	p.git(t, "push", "-q", url, "main")
}

func (p *project) dispatch(t *testing.T, inputs map[string]string) int64 {
	t.Helper()
	id, err := p.Dispatch(t.Context(), p.repo, "ci.yml", "main", inputs)
	require.NoError(t, err)
	return id
}

// await polls until the run is as wanted.
func (p *project) await(t *testing.T, id int64, wanted func(client.Run) bool) client.Run {
	t.Helper()
	var run client.Run
	eventually(t, func() bool {
		var err error
		run, err = p.Run(t.Context(), p.repo, id)
		return err == nil && wanted(run)
	}, "run %d", id)
	return run
}

func (p *project) awaitEnd(t *testing.T, id int64) client.Run {
	t.Helper()
	return p.await(t, id, client.Run.Done)
}

// jobs returns the jobs of a run by name.
func (p *project) jobs(t *testing.T, id int64) map[string]client.Job {
	t.Helper()
	list, err := p.Jobs(t.Context(), p.repo, id)
	require.NoError(t, err)
	jobs := map[string]client.Job{}
	for _, j := range list {
		jobs[j.Name] = j
	}
	return jobs
}

func (p *project) log(t *testing.T, job client.Job) string {
	t.Helper()
	text, err := p.JobLog(t.Context(), p.repo, job.ID, 1<<20)
	require.NoError(t, err)
	return text
}

// eventually waits for a condition, with a deadline that only a fault reaches.
func eventually(t *testing.T, condition func() bool, format string, args ...any) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("not in time: "+format, args...)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
