package observability

import (
	"context"
	"sync"
	"time"
)

// Check tells whether something that the process needs works. It must return soon after its context ends, and be
// safe for concurrent use with the rest of the process; it is never run twice at the same time.
type Check func(context.Context) error

// outcome is how a check ended.
type outcome struct {
	err  error
	took time.Duration
	at   time.Time // when it ended
}

// probe runs one check, for however many who ask.
type probe struct {
	name    string
	check   Check
	timeout time.Duration
	fresh   time.Duration
	now     func() time.Time
	changed func(name string, err error) // called when the check starts or ceases to fail

	mu      sync.Mutex
	known   bool
	last    outcome
	running chan struct{} // closed when the run under way ends; nil when there is none
}

// outcome returns the last outcome while it is fresh, else that of a run which all who ask meanwhile share. It waits
// no longer than the timeout, even for a check that ignores its context; such a check is left alone and not started
// a second time.
func (p *probe) outcome() outcome {
	done, ready := p.start()
	if ready {
		return p.latest()
	}
	started := p.now()
	timer := time.NewTimer(p.timeout)
	defer timer.Stop()
	select {
	case <-done:
		return p.latest()
	case <-timer.C:
		return outcome{err: context.DeadlineExceeded, took: p.now().Sub(started)}
	}
}

// start begins a run unless one is under way; ready says that there is a fresh outcome and nothing to wait for.
func (p *probe) start() (done <-chan struct{}, ready bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running != nil {
		return p.running, false
	}
	if p.known && p.now().Sub(p.last.at) < p.fresh {
		return nil, true
	}
	p.running = make(chan struct{})
	go p.run(p.running)
	return p.running, false
}

// run has a context of its own: the answer is for all who ask, not only for the first, who may go away.
func (p *probe) run(done chan struct{}) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	started := p.now()
	err := p.check(ctx)
	ended := p.now()
	p.store(outcome{err: err, took: ended.Sub(started), at: ended})
	close(done)
}

func (p *probe) store(latest outcome) {
	p.mu.Lock()
	changed := (latest.err == nil) != (p.last.err == nil)
	p.known, p.last, p.running = true, latest, nil
	p.mu.Unlock()
	if changed {
		p.changed(p.name, latest.err)
	}
}

func (p *probe) latest() outcome {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last
}
