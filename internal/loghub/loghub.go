// Package loghub tells readers in the same process that a task's log has grown, so that a live tail does not have to
// poll. It carries no rows and promises nothing across processes: a reader looks into the database when it is woken
// and also every now and then.
package loghub

import "sync"

// Hub connects those who append to logs with those who follow them. Make it with New.
type Hub struct {
	mu    sync.RWMutex
	tasks map[int64]map[chan struct{}]struct{}
}

// New makes a hub without subscribers.
func New() *Hub {
	return &Hub{tasks: map[int64]map[chan struct{}]struct{}{}}
}

// Subscribe returns a channel that gets a value soon after the log of the task has changed; several changes may give
// one value. cancel ends the subscription and may be called more than once.
func (h *Hub) Subscribe(task int64) (changed <-chan struct{}, cancel func()) {
	c := make(chan struct{}, 1)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.tasks[task] == nil {
		h.tasks[task] = map[chan struct{}]struct{}{}
	}
	h.tasks[task][c] = struct{}{}
	return c, func() { h.unsubscribe(task, c) }
}

func (h *Hub) unsubscribe(task int64, c chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.tasks[task], c)
	if len(h.tasks[task]) == 0 {
		delete(h.tasks, task)
	}
}

// Publish wakes the subscribers of a task. It never blocks.
func (h *Hub) Publish(task int64) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for c := range h.tasks[task] {
		select {
		case c <- struct{}{}:
		default: // woken already and not looked yet
		}
	}
}
