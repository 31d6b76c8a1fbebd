package runnergw

import (
	"context"
	"fmt"
	"time"
)

const (
	sweepEvery  = time.Second
	uptimeEvery = 2 * time.Second
	sweepBatch  = 200
	// unattendedAfter is how long after a claim its workflow is woken again, and the first pause between two wake-ups
	// of the same task; the longest is unattendedMost.
	unattendedAfter = 5 * time.Second
	unattendedMost  = 5 * time.Minute
)

// uptime notes that a gateway is there to hear runners, until ctx ends.
func (g *Gateway) uptime(ctx context.Context) {
	for {
		g.attempt(ctx, "uptime", g.db.TouchUptime)
		if !pause(ctx, uptimeEvery) {
			return
		}
	}
}

// sweep finishes what was cut short, until ctx ends.
func (g *Gateway) sweep(ctx context.Context) {
	again := rewaker{next: map[int64]rewake{}}
	for pause(ctx, jitter(sweepEvery)) {
		g.attempt(ctx, "unconfirmed tasks", g.loseUnconfirmed)
		// Only one gateway at a time does what every gateway would do in the same way.
		g.attempt(ctx, "undelivered tasks", func(ctx context.Context) error {
			_, err := g.db.TrySweep(ctx, func(ctx context.Context) error {
				if err := g.deliver.redeliver(ctx); err != nil {
					return err
				}
				return g.wakeUnattended(ctx, &again)
			})
			return err
		})
	}
}

// attempt bounds one step of a loop and logs why it failed; the next round tries again.
func (g *Gateway) attempt(ctx context.Context, what string, step func(context.Context) error) {
	limited, cancel := context.WithTimeout(ctx, 4*deliveryLimit)
	defer cancel()
	if err := step(limited); err != nil && ctx.Err() == nil {
		g.log.Warn("sweep failed; will be repeated", "what", what, "error", err)
	}
}

// loseUnconfirmed gives up claims whose runner never reported: most likely the answer to its poll was lost
// (known-problems.md B3).
func (g *Gateway) loseUnconfirmed(ctx context.Context) error {
	reason := fmt.Sprintf("the runner never confirmed the task within %s", g.options.ConfirmWithin)
	ended, err := g.db.LoseUnconfirmed(ctx, g.options.ConfirmWithin, sweepBatch, reason)
	if err != nil {
		return err
	}
	g.deliver.ended(ended...)
	return nil
}

func (g *Gateway) wakeUnattended(ctx context.Context, again *rewaker) error {
	tasks, err := g.db.UnattendedTasks(ctx, unattendedAfter, sweepBatch)
	if err != nil {
		return err
	}
	ids := make([]int64, len(tasks))
	for i, t := range tasks {
		ids[i] = t.TaskID
	}
	again.keep(ids)
	for _, t := range tasks {
		if again.due(t.TaskID, g.now()) {
			g.deliver.claimed(t.JobID)
		}
	}
	return nil
}

// rewaker makes repeated wake-ups of the same task rarer and rarer: each is a signal in a workflow's history, of
// which there is a limit, and workers may be away for long.
type rewaker struct{ next map[int64]rewake }

type rewake struct {
	at    time.Time
	pause time.Duration
}

// keep forgets all tasks but these.
func (r *rewaker) keep(tasks []int64) {
	kept := make(map[int64]rewake, len(tasks))
	for _, id := range tasks {
		if w, ok := r.next[id]; ok {
			kept[id] = w
		}
	}
	r.next = kept
}

func (r *rewaker) due(task int64, now time.Time) bool {
	w := r.next[task]
	if now.Before(w.at) {
		return false
	}
	w.pause = min(max(2*w.pause, unattendedAfter), unattendedMost)
	w.at = now.Add(w.pause)
	r.next[task] = w
	return true
}
