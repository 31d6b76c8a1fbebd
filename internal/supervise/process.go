package supervise

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"
)

// ErrStopped is returned by Start when Stop was called before or meanwhile.
var ErrStopped = errors.New("stopped")

// steadyAfter is how long a process must have run for its next failure to count as a
// first one again.
const steadyAfter = 10 * time.Second

// Process is one supervised child. All methods may be called at any time and from any
// goroutine.
type Process struct {
	opt  Options
	tail *tailWriter

	startOnce, stopOnce, killOnce sync.Once
	stopping, killing, done       chan struct{}

	mu  sync.Mutex
	pid int
}

// New returns a process that is not started yet.
func New(opt Options) (*Process, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Process{
		opt:      opt,
		tail:     newTailWriter(opt.Output),
		stopping: make(chan struct{}),
		killing:  make(chan struct{}),
		done:     make(chan struct{}),
	}, nil
}

// Start returns when the process is ready, or why its first start failed; nothing is
// left running then, and nothing is tried again. Once it has been ready it is restarted
// until Stop. The context bounds only this call. A second call is an error.
func (p *Process) Start(ctx context.Context) error {
	err := fmt.Errorf("%s: already started", p.opt.Name)
	p.startOnce.Do(func() {
		first := make(chan error, 1)
		go p.supervise(first)
		select {
		case err = <-first:
		case <-ctx.Done():
			p.Kill()
			<-p.done
			err = fmt.Errorf("start %s: %w", p.opt.Name, ctx.Err())
		}
	})
	return err
}

// Stop sends the stop signal, waits for the process to end, and kills it when the grace
// time is over or the context ends, which is the only error. It may be called again,
// and before Start, which then fails.
func (p *Process) Stop(ctx context.Context) error {
	p.stopOnce.Do(func() { close(p.stopping) })
	p.startOnce.Do(func() { close(p.done) })
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		p.Kill()
		<-p.done
		return fmt.Errorf("stop %s: killed: %w", p.opt.Name, ctx.Err())
	}
}

// Kill ends the process and its group at once and for good, without waiting for it.
func (p *Process) Kill() {
	p.stopOnce.Do(func() { close(p.stopping) })
	p.killOnce.Do(func() { close(p.killing) })
}

// Done is closed when the process has ended and will not be started again.
func (p *Process) Done() <-chan struct{} { return p.done }

// PID is the process id of the running child, 0 while there is none.
func (p *Process) PID() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.pid
}

func (p *Process) setPID(pid int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pid = pid
}

// supervise is the goroutine that owns the child. It keeps its thread, because the
// kernel sends the death signal when the creating thread ends, not the process.
func (p *Process) supervise(first chan<- error) {
	runtime.LockOSThread()
	defer close(p.done)
	readyOnce := false
	onReady := func() {
		if !readyOnce {
			readyOnce = true
			first <- nil
		}
	}
	for pause := p.opt.MinBackoff; ; {
		began := time.Now()
		err := p.runOnce(onReady)
		if p.isStopping() {
			err = ErrStopped
		}
		if !readyOnce {
			first <- fmt.Errorf("start %s: %w", p.opt.Name, err)
			return
		}
		if time.Since(began) > steadyAfter {
			pause = p.opt.MinBackoff
		}
		if !p.pause(pause, err) {
			return
		}
		pause = min(2*pause, p.opt.MaxBackoff)
	}
}

// pause waits before a restart and reports whether there is to be one.
func (p *Process) pause(d time.Duration, reason error) bool {
	if p.isStopping() {
		return false
	}
	p.opt.Logger.Warn("child process ended, restarting", "process", p.opt.Name, "error", reason, "pause", d)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-p.stopping:
		return false
	}
}

func (p *Process) isStopping() bool {
	select {
	case <-p.stopping:
		return true
	default:
		return false
	}
}
