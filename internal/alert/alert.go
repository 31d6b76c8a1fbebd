// Package alert tells administrators of faults that nobody foresaw (workflow-execution.md, Recovery Strategies): it
// posts them to the webhook that they configure, until it has taken them.
//
// Alerts are rows, written in the transaction that ends the job or by the reconciler. A delivery is in three steps: a
// statement takes one alert for a while, the webhook gets it, and a statement notes what came of that. No transaction
// and no connection is held while the webhook is waited for, and a process that crashes in between has its alert
// delivered again. So each is delivered at least once, and its id tells repetitions.
package alert

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
)

const (
	// batch bounds the deliveries of one pass.
	batch = 20
	// settleLimit is how long noting the result of a delivery may take.
	settleLimit = 10 * time.Second
	// keepFor is how long an alert is remembered after its delivery; sweepEvery is how often older ones are looked for.
	keepFor    = 30 * 24 * time.Hour
	sweepEvery = time.Hour
	sweepBatch = 1000
)

// Config is what a Deliverer is made of.
type Config struct {
	DB *db.DB
	// URL is the webhook; empty: alerts are logged, and kept in the database for the case that there will be one.
	URL string
	// Secret signs the body, if it is set.
	Secret string
	// RootURL is the address of this server for links; empty makes none.
	RootURL    string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Every is the pause between two looks; default 5 s.
	Every time.Duration
	// Timeout bounds one delivery; default 10 s.
	Timeout time.Duration
	// Now is the clock for the sweep; default time.Now. When alerts are due is decided by the clock of the database.
	Now func() time.Time
}

// Deliverer posts alerts. Any number of processes may run one: each alert is taken by one of them at a time.
type Deliverer struct {
	Config
	webhook *webhook // nil without one
	metrics *metrics
	sweepAt time.Time
}

// New makes a Deliverer; it does nothing until Run.
func New(c Config) (*Deliverer, error) {
	if c.Every == 0 {
		c.Every = 5 * time.Second
	}
	if c.Timeout == 0 {
		c.Timeout = 10 * time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	d := &Deliverer{Config: c}
	var err error
	if c.URL != "" {
		if d.webhook, err = newWebhook(c); err != nil {
			return nil, err
		}
	}
	if d.metrics, err = newMetrics(c.Registerer); err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	return d, nil
}

// Run delivers until ctx ends.
func (d *Deliverer) Run(ctx context.Context) {
	if d.webhook != nil {
		defer d.webhook.client.CloseIdleConnections()
	}
	pacing.Every(ctx, d.Every, func(ctx context.Context) {
		if err := d.Pass(ctx); err != nil && ctx.Err() == nil {
			d.Logger.WarnContext(ctx, "alerts", "error", err)
		}
	})
}

// Pass delivers once what is due, counts what is left, and forgets what is old.
func (d *Deliverer) Pass(ctx context.Context) error {
	return errors.Join(d.deliver(ctx), d.count(ctx), d.sweep(ctx))
}

// deliver ends with the first alert that the webhook does not take: most likely it would take no other either, and it
// is left alone until the next pass.
func (d *Deliverer) deliver(ctx context.Context) error {
	for range batch {
		a, err := d.DB.TakeAlert(ctx, d.lease(), d.webhook != nil)
		if err != nil || a == nil {
			return err
		}
		if err := d.tell(ctx, a); err != nil {
			return fmt.Errorf("alert %d, try %d: %w", a.ID, a.Tries, err)
		}
	}
	return nil
}

// lease is above the longest time that telling one alert takes.
func (d *Deliverer) lease() time.Duration { return d.Timeout + 2*settleLimit }

// tell delivers an alert. One whose delivery is cut short by the end of ctx is left to whoever takes it next.
func (d *Deliverer) tell(ctx context.Context, a *db.Alert) error {
	if d.webhook == nil {
		return d.log(ctx, a)
	}
	err := d.webhook.post(ctx, a)
	if err != nil && ctx.Err() != nil {
		return err
	}
	d.metrics.told(resultOf(err))
	// What the webhook has answered is noted even if ctx has ended meanwhile.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleLimit)
	defer cancel()
	if err != nil {
		return errors.Join(err, d.DB.PutOffAlert(ctx, a.ID, pauseAfter(a.Tries)))
	}
	return d.DB.AlertDelivered(ctx, a.ID)
}

// log is all that is done without a webhook, once for each alert.
func (d *Deliverer) log(ctx context.Context, a *db.Alert) error {
	d.Logger.WarnContext(ctx, "alert, and no webhook to tell it to", "alert", a.ID, "kind", a.Kind, "repository", a.Repository,
		"run", a.RunID, "attempt", a.Attempt, "job", a.JobID, "detail", a.Detail)
	d.metrics.told(resultLogged)
	return d.DB.KeepAlert(ctx, a.ID)
}

// Pauses between two deliveries of the same alert.
const (
	firstPause = 10 * time.Second
	mostPause  = time.Hour
)

// pauseAfter doubles with each try.
func pauseAfter(tries int) time.Duration {
	pause := firstPause
	for range tries - 1 {
		if pause *= 2; pause >= mostPause {
			return mostPause
		}
	}
	return pause
}

func (d *Deliverer) count(ctx context.Context) error {
	stats, err := d.DB.AlertStats(ctx)
	if err == nil {
		d.metrics.left(stats)
	}
	return err
}

func (d *Deliverer) sweep(ctx context.Context) error {
	now := d.Now()
	if now.Before(d.sweepAt) {
		return nil
	}
	d.sweepAt = now.Add(sweepEvery)
	return d.DB.SweepAlerts(ctx, keepFor, sweepBatch)
}
