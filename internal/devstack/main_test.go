package devstack

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/devstack/temporald"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

// patience is far more than anything here takes.
const patience = 60 * time.Second

// TestMain lets the test binary also be a split server, and a whole stack that a test
// can kill.
func TestMain(m *testing.M) {
	mode := ""
	if len(os.Args) > 1 {
		mode = os.Args[1]
	}
	switch mode {
	case "fake-server":
		exitWith(serveFake(os.Args[2]))
	case "fake-stack":
		exitWith(runStack(os.Args[2]))
	default:
		pgtest.Main(m)
	}
}

func exitWith(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveFake(address string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	server, err := startFakeServer(ctx, Config{HTTPAddress: address, DataDir: os.Getenv("FAKE_DATA_DIR")})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return server.Stop(context.Background())
}

func runStack(dir string) error {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer release()
	options, err := stackOptions(dir)
	if err != nil {
		return err
	}
	stack, err := New(options, fakeParts())
	if err != nil {
		return err
	}
	if err := stack.Start(ctx); err != nil {
		return err
	}
	<-ctx.Done()
	return stack.Stop(context.Background())
}

func stackOptions(dir string) (Options, error) {
	binary, err := temporald.FindForTest()
	if err != nil {
		return Options{}, err
	}
	return Options{
		DataDir:   dir,
		Temporald: binary,
		Runner:    RunnerOptions{Binary: filepath.Join(filepath.Dir(binary), "gitea-runner")},
		Logger:    slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, nil
}

func options(t *testing.T, dir string) Options {
	t.Helper()
	opt, err := stackOptions(dir)
	require.NoError(t, err)
	return opt
}

// dataDir is one that nobody else may enter, as mktemp -d makes it.
func dataDir(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a whole stack")
	}
	dir, err := os.MkdirTemp("", "pawl-devstack-test-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

func startStack(t *testing.T, opt Options) *Stack {
	t.Helper()
	stack, err := New(opt, fakeParts())
	require.NoError(t, err)
	t.Cleanup(func() { stopStack(t, stack) })
	require.NoError(t, stack.Start(t.Context()))
	return stack
}

func stopStack(t *testing.T, stack *Stack) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, stack.Stop(ctx))
}

func readInfo(t *testing.T, dir string) (info Info) {
	t.Helper()
	exists, err := readJSON(filepath.Join(dir, "dev.json"), &info)
	require.NoError(t, err)
	require.True(t, exists)
	return info
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, what)
}

// alive tells zombies, which only wait for their parent to look, from the living.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	return !strings.Contains(string(stat), ") Z ")
}

func onDatabase(ctx context.Context, url, statement string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, statement)
	return err
}

func post(t *testing.T, url, body string) {
	t.Helper()
	response, err := http.Post(url, "text/plain", strings.NewReader(body))
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
}

func task(t *testing.T, url string) (got fakeTask) {
	t.Helper()
	response, err := http.Get(url + "/task")
	require.NoError(t, err)
	defer response.Body.Close()
	require.NoError(t, json.NewDecoder(response.Body).Decode(&got))
	return got
}

// jobPID waits for the log row "pid N" of the running job.
func jobPID(t *testing.T, url string) (pid int) {
	t.Helper()
	eventually(t, "the job runs", func() bool {
		for _, row := range task(t, url).Log {
			if number, ok := strings.CutPrefix(row, "pid "); ok {
				pid, _ = strconv.Atoi(number)
				return true
			}
		}
		return false
	})
	return pid
}
