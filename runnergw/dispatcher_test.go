package runnergw

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func testRunner(s db.Scope, labels ...string) *db.Runner {
	return &db.Runner{UUID: uuid.New(), OwnerID: s.OwnerID, RepoID: s.RepoID, Labels: labels}
}

func mustJoin(t *testing.T, d *dispatcher, r *db.Runner) *waiter {
	t.Helper()
	w, ok := d.join(r)
	require.True(t, ok)
	return w
}

// woken tells which of the waiters have been woken, and takes the wake-ups.
func woken(ws ...*waiter) (list []int) {
	for i, w := range ws {
		select {
		case <-w.wake:
			list = append(list, i)
		default:
		}
	}
	return list
}

func linuxOffer() *wakeup {
	return &wakeup{notice: db.OfferNotice{LabelSetID: 1, OwnerID: 7, RepoID: 8}, labels: []string{"linux"}}
}

func TestOffersWakeTheLongestWaitingThatFit(t *testing.T) {
	d := newDispatcher(10)
	disabled := testRunner(db.Scope{}, "linux")
	disabled.IsDisabled = true
	ws := []*waiter{
		mustJoin(t, d, testRunner(db.Scope{}, "mac")), mustJoin(t, d, testRunner(db.Scope{OwnerID: 9}, "linux")), mustJoin(t, d, disabled),
		mustJoin(t, d, testRunner(db.Scope{}, "linux")), mustJoin(t, d, testRunner(db.Scope{OwnerID: 7}, "x", "linux")),
		mustJoin(t, d, testRunner(db.Scope{RepoID: 8}, "linux")), mustJoin(t, d, testRunner(db.Scope{RepoID: 9}, "linux")),
	}
	d.offer(linuxOffer(), 1)
	require.Equal(t, []int{3}, woken(ws...))
	d.offer(linuxOffer(), 5)
	require.Equal(t, []int{4, 5}, woken(ws...), "who was woken and has not looked is not woken again")
	d.look(ws[4], ws[4].runner)
	d.offer(linuxOffer(), 1)
	require.Equal(t, []int{4}, woken(ws...), "who has looked may be woken again")
}

func TestUnusedWakeUpIsPassedOn(t *testing.T) {
	d := newDispatcher(10)
	first, second := mustJoin(t, d, testRunner(db.Scope{}, "linux")), mustJoin(t, d, testRunner(db.Scope{}, "linux"))
	d.offer(linuxOffer(), 1)
	d.leave(first)
	require.Equal(t, []int{1}, woken(first, second)[1:])
	d.look(second, second.runner)
	d.leave(second)
	require.Zero(t, d.heldPolls())
	require.Zero(t, d.queue.Len())
}

func TestWakeUpThatWasUsedIsNotPassedOn(t *testing.T) {
	d := newDispatcher(10)
	first, second := mustJoin(t, d, testRunner(db.Scope{}, "linux")), mustJoin(t, d, testRunner(db.Scope{}, "linux"))
	d.offer(linuxOffer(), 1)
	d.look(first, first.runner)
	d.leave(first)
	require.Empty(t, woken(second))
}

func TestNoMorePollsThanTheLimit(t *testing.T) {
	d := newDispatcher(1)
	w := mustJoin(t, d, testRunner(db.Scope{}))
	_, ok := d.join(testRunner(db.Scope{}))
	require.False(t, ok)
	d.leave(w)
	mustJoin(t, d, testRunner(db.Scope{}))
}

func TestWaitEnds(t *testing.T) {
	tests := map[string]struct {
		happens func(d *dispatcher, w *waiter, cancel func())
		again   bool
		after   time.Duration
	}{
		"timer":       {func(*dispatcher, *waiter, func()) {}, true, time.Minute},
		"offer":       {func(d *dispatcher, _ *waiter, _ func()) { d.offer(linuxOffer(), 1) }, true, time.Second},
		"all":         {func(d *dispatcher, _ *waiter, _ func()) { d.wakeAll() }, true, time.Second},
		"changed":     {func(d *dispatcher, w *waiter, _ func()) { d.changed(w.runner.UUID) }, true, time.Second},
		"another one": {func(d *dispatcher, _ *waiter, _ func()) { d.changed(uuid.New()) }, true, time.Minute},
		"ended":       {func(d *dispatcher, w *waiter, _ func()) { d.end(w.runner.UUID) }, false, time.Second},
		"drained":     {func(d *dispatcher, _ *waiter, _ func()) { d.drain(); d.drain() }, false, time.Second},
		"gone":        {func(_ *dispatcher, _ *waiter, cancel func()) { cancel() }, false, time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := newDispatcher(10)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				w := mustJoin(t, d, testRunner(db.Scope{}, "linux"))
				time.AfterFunc(time.Second, func() { tt.happens(d, w, cancel) })
				begin := time.Now()
				require.Equal(t, tt.again, d.wait(ctx, w, time.Minute))
				require.Equal(t, tt.after, time.Since(begin))
			})
		})
	}
}

func TestDrainedDispatcherHoldsNoPolls(t *testing.T) {
	d := newDispatcher(10)
	d.drain()
	_, ok := d.join(testRunner(db.Scope{}))
	require.False(t, ok)
	require.True(t, d.isDraining())
}

func BenchmarkOfferAmongThousandWaiters(b *testing.B) {
	d := newDispatcher(1000)
	for range 1000 {
		_, _ = d.join(testRunner(db.Scope{}, "a", "b", "c"))
	}
	u := linuxOffer()
	b.ReportAllocs()
	for b.Loop() {
		d.offer(u, 1)
	}
}
