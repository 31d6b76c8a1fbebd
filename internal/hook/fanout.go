package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
)

const (
	// reader is the name of the place among the events.
	reader = "hooks"
	// batch bounds the events that are read at a time and readRounds how often that is done in a pass, deliveryBatch about how
	// many deliveries are stored at a time, and startBatch the workflows that are started in a pass, startersAtOnce at once.
	batch          = 200
	readRounds     = 10
	deliveryBatch  = 500
	startBatch     = 500
	startersAtOnce = 8
	// patience is how often an event may fail before it is left out, so that it does not hold up all others for ever.
	patience = 20
	// Deliveries are kept for a week, and of each hook the newest thousand; events for two days.
	keepDeliveries = 7 * 24 * time.Hour
	keepPerHook    = 1000
	keepEvents     = 48 * time.Hour
	sweepEvery     = time.Minute
	sweepBatch     = 20_000
	sweepRounds    = 10
	// mendEvery is how often it is looked whether the database came out of a backup.
	mendEvery = time.Hour
)

// Payloads makes the bodies of messages; *apiserver.Server is one. ok is false when what the event is of is gone.
type Payloads interface {
	HookPayload(ctx context.Context, e db.StatusEvent, event, action string) (body, ref string, ok bool, err error)
}

// Starter starts the workflow of a delivery, once however often it is asked; *engine.Temporal is one.
type Starter interface {
	StartDelivery(ctx context.Context, id int64) error
}

// Config is what a Fanout is made of.
type Config struct {
	DB       *db.DB
	Payloads Payloads
	Starter  Starter
	// Holder is the name of this process, unlike that of any other.
	Holder     string
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	// Every is the pause between two looks at the events; default 1 s.
	Every time.Duration
	// Now is the clock of the sweeps; default time.Now. Everything else goes by the clock of the database.
	Now func() time.Time
}

// Fanout turns changes of status into deliveries. Any number of processes may run one: one of them works, the others wait
// for its end.
type Fanout struct {
	Config
	metrics         *fanoutMetrics
	sweepAt, mendAt time.Time
	// stuck is the event that failed last, and failures is how often it did.
	stuck    int64
	failures int
}

// NewFanout makes a Fanout; it does nothing until Run.
func NewFanout(c Config) (*Fanout, error) {
	if c.Every == 0 {
		c.Every = time.Second
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	m, err := newFanoutMetrics(c.Registerer)
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	return &Fanout{Config: c, metrics: m}, nil
}

// Run works until ctx ends, and then lets another process go on.
func (f *Fanout) Run(ctx context.Context) {
	defer f.release(ctx)
	pacing.Every(ctx, f.Every, func(ctx context.Context) {
		if err := f.Pass(ctx); err != nil && ctx.Err() == nil {
			f.Logger.WarnContext(ctx, "webhooks", "error", err)
		}
	})
}

// releaseLimit is how long giving the lease back may take.
const releaseLimit = 5 * time.Second

func (f *Fanout) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseLimit)
	defer cancel()
	if err := f.DB.ReleaseEvents(ctx, reader, f.Holder); err != nil {
		f.Logger.WarnContext(ctx, "webhooks", "error", err)
	}
}

// Pass looks once at everything that there is to do, unless another process does so. What fails holds up nothing else.
func (f *Fanout) Pass(ctx context.Context) error {
	if err := f.mend(ctx); err != nil {
		return err
	}
	from, err := f.DB.HoldEvents(ctx, reader, f.Holder)
	if errors.Is(err, db.ErrNotHolder) {
		f.metrics.left(db.DeliveryStats{})
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(f.read(ctx, from), f.start(ctx), f.count(ctx), f.sweep(ctx))
}

// read goes through the events from a place on, a batch at a time. What is left is for the next pass: events may come as fast
// as they are read, and the deliveries of those before are to be started.
func (f *Fanout) read(ctx context.Context, from db.EventPlace) error {
	for range readRounds {
		events, err := f.DB.StatusEvents(ctx, from, batch)
		if err != nil || len(events) == 0 {
			return err
		}
		deliveries, to, err := f.deliveries(ctx, events)
		if err != nil {
			return err
		}
		err = f.DB.FanOut(ctx, reader, f.Holder, from, to, deliveries)
		if errors.Is(err, db.ErrNotHolder) {
			return nil // somebody else goes on
		}
		if err != nil {
			return err
		}
		from = to
	}
	return nil
}

// deliveries are the messages of events for the hooks that want them, and the place of the last event they are of. When
// there are many, some events are left for the next time.
func (f *Fanout) deliveries(ctx context.Context, events []db.StatusEvent) (out []*db.HookDelivery, to db.EventPlace, err error) {
	hooks, err := f.hooks(ctx, events)
	if err != nil {
		return nil, to, err
	}
	for _, e := range events {
		more, err := f.messages(ctx, e, hooks)
		if err != nil && !f.givesUp(ctx, e, err) {
			return nil, to, fmt.Errorf("event %d: %w", e.Place.ID, err)
		}
		out, to = append(out, more...), e.Place
		if len(out) >= deliveryBatch {
			break
		}
	}
	return out, to, nil
}

// givesUp tells whether an event has failed too often.
func (f *Fanout) givesUp(ctx context.Context, e db.StatusEvent, err error) bool {
	if f.stuck != e.Place.ID {
		f.stuck, f.failures = e.Place.ID, 0
	}
	if f.failures++; f.failures < patience {
		return false
	}
	f.Logger.ErrorContext(ctx, "webhooks are not told of a change", "run", e.RunID, "job", e.JobID, "error", err)
	return true
}

func (f *Fanout) hooks(ctx context.Context, events []db.StatusEvent) ([]*db.Hook, error) {
	repos, owners := map[int64]bool{}, map[int64]bool{}
	for _, e := range events {
		repos[e.RepoID], owners[e.OwnerID] = true, true
	}
	return f.DB.ActiveHooks(ctx, keys(repos), keys(owners))
}

func keys(set map[int64]bool) []int64 {
	out := make([]int64, 0, len(set))
	for id := range set {
		out = append(out, id)
	}
	return out
}

// messages are those of one event. The body is made only if somebody wants it, and once.
func (f *Fanout) messages(ctx context.Context, e db.StatusEvent, hooks []*db.Hook) ([]*db.HookDelivery, error) {
	event, action, ok := messageOf(e)
	if !ok {
		return nil, nil
	}
	var out []*db.HookDelivery
	var body, ref string
	for _, h := range hooks {
		// A hook hears of nothing that was before it.
		if (h.RepoID != e.RepoID && h.OwnerID != e.OwnerID) || !wants(h, event) || e.At.Before(h.CreatedAt) {
			continue
		}
		if body == "" {
			var there bool
			var err error
			if body, ref, there, err = f.Payloads.HookPayload(ctx, e, event, action); err != nil || !there {
				return nil, err
			}
		}
		if onBranch(h, ref) {
			out = append(out, &db.HookDelivery{
				HookID: h.ID, EventID: e.Place.ID, Event: event, Action: action, RepoID: e.RepoID, Payload: body,
			})
		}
	}
	return out, nil
}

// start starts the workflows of new deliveries. What cannot be started, since Temporal is away, is tried again with the
// next pass; the deliveries wait in the meantime.
func (f *Fanout) start(ctx context.Context) error {
	ids, err := f.DB.UnstartedDeliveries(ctx, startBatch)
	if err != nil || len(ids) == 0 {
		return err
	}
	var group errgroup.Group
	group.SetLimit(startersAtOnce)
	started := make(chan int64, len(ids))
	for _, id := range ids {
		group.Go(func() error {
			err := f.Starter.StartDelivery(ctx, id)
			if err == nil {
				started <- id
			}
			return err
		})
	}
	err = group.Wait()
	close(started)
	return errors.Join(err, f.DB.DeliveriesStarted(ctx, collect(started)))
}

func collect(ids <-chan int64) (out []int64) {
	for id := range ids {
		out = append(out, id)
	}
	return out
}

func (f *Fanout) count(ctx context.Context) error {
	stats, err := f.DB.DeliveryStats(ctx)
	if err == nil {
		f.metrics.left(stats)
	}
	return err
}

func (f *Fanout) sweep(ctx context.Context) error {
	now := f.Now()
	if now.Before(f.sweepAt) {
		return nil
	}
	f.sweepAt = now.Add(sweepEvery)
	for range sweepRounds {
		n, err := f.DB.SweepStatusEvents(ctx, keepEvents, sweepBatch)
		if err != nil {
			return err
		}
		if n < sweepBatch {
			break
		}
	}
	return f.DB.SweepDeliveries(ctx, keepDeliveries, keepPerHook, sweepBatch)
}

func (f *Fanout) mend(ctx context.Context) error {
	now := f.Now()
	if now.Before(f.mendAt) {
		return nil
	}
	mended, err := f.DB.MendStatusEvents(ctx)
	if err != nil {
		return err
	}
	if mended {
		f.Logger.WarnContext(ctx, "the database was restored elsewhere; the log of changes was made to fit")
	}
	f.mendAt = now.Add(mendEvery)
	return nil
}
