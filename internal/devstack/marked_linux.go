package devstack

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"time"
)

// sweeps bounds how often killMarked looks again: a process may start another one
// while it is being killed.
const (
	sweeps     = 20
	sweepPause = 5 * time.Millisecond
)

// killMarked kills every process that has the mark, NAME=value, in its environment.
func killMarked(mark string) {
	for range sweeps {
		pids := marked(mark)
		if len(pids) == 0 {
			return
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		time.Sleep(sweepPause)
	}
}

func marked(mark string) []int {
	var pids []int
	for _, pid := range processIDs() {
		if hasMark(pid, mark) {
			pids = append(pids, pid)
		}
	}
	return pids
}

func processIDs() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// hasMark is false for what cannot be read: kernel threads, zombies, other users'.
func hasMark(pid int, mark string) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for entry := range bytes.SplitSeq(env, []byte{0}) {
		if string(entry) == mark {
			return true
		}
	}
	return false
}
