package devstack

import (
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	orphanPoll = 250 * time.Millisecond
	// orphanGrace is how long a process may hold up a step whose shell has ended.
	orphanGrace = time.Second
)

// orphanWatch ends what the official runner leaves of a step in host mode. When it
// cancels a step or its time is up, it kills the step's shell and nothing else; a
// command that the shell was waiting for goes on, and because it still holds the pipe
// of the step's output, the runner waits for it and keeps the slot. The watch kills the
// process group of a step whose leader is gone for longer than the grace time while a
// member still writes to the runner. Daemons, which redirect their output, live on.
type orphanWatch struct {
	mark      string
	runner    func() int
	logger    *slog.Logger
	firstSeen map[int]time.Time // by process group
	once      sync.Once
	quit      chan struct{}
	done      chan struct{}
}

func watchOrphans(mark string, runner func() int, logger *slog.Logger) *orphanWatch {
	w := &orphanWatch{
		mark: mark, runner: runner, logger: logger, firstSeen: map[int]time.Time{},
		quit: make(chan struct{}), done: make(chan struct{}),
	}
	go w.run()
	return w
}

// stop may be called again.
func (w *orphanWatch) stop() {
	w.once.Do(func() { close(w.quit) })
	<-w.done
}

func (w *orphanWatch) run() {
	defer close(w.done)
	ticker := time.NewTicker(orphanPoll)
	defer ticker.Stop()
	for {
		select {
		case <-w.quit:
			return
		case now := <-ticker.C:
			w.check(now)
		}
	}
}

func (w *orphanWatch) check(now time.Time) {
	groups := w.leaderless()
	for group := range w.firstSeen {
		if !groups[group] {
			delete(w.firstSeen, group)
		}
	}
	for group := range groups {
		seen, known := w.firstSeen[group]
		switch {
		case !known:
			w.firstSeen[group] = now
		case now.Sub(seen) >= orphanGrace:
			w.logger.Info("killing what is left of a cancelled step", "group", group)
			_ = syscall.Kill(-group, syscall.SIGKILL)
		}
	}
}

// leaderless returns the process groups of jobs whose leader is gone and of which a
// member still writes to the runner.
func (w *orphanWatch) leaderless() map[int]bool {
	groups := map[int]bool{}
	var pipes map[string]bool // read only if there is something to compare
	for _, pid := range processIDs() {
		group := groupOf(pid)
		if group <= 1 || group == pid || groups[group] || processExists(group) || !hasMark(pid, w.mark) {
			continue
		}
		if pipes == nil {
			pipes = openPipes(w.runner())
		}
		if pipes[output(pid, 1)] || pipes[output(pid, 2)] {
			groups[group] = true
		}
	}
	return groups
}

// groupOf returns the process group, 0 if the process is gone. Its number is the fifth
// field of stat, the third after the name, which may contain anything.
func groupOf(pid int) int {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	rest := string(stat[strings.LastIndexByte(string(stat), ')')+1:])
	fields := strings.Fields(rest)
	if len(fields) < 3 {
		return 0
	}
	group, _ := strconv.Atoi(fields[2])
	return group
}

func processExists(pid int) bool {
	_, err := os.Stat("/proc/" + strconv.Itoa(pid))
	return err == nil
}

// openPipes returns the pipes that a process holds.
func openPipes(pid int) map[string]bool {
	pipes := map[string]bool{}
	dir := "/proc/" + strconv.Itoa(pid) + "/fd"
	entries, err := os.ReadDir(dir)
	if err != nil {
		return pipes
	}
	for _, entry := range entries {
		if target, err := os.Readlink(dir + "/" + entry.Name()); err == nil && strings.HasPrefix(target, "pipe:") {
			pipes[target] = true
		}
	}
	return pipes
}

func output(pid, fd int) string {
	target, err := os.Readlink("/proc/" + strconv.Itoa(pid) + "/fd/" + strconv.Itoa(fd))
	if err != nil {
		return ""
	}
	return target
}
