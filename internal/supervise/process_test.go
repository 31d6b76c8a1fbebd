package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv("SUPERVISE_TEST_PARENT") != "" {
		parentOfDeathSignalTest()
		return
	}
	goleak.VerifyTestMain(m)
}

// parentOfDeathSignalTest is the process that the test kills.
func parentOfDeathSignalTest() {
	p, err := New(Options{
		Name: "child",
		Command: func(context.Context) (Command, error) {
			return Command{Path: "/bin/sleep", Args: []string{"600"}}, nil
		},
		OnChange: func(pid int) { fmt.Println(pid) },
	})
	if err == nil {
		err = p.Start(context.Background())
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	<-p.Done()
}

// shell returns options that run script and report process ids on the channel.
func shell(t *testing.T, script string) (Options, chan int) {
	t.Helper()
	pids := make(chan int, 100)
	return Options{
		Name: "child",
		Command: func(context.Context) (Command, error) {
			return Command{Path: "/bin/sh", Args: []string{"-c", script}, Dir: t.TempDir()}, nil
		},
		OnChange:   func(pid int) { pids <- pid },
		MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond,
	}, pids
}

func start(t *testing.T, opt Options) *Process {
	t.Helper()
	p, err := New(opt)
	require.NoError(t, err)
	t.Cleanup(func() { p.Kill(); stop(t, p) })
	require.NoError(t, p.Start(t.Context()))
	return p
}

func stop(t *testing.T, p *Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	require.NoError(t, p.Stop(ctx))
}

func receive(t *testing.T, pids <-chan int) int {
	t.Helper()
	select {
	case pid := <-pids:
		return pid
	case <-time.After(20 * time.Second):
		t.Fatal("no change reported")
		return 0
	}
}

func requireGone(t *testing.T, pid int) {
	t.Helper()
	require.Eventually(t, func() bool { return !alive(pid) }, 20*time.Second, 5*time.Millisecond, "process %d is still there", pid)
}

// alive tells zombies, which only wait for their parent to look, from the living.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		if _, procErr := os.Stat("/proc/self/stat"); procErr != nil {
			return syscall.Kill(pid, 0) == nil
		}
		return false
	}
	return !strings.Contains(string(stat), ") Z ")
}

func TestRestartAfterKill(t *testing.T) {
	opt, pids := shell(t, "exec sleep 600")
	p := start(t, opt)
	first := receive(t, pids)
	require.Equal(t, first, p.PID())

	require.NoError(t, syscall.Kill(first, syscall.SIGKILL))
	require.Equal(t, 0, receive(t, pids))
	second := receive(t, pids)
	require.NotEqual(t, first, second)

	stop(t, p)
	require.Equal(t, 0, receive(t, pids))
	require.Equal(t, 0, p.PID())
	requireGone(t, second)
}

func TestRestartsAgainAndAgain(t *testing.T) {
	// The first one must not end by itself: that may be before it counts as started.
	opt, pids := shell(t, "exec sleep 600")
	start(t, opt)
	seen := map[int]bool{}
	for len(seen) < 4 {
		if pid := receive(t, pids); pid != 0 {
			seen[pid] = true
			require.NoError(t, syscall.Kill(pid, syscall.SIGKILL))
		}
	}
}

func TestFirstStartFails(t *testing.T) {
	opt, _ := shell(t, "echo no such database >&2; exit 7")
	opt.Ready = func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	p, err := New(opt)
	require.NoError(t, err)
	err = p.Start(t.Context())
	require.ErrorContains(t, err, "start child: exit status 7")
	require.ErrorContains(t, err, "no such database")
	stop(t, p)
}

func TestCommandFails(t *testing.T) {
	opt, _ := shell(t, "")
	opt.Command = func(context.Context) (Command, error) { return Command{}, errors.New("nothing to run") }
	p, err := New(opt)
	require.NoError(t, err)
	require.ErrorContains(t, p.Start(t.Context()), "nothing to run")

	opt.Command = func(context.Context) (Command, error) { return Command{Path: "/no/such/program"}, nil }
	p, err = New(opt)
	require.NoError(t, err)
	require.ErrorIs(t, p.Start(t.Context()), os.ErrNotExist)
}

func TestNotReadyInTimeIsKilled(t *testing.T) {
	opt, _ := shell(t, "exec sleep 600")
	var pid int
	p, err := New(opt)
	require.NoError(t, err)
	p.opt.ReadyTimeout = 20 * time.Millisecond
	p.opt.Ready = func(ctx context.Context) error { pid = p.PID(); <-ctx.Done(); return ctx.Err() }
	require.ErrorIs(t, p.Start(t.Context()), context.DeadlineExceeded)
	requireGone(t, pid)
}

func TestStartContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	opt, _ := shell(t, "exec sleep 600")
	opt.Ready = func(ctx context.Context) error { cancel(); <-ctx.Done(); return ctx.Err() }
	p, err := New(opt)
	require.NoError(t, err)
	require.ErrorIs(t, p.Start(ctx), context.Canceled)
	require.Equal(t, 0, p.PID())
}

func TestStopIsGraceful(t *testing.T) {
	dir := t.TempDir()
	mark := filepath.Join(dir, "stopped")
	opt, _ := shell(t, "trap 'echo bye > "+mark+"; exit 0' TERM; echo up; while :; do sleep 0.01; done")
	up := make(chan struct{})
	opt.Output = writerFunc(func(b []byte) { close(up) })
	opt.Ready = func(ctx context.Context) error { <-up; return nil }
	p := start(t, opt)
	stop(t, p)
	require.FileExists(t, mark)
	stop(t, p)
}

func TestStopKillsAfterGrace(t *testing.T) {
	opt, pids := shell(t, "trap '' TERM; echo up; while :; do sleep 0.01; done")
	up := make(chan struct{})
	opt.Output = writerFunc(func(b []byte) { close(up) })
	opt.Ready = func(ctx context.Context) error { <-up; return nil }
	opt.Grace = 10 * time.Millisecond
	p := start(t, opt)
	pid := receive(t, pids)
	stop(t, p)
	requireGone(t, pid)
}

func TestKillDoesNotWaitForGrace(t *testing.T) {
	opt, pids := shell(t, "trap '' TERM; echo up; while :; do sleep 0.01; done")
	up := make(chan struct{})
	opt.Output = writerFunc(func(b []byte) { close(up) })
	opt.Ready = func(ctx context.Context) error { <-up; return nil }
	opt.Grace = time.Hour
	p := start(t, opt)
	pid := receive(t, pids)

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, p.Stop(ended), context.Canceled)
	requireGone(t, pid)
}

func TestGroupDoesNotOutliveTheChild(t *testing.T) {
	opt, _ := shell(t, "sleep 600 & echo $!; wait")
	grandchild := make(chan int, 1)
	opt.Output = writerFunc(func(b []byte) {
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err == nil {
			grandchild <- pid
		}
	})
	p := start(t, opt)
	pid := receive(t, grandchild)
	require.True(t, alive(pid))
	stop(t, p)
	requireGone(t, pid)
}

func TestEarlyStop(t *testing.T) {
	opt, _ := shell(t, "exec sleep 600")
	p, err := New(opt)
	require.NoError(t, err)
	stop(t, p)
	require.Error(t, p.Start(t.Context()))
	require.Equal(t, 0, p.PID())
}

func TestSecondStartIsAnError(t *testing.T) {
	opt, _ := shell(t, "exec sleep 600")
	p := start(t, opt)
	require.ErrorContains(t, p.Start(t.Context()), "already started")
}

func TestAfterExitRunsBeforeRestart(t *testing.T) {
	opt, pids := shell(t, "exec sleep 600")
	exits := make(chan struct{}, 10)
	opt.AfterExit = func() { exits <- struct{}{} }
	start(t, opt)
	require.NoError(t, syscall.Kill(receive(t, pids), syscall.SIGKILL))
	require.Equal(t, 0, receive(t, pids))
	require.NotZero(t, receive(t, pids), "started again")
	require.Len(t, exits, 1)
}

func TestOptionsNeedNameAndCommand(t *testing.T) {
	_, err := New(Options{Name: "x"})
	require.Error(t, err)
}

type writerFunc func([]byte)

func (f writerFunc) Write(b []byte) (int, error) { f(b); return len(b), nil }
