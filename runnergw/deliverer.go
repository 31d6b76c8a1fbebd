package runnergw

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
)

const (
	// deliveryLimit bounds one call to Temporal.
	deliveryLimit = 5 * time.Second
	// maxDeliveries is how many calls run at once.
	maxDeliveries = 32
	// redeliverAfter is how old an end must be to be delivered once more: the first attempt may still be under way.
	redeliverAfter = 2 * time.Second
	redeliverBatch = 200
)

// Labels of pawl_temporal_deliveries_total.
const (
	kindComplete  = "complete"
	kindWake      = "wake"
	kindHeartbeat = "heartbeat"

	resultOK      = "ok"
	resultError   = "error"
	resultDropped = "dropped"
)

// deliverer tells workflows of claims and ends of tasks, which are stored before. A first attempt is made at once, in
// the background; what fails, or finds no free place, is left to the sweeps.
type deliverer struct {
	db      *db.DB
	tasks   engine.Tasks
	log     *slog.Logger
	metrics *metrics

	ctx     context.Context
	cancel  context.CancelFunc
	slots   chan struct{}
	running sync.WaitGroup

	mu      sync.Mutex
	stopped bool
	after   int64 // the sweep's place in the list of undelivered ends
}

func newDeliverer(d *db.DB, tasks engine.Tasks, log *slog.Logger, m *metrics) *deliverer {
	ctx, cancel := context.WithCancel(context.Background())
	return &deliverer{db: d, tasks: tasks, log: log, metrics: m, ctx: ctx, cancel: cancel, slots: make(chan struct{}, maxDeliveries)}
}

// background runs fn if there is a free place and the deliverer is not stopped.
func (d *deliverer) background(fn func(context.Context)) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.stopped {
		return false
	}
	select {
	case d.slots <- struct{}{}:
	default:
		return false
	}
	d.running.Go(func() {
		defer func() { <-d.slots }()
		fn(d.ctx)
	})
	return true
}

// claimed wakes the workflow of a job that waits for its offer to be claimed.
func (d *deliverer) claimed(job int64) {
	if !d.background(func(ctx context.Context) { _ = d.wake(ctx, job) }) {
		d.metrics.deliveries.WithLabelValues(kindWake, resultDropped).Inc()
	}
}

// ended tells the workflows of tasks that have ended.
func (d *deliverer) ended(tasks ...db.TaskEnded) {
	for _, t := range tasks {
		if !t.Attached && !t.Supervised {
			continue // the workflow reads the row when it attaches
		}
		delivered := d.background(func(ctx context.Context) {
			if d.end(ctx, t) == nil {
				d.mark(ctx, []int64{t.TaskID})
			}
		})
		if !delivered {
			d.metrics.deliveries.WithLabelValues(kindComplete, resultDropped).Inc()
		}
	}
}

func (d *deliverer) end(ctx context.Context, t db.TaskEnded) error {
	if !t.Supervised {
		return d.wake(ctx, t.JobID)
	}
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	err := d.tasks.Complete(ctx, t.JobID, engine.TaskEnd{TaskID: t.TaskID, Status: string(t.Status), Reason: t.Reason, Cause: t.Cause})
	d.count(kindComplete, t.JobID, err)
	return err
}

func (d *deliverer) wake(ctx context.Context, job int64) error {
	ctx, cancel := context.WithTimeout(ctx, deliveryLimit)
	defer cancel()
	err := d.tasks.Wake(ctx, job)
	d.count(kindWake, job, err)
	return err
}

func (d *deliverer) count(kind string, job int64, err error) {
	result := resultOK
	if err != nil {
		result = resultError
		d.log.Warn("workflow not told; will be repeated", "kind", kind, "job", job, "error", err)
	}
	d.metrics.deliveries.WithLabelValues(kind, result).Inc()
}

// mark notes deliveries. If that fails they are repeated, which is harmless.
func (d *deliverer) mark(ctx context.Context, tasks []int64) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryLimit)
	defer cancel()
	if err := d.db.MarkDelivered(ctx, tasks); err != nil {
		d.log.Warn("deliveries not noted; will be repeated", "error", err)
	}
}

// redeliver tells workflows of ends of which they may not have heard, a batch at a time. It walks through all of
// them, so that some that always fail do not hold up the others.
func (d *deliverer) redeliver(ctx context.Context) error {
	waiting, err := d.db.Undelivered(ctx, d.after, redeliverAfter, redeliverBatch)
	if err != nil {
		return err
	}
	d.after = 0
	if len(waiting) == redeliverBatch {
		d.after = waiting[len(waiting)-1].TaskID
	}
	if delivered := d.endAll(ctx, waiting); len(delivered) > 0 {
		d.mark(ctx, delivered)
	}
	return nil
}

func (d *deliverer) endAll(ctx context.Context, tasks []db.TaskEnded) (delivered []int64) {
	for _, t := range deliverAll(tasks, func(t db.TaskEnded) error { return d.end(ctx, t) }) {
		delivered = append(delivered, t.TaskID)
	}
	return delivered
}

// wakeAll wakes the workflows of claimed tasks, and returns those that were told.
func (d *deliverer) wakeAll(ctx context.Context, tasks []db.TaskRef) []db.TaskRef {
	return deliverAll(tasks, func(t db.TaskRef) error { return d.wake(ctx, t.JobID) })
}

// deliverAll makes a call for each item, maxDeliveries at once, and returns those whose call succeeded.
func deliverAll[T any](items []T, call func(T) error) (delivered []T) {
	var mu sync.Mutex
	var calls sync.WaitGroup
	slots := make(chan struct{}, maxDeliveries)
	for _, item := range items {
		slots <- struct{}{}
		calls.Go(func() {
			defer func() { <-slots }()
			if call(item) != nil {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			delivered = append(delivered, item)
		})
	}
	calls.Wait()
	return delivered
}

// stop lets calls under way end, for a short time.
func (d *deliverer) stop() {
	d.mu.Lock()
	d.stopped = true
	d.mu.Unlock()
	timer := time.AfterFunc(deliveryLimit/2, d.cancel)
	defer timer.Stop()
	d.running.Wait()
	d.cancel()
}
