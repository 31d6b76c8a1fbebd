package postgres

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newCluster starts a cluster whose parent directory nobody else may enter, as
// mktemp -d makes it; t.TempDir would be open.
func newCluster(t *testing.T, dir string, port int) (*Cluster, chan int) {
	t.Helper()
	pids := make(chan int, 20)
	c, err := New(Options{Dir: filepath.Join(dir, "postgres"), Port: port, Volatile: true, OnChange: func(pid int) { pids <- pid }})
	require.NoError(t, err)
	t.Cleanup(func() { stop(t, c) })
	require.NoError(t, c.Start(t.Context()))
	return c, pids
}

func privateDir(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts PostgreSQL")
	}
	dir, err := os.MkdirTemp("", "pawl-postgres-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func stop(t *testing.T, c *Cluster) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	require.NoError(t, c.Stop(ctx))
}

func receive(t *testing.T, pids <-chan int) int {
	t.Helper()
	select {
	case pid := <-pids:
		return pid
	case <-time.After(30 * time.Second):
		t.Fatal("no change reported")
		return 0
	}
}

func query[T any](t *testing.T, url, statement string) (value T) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	require.NoError(t, conn.QueryRow(t.Context(), statement).Scan(&value))
	return value
}

func execute(t *testing.T, url, statement string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), statement)
	require.NoError(t, err)
}

func TestClusterLife(t *testing.T) {
	dir := privateDir(t)
	c, pids := newCluster(t, dir, 0)
	require.Equal(t, receive(t, pids), c.PID())
	url := c.URL("pawl")
	require.NoError(t, EnsureDatabase(t.Context(), url))
	require.NoError(t, EnsureDatabase(t.Context(), url), "twice is once")
	execute(t, url, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")

	require.Equal(t, "UTF8", query[string](t, url, "SHOW server_encoding"))
	require.Equal(t, "200", query[string](t, url, "SHOW max_connections"))
	require.Equal(t, "on", query[string](t, url, "SHOW synchronous_commit"))
	require.Equal(t, "scram-sha-256", query[string](t, url, "SHOW password_encryption"))

	stop(t, c)
	stop(t, c)
	require.Zero(t, c.PID())
	again, _ := newCluster(t, dir, c.Port())
	require.Equal(t, c.URL("pawl"), again.URL("pawl"), "the password stays")
	require.Equal(t, 7, query[int](t, url, "SELECT id FROM kept"))
}

func TestDurableUnlessVolatile(t *testing.T) {
	c, err := New(Options{Dir: t.TempDir()})
	require.NoError(t, err)
	require.Equal(t, "on", c.settings()["fsync"])
	require.Equal(t, "on", c.settings()["synchronous_commit"])
}

func TestWrongPasswordIsRefused(t *testing.T) {
	c, _ := newCluster(t, privateDir(t), 0)
	config, err := pgx.ParseConfig(c.URL("postgres"))
	require.NoError(t, err)
	config.Password = "guess"
	_, err = pgx.ConnectConfig(t.Context(), config)
	require.ErrorContains(t, err, "password authentication failed")
}

func TestKilledServerComesBack(t *testing.T) {
	c, pids := newCluster(t, privateDir(t), 0)
	first := receive(t, pids)
	url := c.URL("postgres")
	execute(t, url, "CREATE TABLE kept (id int); INSERT INTO kept VALUES (7)")

	// A busy backend does not notice at once that its server is gone.
	busy, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer busy.Close(context.Background())
	ended := make(chan error, 1)
	go func() { _, err := busy.Exec(context.Background(), "SELECT pg_sleep(600)"); ended <- err }()
	require.Eventually(t, func() bool {
		return query[int](t, url, "SELECT count(*)::int FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'") == 1
	}, 10*time.Second, 5*time.Millisecond)

	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	require.Zero(t, receive(t, pids))
	require.NotEqual(t, first, receive(t, pids))
	require.Equal(t, 7, query[int](t, url, "SELECT id FROM kept"), "same port, same data")
	require.Error(t, <-ended)
}

func TestOrphanOfAKilledSupervisorIsTakenOver(t *testing.T) {
	dir := privateDir(t)
	c, _ := newCluster(t, dir, 0)
	stop(t, c)
	command, err := c.command(t.Context())
	require.NoError(t, err)
	orphan := exec.Command(command.Path, command.Args...)
	orphan.Dir, orphan.SysProcAttr = command.Dir, command.Attr
	require.NoError(t, orphan.Start())
	require.NoError(t, c.waitReady(t.Context()))

	successor, pids := newCluster(t, dir, c.Port())
	require.NoError(t, orphan.Wait(), "ended by the fast shutdown")
	require.NotEqual(t, orphan.Process.Pid, receive(t, pids))
	require.Equal(t, 1, query[int](t, successor.URL("postgres"), "SELECT 1"))
}

func TestLeftoverServerIsEnded(t *testing.T) {
	c, pids := newCluster(t, privateDir(t), 0)
	first := receive(t, pids)
	running, err := serverProcesses(c.dataDir())
	require.NoError(t, err)
	require.Contains(t, running, first)

	require.NoError(t, clearLeftovers(t.Context(), c.dataDir()))
	require.Zero(t, receive(t, pids))
	require.NotEqual(t, first, receive(t, pids), "its supervisor starts it again")
}

func TestStalePIDFileIsIgnored(t *testing.T) {
	dir := privateDir(t)
	c, _ := newCluster(t, dir, 0)
	stop(t, c)
	// A process that lives, but is not the server of this directory.
	stale := filepath.Join(c.dataDir(), "postmaster.pid")
	require.NoError(t, os.WriteFile(stale, []byte("1\n"), 0o600))
	newCluster(t, dir, 0)
}

func TestVersionMismatchIsExplained(t *testing.T) {
	dir := privateDir(t)
	c, _ := newCluster(t, dir, 0)
	stop(t, c)
	require.NoError(t, os.WriteFile(filepath.Join(c.dataDir(), "PG_VERSION"), []byte("9\n"), 0o600))
	other, err := New(Options{Dir: filepath.Join(dir, "postgres")})
	require.NoError(t, err)
	require.ErrorContains(t, other.Start(t.Context()), "was made by PostgreSQL 9")
}

func TestMissingPasswordIsExplained(t *testing.T) {
	dir := privateDir(t)
	c, _ := newCluster(t, dir, 0)
	stop(t, c)
	require.NoError(t, os.Remove(c.passwordFile()))
	other, err := New(Options{Dir: filepath.Join(dir, "postgres")})
	require.NoError(t, err)
	require.ErrorContains(t, other.Start(t.Context()), "password is missing")
}

func TestInterruptedInitIsRepeated(t *testing.T) {
	dir := privateDir(t)
	half := filepath.Join(dir, "postgres", "data.new")
	require.NoError(t, os.MkdirAll(half, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600))
	newCluster(t, dir, 0)
	require.NoDirExists(t, half)
}

func TestPortInUse(t *testing.T) {
	c, _ := newCluster(t, privateDir(t), 0)
	other, err := New(Options{Dir: filepath.Join(privateDir(t), "postgres"), Port: c.Port(), Volatile: true})
	require.NoError(t, err)
	require.ErrorContains(t, other.Start(t.Context()), "port of the cluster")
}

func TestEnsureDatabaseKeepsThePasswordOutOfErrors(t *testing.T) {
	err := EnsureDatabase(t.Context(), "postgres://u:hush%zz@127.0.0.1:1/x")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
	err = EnsureDatabase(t.Context(), "postgres://u:hush@127.0.0.1:1/x")
	require.Error(t, err)
	require.NotContains(t, err.Error(), "hush")
}

func TestDirIsRequired(t *testing.T) {
	_, err := New(Options{})
	require.Error(t, err)
}
