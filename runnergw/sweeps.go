package runnergw

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
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
		if pacing.Pause(ctx, uptimeEvery) != nil {
			return
		}
	}
}

// sweep finishes what was cut short, until ctx ends.
func (g *Gateway) sweep(ctx context.Context) {
	again := newRewaker()
	for pacing.Pause(ctx, jitter(sweepEvery)) == nil {
		g.attempt(ctx, "unconfirmed tasks", g.loseUnconfirmed)
		// Only one gateway at a time does what every gateway would do in the same way.
		g.attempt(ctx, "undelivered tasks", func(ctx context.Context) error {
			_, err := g.db.TrySweep(ctx, func(ctx context.Context) error {
				return errors.Join(g.deliver.redeliver(ctx), g.wakeUnattended(ctx, again))
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

// newRewaker makes repeated wake-ups of the same task rarer and rarer.
func newRewaker() *pacing.Pacer[db.TaskRef] {
	return pacing.New(unattendedAfter, unattendedMost, func(t db.TaskRef) int64 { return t.TaskID })
}

// wakeUnattended wakes workflows that wait for an offer of which a task was claimed. One that could not be told stays
// due: after an outage nobody waits for a pause that grew during it.
func (g *Gateway) wakeUnattended(ctx context.Context, again *pacing.Pacer[db.TaskRef]) error {
	tasks, err := g.db.UnattendedTasks(ctx, unattendedAfter, sweepBatch)
	if err != nil {
		return err
	}
	for _, t := range g.deliver.wakeAll(ctx, again.Due(g.now(), tasks)) {
		again.Done(g.now(), t)
	}
	return nil
}
