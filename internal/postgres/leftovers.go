package postgres

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Times that leftover processes get before the next harder signal.
const (
	leftoverFast      = 10 * time.Second
	leftoverImmediate = 3 * time.Second
	leftoverPoll      = 10 * time.Millisecond
)

// clearLeftovers ends what a killed predecessor left of this very cluster: a server
// without its supervisor, or, after kill -9 of the server, its backends, which hold the
// shared memory that the next server must not find in use. A pid file that names none
// of them is stale, whatever process has that number now, and is removed.
func clearLeftovers(ctx context.Context, dataDir string) error {
	running, err := serverProcesses(dataDir)
	if err != nil {
		return fmt.Errorf("look for leftover servers: %w", err)
	}
	pidFile := filepath.Join(dataDir, "postmaster.pid")
	if postmaster := readPIDFile(pidFile); slices.Contains(running, postmaster) {
		signalAll([]int{postmaster}, syscall.SIGINT)
		running, err = waitGone(ctx, dataDir, leftoverFast)
	}
	for _, sig := range []syscall.Signal{syscall.SIGQUIT, syscall.SIGKILL} {
		if err != nil || len(running) == 0 {
			break
		}
		signalAll(running, sig)
		running, err = waitGone(ctx, dataDir, leftoverImmediate)
	}
	if err != nil {
		return fmt.Errorf("end leftover servers: %w", err)
	}
	if len(running) > 0 {
		return fmt.Errorf("processes %v still use %s and cannot be ended", running, dataDir)
	}
	if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove stale pid file: %w", err)
	}
	return nil
}

// readPIDFile returns the process number in the first line, 0 if there is none.
func readPIDFile(path string) int {
	file, err := os.Open(path)
	if err != nil {
		return 0
	}
	defer file.Close()
	line, _ := bufio.NewReader(file).ReadString('\n')
	pid, _ := strconv.Atoi(strings.TrimSpace(line))
	return pid
}

func signalAll(pids []int, sig syscall.Signal) {
	for _, pid := range pids {
		_ = syscall.Kill(pid, sig)
	}
}

// waitGone returns the processes that are left after at most limit.
func waitGone(ctx context.Context, dataDir string, limit time.Duration) ([]int, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		running, err := serverProcesses(dataDir)
		if err != nil || len(running) == 0 {
			return running, err
		}
		select {
		case <-ctx.Done():
			return running, nil
		case <-time.After(leftoverPoll):
		}
	}
}
