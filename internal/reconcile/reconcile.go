// Package reconcile compares what Postgres and Temporal say of the runs that are open, repairs what differs, and
// counts what it repaired. Differences come from crashes between two systems and from outages; in a healthy
// installation the counts stay 0.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/pacing"
)

// Engine is what the reconciler needs of Temporal.
type Engine interface {
	// EnsureRun starts the workflow of an attempt, and tells whether it was missing.
	EnsureRun(ctx context.Context, s engine.RunStart) (started bool, err error)
	// CancelRun tells the workflow of an attempt to cancel. A workflow that is gone is no error.
	CancelRun(ctx context.Context, run int64, attempt int, c engine.CancelRequest) error
	// WakeRun has the workflow of an attempt read its news. A workflow that is gone is no error.
	WakeRun(ctx context.Context, run int64, attempt int) error
	// RunState tells whether the workflow of an attempt is there and has not ended.
	RunState(ctx context.Context, run int64, attempt int) (engine.RunState, error)
}

// Pusher finishes pushes that a crash cut short.
type Pusher interface {
	ReplayPush(ctx context.Context, repo *db.Repository) (int, error)
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
	// Now is the clock for pauses; default time.Now.
	Now func() time.Time
}

// Reconciler repairs in passes. Any number of processes may run one: a lock lets one work at a time.
type Reconciler struct {
	Config
	repairs *prometheus.CounterVec
	// cursor is the last open attempt that was compared with Temporal, compareAt when the next ones are due.
	cursor    int64
	compareAt time.Time
	// What no worker has taken up, and pushes that cannot be finished, is tried again after growing pauses.
	unstarted, unread *pacing.Pacer[db.OpenAttempt]
	unheard           *pacing.Pacer[db.UnheardCancel]
	unfinished        *pacing.Pacer[*db.Repository]
}

// Pauses between two tries of the same thing. A signal takes a place in a workflow's history, which is limited.
const (
	firstPause = 5 * time.Second
	mostPause  = 5 * time.Minute
)

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
	if c.Now == nil {
		c.Now = time.Now
	}
	attempt := func(a db.OpenAttempt) int64 { return a.AttemptID }
	return &Reconciler{
		Config: c, repairs: newRepairs(c.Registerer),
		unstarted: pacing.New(firstPause, mostPause, attempt), unread: pacing.New(firstPause, mostPause, attempt),
		unheard:    pacing.New(firstPause, mostPause, func(c db.UnheardCancel) int64 { return c.AttemptID }),
		unfinished: pacing.New(firstPause, mostPause, func(r *db.Repository) int64 { return r.ID }),
	}
}

func newRepairs(to prometheus.Registerer) *prometheus.CounterVec {
	repairs := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pawl_reconciler_repairs_total", Help: "Differences between Postgres and Temporal that were repaired, by kind.",
	}, []string{"kind"})
	for _, kind := range []string{kindStart, kindCancel, kindNews, kindGate, kindPush, kindAbandoned} {
		repairs.WithLabelValues(kind)
	}
	to.MustRegister(repairs)
	return repairs
}

// Kinds of repairs.
const (
	kindStart     = "start"     // a stored attempt had no workflow
	kindCancel    = "cancel"    // a workflow had not heard of a cancel
	kindNews      = "news"      // a workflow had not read what it waits for
	kindGate      = "gate"      // a concurrency group was held by what has ended
	kindPush      = "push"      // a push had not become events
	kindAbandoned = "abandoned" // a workflow had ended without its attempt
)

// Run makes passes until ctx ends.
func (r *Reconciler) Run(ctx context.Context) {
	pacing.Every(ctx, r.Every, r.Pass)
}

// lockKey names the advisory lock of the reconcilers.
const lockKey = 0x7265636f // "reco"

// Pass looks once at everything that may have been left behind, unless another process is doing so. What fails holds
// up nothing else.
func (r *Reconciler) Pass(ctx context.Context) {
	err := r.DB.WithLock(ctx, lockKey, func(ctx context.Context) error {
		return errors.Join(r.DB.FoldListCounts(ctx), r.starts(ctx), r.cancels(ctx), r.news(ctx), r.gates(ctx), r.pushes(ctx), r.abandoned(ctx),
			r.DB.ForgetDispatchKeys(ctx, batch))
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
	return each(ctx, "start", r.unstarted.Due(r.Now(), attempts), r.start)
}

// start starts what is missing. A workflow that is there waits for a worker, or was ended before one took it up.
func (r *Reconciler) start(ctx context.Context, a db.OpenAttempt) error {
	started, err := r.Engine.EnsureRun(ctx, engine.RunStart(a))
	switch {
	case err != nil:
		return err
	case started:
		r.repaired(ctx, kindStart, a.RunID)
	default:
		err = r.compare(ctx, a)
	}
	r.unstarted.Done(r.Now(), a)
	return err
}

func (r *Reconciler) cancels(ctx context.Context) error {
	attempts, err := r.DB.UnheardCancels(ctx, r.Age, batch)
	if err != nil {
		return err
	}
	return each(ctx, "cancel", r.unheard.Due(r.Now(), attempts), r.cancel)
}

// cancel sends a signal. Most were only not read yet, so that sending it again is no further repair.
func (r *Reconciler) cancel(ctx context.Context, c db.UnheardCancel) error {
	request := engine.CancelRequest{By: c.By, Who: c.Who, Reason: c.Reason, Force: c.Forced}
	if err := r.Engine.CancelRun(ctx, c.RunID, c.Attempt, request); err != nil {
		return err
	}
	if first := r.unheard.Done(r.Now(), c); first {
		r.repaired(ctx, kindCancel, c.RunID)
	}
	return nil
}

// news wakes workflows that have not read what they wait for: their place in a concurrency group, an approval.
func (r *Reconciler) news(ctx context.Context) error {
	attempts, err := r.DB.UnseenNews(ctx, r.Age, batch)
	if err != nil {
		return err
	}
	return each(ctx, "news", r.unread.Due(r.Now(), attempts), r.wake)
}

func (r *Reconciler) wake(ctx context.Context, a db.OpenAttempt) error {
	if err := r.Engine.WakeRun(ctx, a.RunID, a.Attempt); err != nil {
		return err
	}
	if first := r.unread.Done(r.Now(), a); first {
		r.repaired(ctx, kindNews, a.RunID)
	}
	return nil
}

// gates passes on concurrency groups that nobody leaves any more: a worker that died had entered them for a job, and
// another one then decided that the job does not run.
func (r *Reconciler) gates(ctx context.Context) error {
	let, err := r.DB.MendGates(ctx, batch)
	for _, in := range let {
		r.repaired(ctx, kindGate, in.RunID)
	}
	return errors.Join(err, each(ctx, "gate", let, func(ctx context.Context, in db.RunRef) error {
		return r.Engine.WakeRun(ctx, in.RunID, in.Attempt)
	}))
}

// longestPush is above the longest time that the git server gives a push.
const longestPush = 2 * time.Hour

// pushes looks at repositories with a push under way.
func (r *Reconciler) pushes(ctx context.Context) error {
	repos, err := r.DB.PendingPushes(ctx, r.Age, batch)
	if err == nil {
		err = each(ctx, "push", r.unfinished.Due(r.Now(), repos), r.push)
	}
	return errors.Join(err, r.DB.ForgetPushes(ctx, longestPush))
}

// push finishes a push. Most are uploads that take their time: there is nothing to repair until git has refs that have
// not become events.
func (r *Reconciler) push(ctx context.Context, repo *db.Repository) error {
	left, err := r.Pusher.ReplayPush(ctx, repo)
	if err != nil {
		r.unfinished.Done(r.Now(), repo)
		return err
	}
	if left > 0 {
		r.repaired(ctx, kindPush, repo.ID)
	}
	return nil
}

// abandoned ends attempts whose workflow was terminated or lost, such as by hand in Temporal. It goes through the
// open attempts a batch at a time.
func (r *Reconciler) abandoned(ctx context.Context) error {
	now := r.Now()
	if now.Before(r.compareAt) {
		return nil
	}
	r.compareAt = now.Add(r.CompareEvery)
	attempts, err := r.DB.OpenAttemptsAfter(ctx, r.cursor, r.AbandonedAge, batch)
	if err != nil {
		return err
	}
	r.cursor = 0
	if len(attempts) == batch {
		r.cursor = attempts[batch-1].AttemptID
	}
	return each(ctx, "compare", attempts, r.compare)
}

// compare ends an attempt whose workflow is not open, unless the workflow has done so since the attempt was listed.
// That a workflow failed by itself is a fault of ours, of which administrators are told.
func (r *Reconciler) compare(ctx context.Context, a db.OpenAttempt) error {
	state, err := r.Engine.RunState(ctx, a.RunID, a.Attempt)
	if err != nil || state == engine.RunOpen {
		return err
	}
	status, reason := ci.StatusCancelled, "the workflow of the run was ended in Temporal"
	if state == engine.RunFailed {
		status, reason = ci.StatusFailure, "the workflow of the run failed; its history in Temporal says why"
		if err := r.DB.AlertFailedRun(ctx, a.AttemptID, reason); err != nil {
			return err
		}
	}
	changed, err := r.DB.AbandonAttempt(ctx, a.RunID, a.AttemptID, status, reason)
	if changed {
		r.repaired(ctx, kindAbandoned, a.RunID)
	}
	return err
}

func (r *Reconciler) repaired(ctx context.Context, kind string, id int64) {
	r.repairs.WithLabelValues(kind).Inc()
	r.Logger.WarnContext(ctx, "repaired", "kind", kind, "id", id)
}
