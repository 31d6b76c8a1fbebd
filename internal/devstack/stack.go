package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/internal/supervise"
)

const (
	// logLimit bounds each log file; twice that is on disk.
	logLimit = 16 << 20
	// abortLimit bounds the clean-up after a failed start.
	abortLimit = 30 * time.Second
)

// Stack is everything that runs.
type Stack struct {
	opt    Options
	parts  Parts
	state  state
	config Config
	board  *board
	failed chan error

	mu      sync.Mutex
	lock    *lock
	stages  [][]stopper // in the order of their start
	logs    []io.Closer
	stopped chan struct{} // closed when Stop has begun
	ended   chan struct{} // closed when Stop is through
	stopErr error
}

// New returns a stack that is not started. Nothing is written yet.
func New(opt Options, parts Parts) (*Stack, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Stack{
		opt: opt, parts: parts,
		board:   &board{path: filepath.Join(opt.DataDir, "dev.json"), logger: opt.Logger},
		failed:  make(chan error, 1),
		stopped: make(chan struct{}),
		ended:   make(chan struct{}),
	}, nil
}

// Start returns when everything is ready and dev.json written. An error leaves nothing
// running; it is ErrInUse if another stack runs over the data directory. The context
// bounds only this call. It must not be called twice.
func (s *Stack) Start(ctx context.Context) error {
	err := s.start(ctx)
	if err == nil {
		return nil
	}
	abort, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortLimit)
	defer cancel()
	return errors.Join(err, s.Stop(abort))
}

func (s *Stack) start(ctx context.Context) error {
	if err := s.open(); err != nil {
		return err
	}
	found, err := s.findPrograms()
	if err != nil {
		return err
	}
	for _, step := range []func(context.Context, executables) error{
		s.startGuard, s.startPostgres, s.startEngine, s.startApp, s.startRunner,
	} {
		if err := step(ctx, found); err != nil {
			return err
		}
	}
	return s.board.publish()
}

// open takes the data directory into possession. Other users may pass through it, to
// what they can reach below, because PostgreSQL may have to run as another user.
func (s *Stack) open() error {
	for _, dir := range []string{s.opt.DataDir, s.logDir()} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
	}
	lock, err := acquireLock(s.path("lock"))
	if err != nil {
		return err
	}
	s.lock = lock
	if err := s.board.withdraw(); err != nil { // of a stack that was killed
		return err
	}
	if s.state, err = loadState(s.path("state.json")); err != nil {
		return err
	}
	return nil
}

func (s *Stack) path(name string) string { return filepath.Join(s.opt.DataDir, name) }
func (s *Stack) logDir() string          { return s.path("logs") }
func (s *Stack) mark() string            { return "PAWL_DEV_STACK=" + s.state.ID }

func (s *Stack) saveState() error { return writeJSON(s.path("state.json"), s.state) }

func (s *Stack) openLog(name string) (io.Writer, error) {
	log, err := supervise.OpenLogFile(filepath.Join(s.logDir(), name+".log"), logLimit)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logs = append(s.logs, log)
	return log, nil
}

// started remembers what Stop has to stop, in stages. Nil entries are left out.
func (s *Stack) started(stage ...stopper) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stages = append(s.stages, slices.DeleteFunc(stage, func(part stopper) bool { return part == nil }))
}

// Info is what dev.json says at this moment.
func (s *Stack) Info() Info { return s.board.snapshot() }

// Failed delivers the reason when a part of this process has ended by itself; the stack
// is of no use then and should be stopped.
func (s *Stack) Failed() <-chan error { return s.failed }

func (s *Stack) fail(err error) {
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

// Stop drains the stack: the runner first, then server and worker, Temporal, and
// PostgreSQL. When the context ends, what still runs is killed. Nothing stays behind in
// either case. It may be called again, and before Start.
func (s *Stack) Stop(ctx context.Context) error {
	s.mu.Lock()
	first := true
	select {
	case <-s.stopped:
		first = false
	default:
		close(s.stopped)
	}
	stages := s.stages
	s.mu.Unlock()
	if first {
		s.stopErr = s.stop(ctx, stages)
		close(s.ended)
	}
	<-s.ended
	return s.stopErr
}

func (s *Stack) stop(ctx context.Context, stages [][]stopper) error {
	if s.lock == nil {
		return nil // not ours
	}
	errs := []error{s.board.withdraw()}
	for i := len(stages) - 1; i >= 0; i-- {
		var group errgroup.Group
		for _, part := range stages[i] {
			group.Go(func() error { return part.Stop(ctx) })
		}
		errs = append(errs, group.Wait())
	}
	for _, log := range s.logs {
		errs = append(errs, log.Close())
	}
	s.lock.release()
	return errors.Join(errs...)
}
