package runnergw

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/internal/engine"
)

// maxBeats is how many heartbeats are under way at once; one more is dropped, and the next report tries again.
const maxBeats = 16

// heartbeats tells Temporal that runners are alive, at most once in a while for each task and without holding up the
// runner's answer.
type heartbeats struct {
	tasks   engine.Tasks
	log     *slog.Logger
	metrics *metrics
	every   time.Duration
	now     func() time.Time

	ctx     context.Context
	cancel  context.CancelFunc
	slots   chan struct{}
	mu      sync.Mutex
	stopped bool
	running sync.WaitGroup
}

func newHeartbeats(tasks engine.Tasks, log *slog.Logger, m *metrics, every time.Duration, now func() time.Time) *heartbeats {
	ctx, cancel := context.WithCancel(context.Background())
	return &heartbeats{tasks: tasks, log: log, metrics: m, every: every, now: now, ctx: ctx, cancel: cancel,
		slots: make(chan struct{}, maxBeats)}
}

// beat sends a heartbeat of the task unless one was sent a short while ago.
func (h *heartbeats) beat(t *task) {
	now := h.now()
	if !t.due(now, h.every) {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.stopped {
		return
	}
	select {
	case h.slots <- struct{}{}:
		h.running.Go(func() {
			defer func() { <-h.slots }()
			h.send(t)
		})
	default:
		t.beatFailed()
		h.metrics.deliveries.WithLabelValues(kindHeartbeat, resultDropped).Inc()
	}
}

func (h *heartbeats) send(t *task) {
	ctx, cancel := context.WithTimeout(h.ctx, deliveryLimit)
	defer cancel()
	if err := h.tasks.Heartbeat(ctx, t.JobID, t.TaskID); err != nil {
		t.beatFailed()
		h.log.Warn("heartbeat not sent", "task", t.TaskID, "error", err)
		h.metrics.deliveries.WithLabelValues(kindHeartbeat, resultError).Inc()
		return
	}
	h.metrics.deliveries.WithLabelValues(kindHeartbeat, resultOK).Inc()
}

func (h *heartbeats) stop() {
	h.mu.Lock()
	h.stopped = true
	h.mu.Unlock()
	h.cancel()
	h.running.Wait()
}
