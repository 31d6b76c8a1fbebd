package runnergw

import (
	"container/list"
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/pawl-ci/pawl/db"
)

// waiter is one held poll. All but wake is guarded by the dispatcher's lock.
type waiter struct {
	runner *db.Runner
	wake   chan struct{}
	// place is where it stands in the queue of those that can be woken for an offer; nil while it has been woken for
	// one and has not looked yet.
	place *list.Element
	// offer is what it was woken for and has not looked for yet.
	offer *wakeup
	// ended: the poll shall be answered empty now.
	ended bool
}

// wakeup is an offer with the labels that it asks for.
type wakeup struct {
	notice db.OfferNotice
	labels []string
}

// fits tells whether the waiter's runner may take the offer.
func (u *wakeup) fits(r *db.Runner) bool {
	return !r.IsDisabled && u.notice.Within(r.Scope()) && containsAll(r.Labels, u.labels)
}

// containsAll compares exactly, letter case included (runner-protocol.md §4).
func containsAll(have, want []string) bool {
	for _, w := range want {
		found := false
		for _, h := range have {
			found = found || h == w
		}
		if !found {
			return false
		}
	}
	return true
}

// dispatcher holds the polls that wait for work. For each new offer it wakes one of those that fit, the one that has
// waited longest; a wake-up that is not used is passed on.
type dispatcher struct {
	limit int

	mu       sync.Mutex
	queue    *list.List // of *waiter
	held     map[*waiter]struct{}
	draining bool
	drained  chan struct{}
}

func newDispatcher(limit int) *dispatcher {
	return &dispatcher{limit: limit, queue: list.New(), held: map[*waiter]struct{}{}, drained: make(chan struct{})}
}

// join adds a poll. It can be woken from now on, so that an offer that is made while it looks for the first time is
// not missed. ok is false when no poll is to be held.
func (d *dispatcher) join(r *db.Runner) (w *waiter, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.draining || len(d.held) >= d.limit {
		return nil, false
	}
	w = &waiter{runner: r, wake: make(chan struct{}, 1)}
	d.held[w] = struct{}{}
	w.place = d.queue.PushBack(w)
	return w, true
}

// look notes that the waiter looks for work now, as the runner r: it may be woken again from here on.
func (d *dispatcher) look(w *waiter, r *db.Runner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w.runner, w.offer = r, nil
	if w.place == nil {
		w.place = d.queue.PushFront(w) // it has waited longer than those that were not woken
	}
}

// leave ends a poll and passes on the wake-up that it has not used.
func (d *dispatcher) leave(w *waiter) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.held, w)
	if w.place != nil {
		d.queue.Remove(w.place)
	}
	if w.offer != nil {
		d.offerLocked(w.offer, 1)
	}
}

// offer wakes at most n waiters that fit.
func (d *dispatcher) offer(u *wakeup, n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.offerLocked(u, n)
}

func (d *dispatcher) offerLocked(u *wakeup, n int) {
	var next *list.Element
	for e := d.queue.Front(); e != nil && n > 0; e = next {
		next = e.Next()
		w := e.Value.(*waiter)
		if !u.fits(w.runner) {
			continue
		}
		d.queue.Remove(e)
		w.place, w.offer = nil, u
		w.signal()
		n--
	}
}

// wakeAll makes every poll look again, because notifications may have been lost.
func (d *dispatcher) wakeAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.held {
		w.signal()
	}
}

// changed makes the polls of a runner look again, because the runner has changed.
func (d *dispatcher) changed(runner uuid.UUID) { d.each(runner, (*waiter).signal) }

// end answers the polls of a runner: its process has been replaced by another.
func (d *dispatcher) end(runner uuid.UUID) {
	d.each(runner, func(w *waiter) {
		w.ended = true
		w.signal()
	})
}

func (d *dispatcher) each(runner uuid.UUID, fn func(*waiter)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for w := range d.held {
		if w.runner.UUID == runner {
			fn(w)
		}
	}
}

// signal never blocks: a value that waits in the channel is enough.
func (w *waiter) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// wait returns true when the waiter shall look for work (again), at latest after the time given, and false when its
// poll is over.
func (d *dispatcher) wait(ctx context.Context, w *waiter, atMost time.Duration) bool {
	timer := time.NewTimer(atMost)
	defer timer.Stop()
	select {
	case <-w.wake:
	case <-timer.C:
	case <-ctx.Done():
		return false
	case <-d.drained:
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return !w.ended
}

// drain answers all polls and holds no more.
func (d *dispatcher) drain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.draining {
		d.draining = true
		close(d.drained)
	}
}

func (d *dispatcher) isDraining() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.draining
}

func (d *dispatcher) heldPolls() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.held)
}
