package git

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	upkeepTimeout = 30 * time.Minute
	upkeepQueue   = 256
	// staleLockAge is above every time limit on a writing command: a lock file that old has no owner.
	staleLockAge = 3 * time.Hour
	staleTmpAge  = 24 * time.Hour
)

// upkeep packs repositories after pushes, one at a time, in the background.
type upkeep struct {
	store *Store
	run   *runner // one slot of its own: packing is long and must not keep reads waiting
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu      sync.Mutex
	waiting map[int64]bool
	queue   chan int64
}

func newUpkeep(s *Store) *upkeep {
	ctx, cancel := context.WithCancel(context.Background())
	run := newRunner(s.options.Git, environment(s.layout.home()), 1)
	u := &upkeep{store: s, run: run, stop: cancel, waiting: map[int64]bool{}, queue: make(chan int64, upkeepQueue)}
	u.done.Go(func() { u.loop(ctx) })
	return u
}

func (u *upkeep) close() {
	u.stop()
	u.done.Wait()
}

// request asks for upkeep of a repository. Requests are merged; when too many wait, this one is
// dropped, and the next push asks again.
func (u *upkeep) request(id int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.waiting[id] {
		return
	}
	select {
	case u.queue <- id:
		u.waiting[id] = true
	default:
	}
}

func (u *upkeep) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case id := <-u.queue:
			u.mu.Lock()
			delete(u.waiting, id)
			u.mu.Unlock()
			u.maintain(ctx, id)
		}
	}
}

// maintain repacks the repository if git thinks that it is worth it, and removes lock files whose
// owner died, which would block a branch for ever.
func (u *upkeep) maintain(ctx context.Context, id int64) {
	c, err := u.store.command(id, "gc", "--auto", "--quiet")
	if err != nil {
		return
	}
	u.store.removeStaleLocks(id)
	ctx, cancel := context.WithTimeout(ctx, upkeepTimeout)
	defer cancel()
	if _, err := u.run.output(ctx, c); err != nil && !errors.Is(err, context.Canceled) {
		u.store.log.Warn("git upkeep failed", "repository_id", id, "error", err)
	}
}

func (s *Store) removeStaleLocks(id int64) {
	dir := s.layout.repository(id)
	limit := s.options.Now().Add(-staleLockAge)
	for _, name := range []string{"HEAD.lock", "config.lock", "packed-refs.lock"} {
		s.removeOlder(filepath.Join(dir, name), limit)
	}
	_ = filepath.WalkDir(filepath.Join(dir, "refs"), func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && strings.HasSuffix(path, ".lock") {
			s.removeOlder(path, limit)
		}
		return nil
	})
}

func (s *Store) removeOlder(path string, limit time.Time) {
	info, err := os.Lstat(path)
	if err != nil || !info.ModTime().Before(limit) {
		return
	}
	if err := os.RemoveAll(path); err == nil {
		s.log.Warn("removed a git file left by a crash", "file", filepath.Base(path), "age", s.options.Now().Sub(info.ModTime()))
	}
}

// sweepTmp removes what crashed servers left behind. Younger files may belong to a living one.
func (s *Store) sweepTmp() {
	entries, err := os.ReadDir(s.layout.tmp())
	if err != nil {
		return
	}
	limit := s.options.Now().Add(-staleTmpAge)
	for _, entry := range entries {
		s.removeOlder(filepath.Join(s.layout.tmp(), entry.Name()), limit)
	}
}
