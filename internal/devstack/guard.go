package devstack

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// guardScript waits until its input ends, which it does with the stack, however that
// ends, and then kills the processes that have the mark: the kernel ends the stack's
// own children, but not what those started.
const guardScript = `trap '' INT TERM HUP
cat >/dev/null
for round in 1 2 3 4 5 6 7 8 9 10; do
	pids=$(grep -lsF -e "$1" /proc/[0-9]*/environ | cut -d/ -f3)
	[ -n "$pids" ] || exit 0
	kill -9 $pids 2>/dev/null
done`

// guard is a shell that outlives this process for a moment.
type guard struct {
	cmd   *exec.Cmd
	input io.Closer
}

// startGuard returns nil, which is a valid guard, on systems without /proc.
func startGuard(mark string) (*guard, error) {
	if runtime.GOOS != "linux" {
		return nil, nil
	}
	cmd := exec.Command("/bin/sh", "-c", guardScript, "sh", mark)
	// A stack inside a job of another one: the other's mark must not reach the guard.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start guard: %w", err)
	}
	return &guard{cmd: cmd, input: input}, nil
}

// Stop lets the guard do its work and end.
func (g *guard) Stop(context.Context) error {
	if g == nil {
		return nil
	}
	_ = g.input.Close()
	_ = g.cmd.Wait()
	return nil
}
