package devstack

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

func TestStackLife(t *testing.T) {
	dir := dataDir(t)
	began := time.Now()
	stack := startStack(t, options(t, dir))
	t.Logf("cold start: %s", time.Since(began))
	info := readInfo(t, dir)
	require.Equal(t, stack.Info(), info)
	require.Equal(t, "admin", info.AdminUser)
	require.Equal(t, "pawl", info.TemporalNamespace)
	require.Equal(t, os.Getpid(), info.PIDs.Server)
	require.Equal(t, os.Getpid(), info.PIDs.Worker)
	for _, pid := range []int{info.PIDs.Postgres, info.PIDs.Temporal, info.PIDs.Runner} {
		require.True(t, alive(pid))
	}
	mode, err := os.Stat(filepath.Join(dir, "dev.json"))
	require.NoError(t, err)
	require.EqualValues(t, 0o600, mode.Mode().Perm())
	for _, url := range []string{info.TemporalUIURL, info.TemporalMetricsURL, info.RunnerMetricsURL} {
		require.True(t, answersOK(t.Context(), http.DefaultClient, url), url)
	}

	second, err := New(options(t, dir), fakeParts())
	require.NoError(t, err)
	err = second.Start(t.Context())
	require.ErrorIs(t, err, ErrInUse)
	require.ErrorContains(t, err, "by process "+strconv.Itoa(os.Getpid()))
	require.FileExists(t, filepath.Join(dir, "dev.json"), "the first one is not disturbed")

	stopStack(t, stack)
	require.NoFileExists(t, filepath.Join(dir, "dev.json"))
	for _, pid := range []int{info.PIDs.Postgres, info.PIDs.Temporal, info.PIDs.Runner} {
		require.False(t, alive(pid))
	}

	began = time.Now()
	again := startStack(t, options(t, dir))
	t.Logf("warm start: %s", time.Since(began))
	after := again.Info()
	require.Equal(t, info.URL, after.URL)
	require.Equal(t, info.Credentials, after.Credentials)
	require.Equal(t, info.TemporalAddress, after.TemporalAddress)
	require.Equal(t, info.DatabaseURL, after.DatabaseURL)
	require.Len(t, runners(t, dir), 1, "registered once")
}

func runners(t *testing.T, dir string) (uuids []string) {
	t.Helper()
	_, err := readJSON(filepath.Join(dir, "runners.json"), &uuids)
	require.NoError(t, err)
	return uuids
}

func TestKilledChildrenComeBack(t *testing.T) {
	dir := dataDir(t)
	opt := options(t, dir)
	opt.Split = true
	startStack(t, opt)
	before := readInfo(t, dir)
	require.NotEqual(t, os.Getpid(), before.PIDs.Server)

	for name, field := range map[string]func(*PIDs) *int{
		"server":   func(p *PIDs) *int { return &p.Server },
		"worker":   func(p *PIDs) *int { return &p.Worker },
		"temporal": func(p *PIDs) *int { return &p.Temporal },
		"postgres": func(p *PIDs) *int { return &p.Postgres },
		"runner":   func(p *PIDs) *int { return &p.Runner },
	} {
		info := readInfo(t, dir)
		old := *field(&info.PIDs)
		require.NoError(t, syscall.Kill(old, syscall.SIGKILL), name)
		eventually(t, name+" comes back", func() bool {
			info = readInfo(t, dir)
			pid := *field(&info.PIDs)
			return pid != 0 && pid != old && alive(pid)
		})
	}
	after := readInfo(t, dir)
	after.PIDs = before.PIDs
	require.Equal(t, before, after, "nothing but the process ids changes")
	require.NoError(t, onDatabase(t.Context(), after.DatabaseURL, "SELECT count(*) FROM boots"))
	require.True(t, answersOK(t.Context(), http.DefaultClient, after.URL+"/readyz"))
	require.True(t, answersOK(t.Context(), http.DefaultClient, after.WorkerMetricsURL[:len(after.WorkerMetricsURL)-len("/metrics")]+"/readyz"))
	require.True(t, answersOK(t.Context(), http.DefaultClient, after.TemporalUIURL))
	requireTemporalWorks(t, after)
}

func requireTemporalWorks(t *testing.T, info Info) {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: info.TemporalAddress, Namespace: info.TemporalNamespace})
	require.NoError(t, err)
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	_, err = c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{ID: "still-works", TaskQueue: "nobody"}, "Anything")
	require.NoError(t, err)

	response, err := http.Get(info.TemporalMetricsURL)
	require.NoError(t, err)
	defer response.Body.Close()
	metrics, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(metrics), `temporal_server_service_requests_total{namespace="pawl",operation="StartWorkflowExecution"`)
}

// TestNothingOutlivesAKilledStack kills the stack with -9 in the middle of a job and
// starts another one over its directory.
func TestNothingOutlivesAKilledStack(t *testing.T) {
	dir := dataDir(t)
	victim := exec.Command(os.Args[0], "fake-stack", dir)
	victim.Stderr = os.Stderr
	require.NoError(t, victim.Start())
	t.Cleanup(func() { _ = victim.Process.Kill() })
	eventually(t, "the stack is up", func() bool {
		_, err := os.Stat(filepath.Join(dir, "dev.json"))
		return err == nil
	})
	info := readInfo(t, dir)
	post(t, info.URL+"/job", "sleep 600 &\necho pid $!\nwait")
	job := jobPID(t, info.URL)
	require.True(t, alive(job))

	require.NoError(t, victim.Process.Kill())
	require.Error(t, victim.Wait())
	for _, pid := range []int{info.PIDs.Postgres, info.PIDs.Temporal, info.PIDs.Runner, job} {
		eventually(t, "process "+strconv.Itoa(pid)+" ends", func() bool { return !alive(pid) })
	}

	stack := startStack(t, options(t, dir))
	require.Equal(t, info.URL, stack.Info().URL)
	require.Equal(t, info.Credentials, stack.Info().Credentials)
	require.Len(t, runners(t, dir), 1)
}

func TestStopDuringStart(t *testing.T) {
	dir := dataDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	parts := fakeParts()
	parts.Migrate = func(ctx context.Context, _ Config) error { cancel(); <-ctx.Done(); return ctx.Err() }
	stack, err := New(options(t, dir), parts)
	require.NoError(t, err)
	require.ErrorIs(t, stack.Start(ctx), context.Canceled)
	require.Zero(t, stack.Info().PIDs)

	startStack(t, options(t, dir))
}

func TestStopAtOnce(t *testing.T) {
	stack, err := New(options(t, dataDir(t)), fakeParts())
	require.NoError(t, err)
	require.NoError(t, stack.Start(t.Context()))
	info := stack.Info()
	post(t, info.URL+"/job", "trap '' TERM\necho pid $$\nsleep 600")
	job := jobPID(t, info.URL)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, stack.Stop(ended), context.Canceled)
	for _, pid := range []int{info.PIDs.Postgres, info.PIDs.Temporal, info.PIDs.Runner, job} {
		eventually(t, "process "+strconv.Itoa(pid)+" ends", func() bool { return !alive(pid) })
	}
	require.ErrorIs(t, stack.Stop(t.Context()), context.Canceled, "the same answer again")
}

func TestFailedPartIsReported(t *testing.T) {
	opt := options(t, dataDir(t))
	opt.NoRunner = true
	failed := make(chan error, 1)
	parts := fakeParts()
	parts.StartWorker = func(context.Context, Config) (Part, error) { return fakeWorker{failed}, nil }
	stack, err := New(opt, parts)
	require.NoError(t, err)
	require.NoError(t, stack.Start(t.Context()))
	defer stopStack(t, stack)
	require.Zero(t, stack.Info().PIDs.Runner)

	failed <- errors.New("lost its way")
	select {
	case err := <-stack.Failed():
		require.ErrorContains(t, err, "worker: lost its way")
	case <-time.After(patience):
		t.Fatal("not reported")
	}
}

func TestForeignDatabase(t *testing.T) {
	server := pgtest.Shared(t)
	name := "pawl_devstack_" + strconv.Itoa(os.Getpid())
	opt := options(t, dataDir(t))
	opt.NoRunner = true
	opt.DatabaseURL = server.URL(name)
	t.Cleanup(func() {
		for _, database := range []string{name, name + "_temporal", name + "_temporal_visibility"} {
			require.NoError(t, server.Drop(database))
		}
	})
	stack := startStack(t, opt)
	require.Zero(t, stack.Info().PIDs.Postgres)
	require.Equal(t, opt.DatabaseURL, stack.Info().DatabaseURL)
	require.NoError(t, onDatabase(t.Context(), server.URL(name+"_temporal"), "SELECT count(*) FROM namespaces"))
	require.NoDirExists(t, filepath.Join(opt.DataDir, "postgres"))
	stopStack(t, stack)
}

func TestMissingProgramIsExplained(t *testing.T) {
	opt := options(t, dataDir(t))
	opt.Temporald = filepath.Join(opt.DataDir, "missing")
	stack, err := New(opt, fakeParts())
	require.NoError(t, err)
	require.ErrorContains(t, stack.Start(t.Context()), "program temporald")
}

func TestOptionsAreChecked(t *testing.T) {
	for _, opt := range []Options{
		{}, {DataDir: "x", HTTP: "nonsense"}, {DataDir: "x", HTTP: "127.0.0.1:http"}, {DataDir: "x", HTTP: "127.0.0.1:70000"},
	} {
		_, err := New(opt, fakeParts())
		require.Error(t, err, "%+v", opt)
	}
}
