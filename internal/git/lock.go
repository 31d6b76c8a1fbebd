package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pawl-ci/pawl/internal/pacing"
)

// lockRetry is how often a lock held by another server process is tried again.
const lockRetry = 20 * time.Millisecond

// Lock waits until nobody writes to a repository, and keeps it so until unlock is called. While it is held, no push is
// between its refs and its OnPush. The error is the reason why ctx ended, or that the lock's file is not to be had.
func (s *Store) Lock(ctx context.Context, id int64) (unlock func(), err error) {
	if err := checkID(id); err != nil {
		return nil, err
	}
	return s.locks.lock(ctx, id)
}

// repositoryLocks lets one writer at a time at each repository: first among the goroutines of this
// process, then, by a lock on a file, among processes. The system frees the file lock of a dead process.
type repositoryLocks struct {
	dir  string
	mu   sync.Mutex
	held map[int64]*turn
}

// turn is the queue of this process for one repository.
type turn struct {
	token chan struct{} // holds one value while nobody has the turn
	users int
}

func newRepositoryLocks(dir string) *repositoryLocks {
	return &repositoryLocks{dir: dir, held: map[int64]*turn{}}
}

// lock waits until the caller is the only writer of the repository, or until ctx is done.
func (l *repositoryLocks) lock(ctx context.Context, id int64) (unlock func(), err error) {
	t := l.enter(id)
	select {
	case <-t.token:
	case <-ctx.Done():
		l.leave(id, t)
		return nil, context.Cause(ctx)
	}
	file, err := l.lockFile(ctx, id)
	if err != nil {
		t.token <- struct{}{}
		l.leave(id, t)
		return nil, err
	}
	return func() {
		file.Close()
		t.token <- struct{}{}
		l.leave(id, t)
	}, nil
}

func (l *repositoryLocks) enter(id int64) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, ok := l.held[id]
	if !ok {
		t = &turn{token: make(chan struct{}, 1)}
		t.token <- struct{}{}
		l.held[id] = t
	}
	t.users++
	return t
}

func (l *repositoryLocks) leave(id int64, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(l.held, id)
	}
}

// lockFile takes the lock against other processes. The file is never removed: removing it while
// another process waits for it would let two in.
func (l *repositoryLocks) lockFile(ctx context.Context, id int64) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(l.dir, strconv.FormatInt(id, 10)), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock repository: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return file, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			file.Close()
			return nil, fmt.Errorf("lock repository: %w", err)
		}
		if pacing.Pause(ctx, lockRetry) != nil {
			file.Close()
			return nil, context.Cause(ctx)
		}
	}
}
