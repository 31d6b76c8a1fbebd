package runnergw

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/internal/token"
)

// queryLimit bounds the work on the database that one step of a call needs, so that a database that hangs gives
// runners an error and not silence.
const queryLimit = 5 * time.Second

// Gateway serves runners. Make it with New; it works between Start and Stop.
type Gateway struct {
	options Options
	db      *db.DB
	tokens  *token.Hasher
	logs    *loghub.Hub
	chunks  *logchunk.Codec
	log     *slog.Logger
	now     func() time.Time

	auth     *authenticator
	labels   *labelIndex
	dispatch *dispatcher
	content  *contentBuilder
	tasks    *taskCache
	deliver  *deliverer
	beats    *heartbeats
	presence *presence
	metrics  *metrics
	audit    *audit.Recorder
	refusals *ratelimit.Buckets // of the audit log

	// claims bounds the claims that run at once: more of them only wait for each other in Postgres, and keep reports
	// from getting a connection.
	claims chan struct{}

	mu      sync.Mutex
	started bool
	stopped bool
	cancel  context.CancelFunc
	loops   sync.WaitGroup
}

// maxClaims is how many claims run at once.
const maxClaims = 8

// New makes a gateway. It registers its metrics, so there can be one for each registerer.
func New(d Deps, o Options) (*Gateway, error) {
	if d.Now == nil {
		d.Now = time.Now
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	if err := o.check(); err != nil {
		return nil, err
	}
	g := &Gateway{
		options: o, db: d.DB, tokens: d.Tokens, logs: d.Logs, chunks: d.Chunks, log: d.Log, now: d.Now,
		auth: newAuthenticator(d), labels: newLabelIndex(d), dispatch: newDispatcher(o.MaxHeldPolls),
		content: newContentBuilder(d, o), tasks: newTaskCache(d), presence: newPresence(d),
		claims: make(chan struct{}, maxClaims),
	}
	var err error
	if g.metrics, err = newMetrics(d.Metrics, g.dispatch.heldPolls, d.DB, d.Now); err != nil {
		return nil, fmt.Errorf("runner gateway: %w", err)
	}
	if g.audit, err = audit.New(d.DB, d.Metrics, d.Log); err != nil {
		return nil, fmt.Errorf("runner gateway: %w", err)
	}
	if g.refusals, err = ratelimit.New(refusalsKept, d.Now); err != nil {
		return nil, fmt.Errorf("runner gateway: %w", err)
	}
	g.deliver = newDeliverer(d.DB, d.Tasks, d.Log, g.metrics)
	g.beats = newHeartbeats(d.Tasks, d.Log, g.metrics, o.LostAfter/3, d.Now)
	return g, nil
}

// Start begins to listen and to sweep, and returns when offers are heard. A second call does nothing. When ctx ends
// before, the gateway is stopped again.
func (g *Gateway) Start(ctx context.Context) error {
	g.mu.Lock()
	if g.started || g.stopped {
		g.mu.Unlock()
		return nil
	}
	g.started = true
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g.cancel = cancel
	listening := make(chan struct{})
	g.loops.Go(func() { g.listen(running, listening) })
	g.loops.Go(func() { g.sweep(running) })
	g.loops.Go(func() { g.uptime(running) })
	g.loops.Go(func() { g.presence.run(running, g.log) })
	g.mu.Unlock()
	select {
	case <-listening:
		return nil
	case <-ctx.Done():
		g.Stop()
		return fmt.Errorf("start runner gateway: %w", ctx.Err())
	}
}

// Drain answers all held polls and hands out nothing more, so that runners find another gateway. Reports are still
// taken. It returns at once and may be called at any time.
func (g *Gateway) Drain() { g.dispatch.drain() }

// Stop ends everything that goes on beside the calls, after Drain; the server of Handler should have ended its calls
// before. Ends of tasks that were not delivered are delivered by another gateway or after the next start. It may be
// called at any time, and more than once.
func (g *Gateway) Stop() {
	g.Drain()
	g.mu.Lock()
	g.stopped = true
	if g.cancel != nil {
		g.cancel()
	}
	g.mu.Unlock()
	g.loops.Wait()
	g.beats.stop()
	g.deliver.stop()
}
