// Package reconcile compares what Postgres and Temporal say of the runs that are open, repairs what differs, and
// counts what it repaired. Differences come from crashes between two systems and from outages; in a healthy
// installation the counts stay 0.
package reconcile

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/engine"
)

// Engine is what the reconciler needs of Temporal.
type Engine interface {
	engine.Runs
	// RunOpen tells whether the workflow of an attempt is there and has not ended.
	RunOpen(ctx context.Context, run int64, attempt int) (bool, error)
}

// Pusher finishes pushes that a crash cut short.
type Pusher interface {
	ReplayPush(ctx context.Context, repo *db.Repository, pusher *db.Owner) (int, error)
}

// Config is what a Reconciler is made of.
type Config struct {
	DB         *db.DB
	Engine     Engine
	Pusher     Pusher
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Every is the pause between two passes; 0 means 2 s.
	Every time.Duration
	// Age is how old an intention must be before it counts as left behind; 0 means 5 s.
	Age time.Duration
	// AbandonedAge is how long a workflow must have run before it is looked for in Temporal; 0 means 1 min.
	AbandonedAge time.Duration
	// CompareEvery is the pause between two looks at open attempts in Temporal, which cost a call each; 0 means 20 s.
	CompareEvery time.Duration
}

// Reconciler repairs in passes. Any number of processes may run one: a lock lets one work at a time.
type Reconciler struct {
	Config
	repairs *prometheus.CounterVec
	// cursor is the last open attempt that was compared with Temporal, compareAt when the next ones are due.
	cursor    int64
	compareAt time.Time
}

// New makes a Reconciler.
func New(c Config) *Reconciler {
	if c.Every == 0 {
		c.Every = 2 * time.Second
	}
	if c.Age == 0 {
		c.Age = 5 * time.Second
	}
	if c.AbandonedAge == 0 {
		c.AbandonedAge = time.Minute
	}
	if c.CompareEvery == 0 {
		c.CompareEvery = 20 * time.Second
	}
	r := &Reconciler{Config: c, repairs: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pawl_reconciler_repairs_total", Help: "Differences between Postgres and Temporal that were repaired, by kind.",
	}, []string{"kind"})}
	for _, kind := range []string{kindStart, kindCancel, kindPush, kindAbandoned} {
		r.repairs.WithLabelValues(kind)
	}
	c.Registerer.MustRegister(r.repairs)
	return r
}

// Kinds of repairs.
const (
	kindStart     = "start"     // a stored attempt had no workflow
	kindCancel    = "cancel"    // a workflow had not heard of a cancel
	kindPush      = "push"      // a push had not become events
	kindAbandoned = "abandoned" // a workflow had ended without its attempt
)

// Run makes passes until ctx ends.
func (r *Reconciler) Run(ctx context.Context) {
	ticker := time.NewTicker(r.Every)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.Pass(ctx)
		}
	}
}

// lockKey names the advisory lock of the reconcilers.
const lockKey = 0x7265636f // "reco"

// Pass looks once at everything that may have been left behind, unless another process is doing so.
func (r *Reconciler) Pass(ctx context.Context) {
	err := r.DB.WithLock(ctx, lockKey, func(ctx context.Context) error {
		for _, step := range []func(context.Context) error{r.starts, r.cancels, r.pushes, r.abandoned} {
			if err := step(ctx); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && ctx.Err() == nil {
		r.Logger.WarnContext(ctx, "reconcile", "error", err)
	}
}

// batch bounds what one step of a pass looks at.
const batch = 200

func (r *Reconciler) starts(ctx context.Context) error {
	attempts, err := r.DB.UnstartedAttempts(ctx, r.Age, batch)
	if err != nil {
		return err
	}
	for _, a := range attempts {
		if err := r.Engine.StartRun(ctx, engine.RunStart(a)); err != nil {
			return err
		}
		r.repaired(ctx, kindStart, a.RunID)
	}
	return nil
}

func (r *Reconciler) cancels(ctx context.Context) error {
	attempts, err := r.DB.UnheardCancels(ctx, r.Age, batch)
	if err != nil {
		return err
	}
	for _, a := range attempts {
		if err := r.Engine.CancelRun(ctx, a.RunID, a.Attempt, 0); err != nil {
			return err
		}
		r.repaired(ctx, kindCancel, a.RunID)
	}
	return nil
}

// longestPush is above the longest time that the git server gives a push.
const longestPush = 2 * time.Hour

// pushes looks at repositories with a push under way. Most are uploads that take their time: there is nothing to
// repair until git has refs that have not become events.
func (r *Reconciler) pushes(ctx context.Context) error {
	repos, err := r.DB.PendingPushes(ctx, r.Age, batch)
	if err != nil {
		return err
	}
	for _, repo := range repos {
		left, err := r.Pusher.ReplayPush(ctx, repo, repo.Owner)
		if err != nil {
			return err
		}
		if left > 0 {
			r.repaired(ctx, kindPush, repo.ID)
		}
	}
	return r.DB.ForgetPushes(ctx, longestPush)
}

// abandoned ends attempts whose workflow was terminated or lost, such as by hand in Temporal. It goes through the
// open attempts a batch at a time.
func (r *Reconciler) abandoned(ctx context.Context) error {
	now := time.Now()
	if now.Before(r.compareAt) {
		return nil
	}
	r.compareAt = now.Add(r.CompareEvery)
	attempts, err := r.DB.OpenAttemptsAfter(ctx, r.cursor, r.AbandonedAge, batch)
	if err != nil {
		return err
	}
	r.cursor = 0
	for _, a := range attempts {
		open, err := r.Engine.RunOpen(ctx, a.RunID, a.Attempt)
		if err != nil {
			return err
		}
		if open {
			continue
		}
		const reason = "the workflow of the run was ended in Temporal"
		if err := r.DB.AbandonAttempt(ctx, a.RunID, a.AttemptID, ci.StatusCancelled, reason); err != nil {
			return err
		}
		r.repaired(ctx, kindAbandoned, a.RunID)
	}
	if len(attempts) == batch {
		r.cursor = attempts[batch-1].AttemptID
	}
	return nil
}

func (r *Reconciler) repaired(ctx context.Context, kind string, id int64) {
	r.repairs.WithLabelValues(kind).Inc()
	r.Logger.WarnContext(ctx, "repaired", "kind", kind, "id", id)
}
