package hook

import (
	"maps"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
)

const (
	// EachReceiver is how many messages a process sends to one receiver at once.
	EachReceiver = 8
	// leastStep and mostWait bound what one that has to wait is told.
	leastStep = 20 * time.Millisecond
	mostWait  = 2 * time.Minute
)

// turns bounds what is sent to one receiver at once, so that one that hangs does not take all the places there are. Nobody
// waits here: who finds no place is told when to come back, and these times are as far apart as the receiver is slow. So
// many that wait for a slow receiver ask no more often than it can take them.
type turns struct {
	mu sync.Mutex
	at map[string]*queue
}

// queue is what is being sent to one receiver.
type queue struct {
	sending int
	took    time.Duration // the latest that ended
	ended   time.Time     // when that was; before the first end, when the sending began
	next    time.Time     // up to when turns were given away
}

// enter takes a place until leave is called, or says for how long to wait.
func (t *turns) enter(to string, now func() time.Time) (leave func(), wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	began := now()
	q := t.queue(to, began)
	if q.sending >= EachReceiver {
		return nil, q.wait(began)
	}
	q.sending++
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		q.sending--
		q.ended = now()
		q.took = q.ended.Sub(began)
	}, 0
}

// queue makes the queue of a receiver that has none, and on this occasion forgets those that nobody needs any more.
func (t *turns) queue(to string, now time.Time) *queue {
	if t.at[to] == nil {
		maps.DeleteFunc(t.at, func(_ string, q *queue) bool { return q.sending == 0 && q.next.Before(now) })
		t.at[to] = &queue{ended: now}
	}
	return t.at[to]
}

// wait gives the next turn away.
func (q *queue) wait(now time.Time) time.Duration {
	step := max(q.took, now.Sub(q.ended)) / EachReceiver
	if q.next.Before(now) {
		q.next = now
	}
	q.next = q.next.Add(max(step, leastStep))
	if latest := now.Add(mostWait); q.next.After(latest) {
		q.next = latest
	}
	return q.next.Sub(now)
}

// receiverOf is who a hook sends to. What is no address is refused when it is sent.
func receiverOf(h *db.Hook) string {
	u, err := url.Parse(h.URL)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}
