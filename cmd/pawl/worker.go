package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/worker"
)

type workerCommand struct {
	backendConfig
	workerConfig
	secretConfig
	MetricsAddr string `name:"metrics-addr" env:"PAWL_WORKER_METRICS_ADDR" default:":3001" help:"Address to listen on for metrics and health."`
}

// Run decides until it is told to stop.
func (c *workerCommand) Run(ctx context.Context, logger *slog.Logger) error {
	b, err := openBackends(ctx, c.backendConfig, logger)
	if err != nil {
		return err
	}
	defer b.close()
	part, err := startWorker(ctx, b, c.workerConfig, c.secretConfig)
	if err != nil {
		return err
	}
	defer part.stop()
	mux := http.NewServeMux()
	b.mountOperations(mux)
	return untilFailed(ctx, part.worker.Failed(), func(ctx context.Context) error {
		return serveHTTP(ctx, c.MetricsAddr, mux, logger)
	})
}

// untilFailed serves until ctx ends, serving fails, or a failure is delivered. It returns the first reason.
func untilFailed(ctx context.Context, failed <-chan error, serve func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx) })
	group.Go(func() error {
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	})
	return group.Wait()
}

// mountOperations adds metrics and health.
func (b *backends) mountOperations(mux *http.ServeMux) {
	mux.Handle("GET /metrics", observability.MetricsHandler(b.registry))
	mux.Handle("GET /livez", b.health.Livez())
	mux.Handle("GET /readyz", b.health.Readyz())
}

// workerPart is a running worker.
type workerPart struct {
	worker *worker.Worker
	sender *hook.Sender
	health *observability.Health
}

func startWorker(ctx context.Context, b *backends, c workerConfig, secret secretConfig) (*workerPart, error) {
	if err := engine.EnsureSearchAttributes(ctx, b.temporal, b.config.TemporalNamespace); err != nil {
		return nil, err
	}
	temporal := engine.New(b.temporal, b.config.TemporalNamespace)
	a, err := activities.New(b.db, temporal, activities.NewMetrics(b.registry), activities.Options{
		CallEventName: b.config.CallEventName, Logger: b.logger.With("component", "activities"),
	})
	if err != nil {
		return nil, err
	}
	sender, hooks, err := newHooks(b, c, secret)
	if err != nil {
		return nil, err
	}
	a.Retention = c.retention()
	w := worker.New(b.temporal, a, worker.Options{
		Settings: c.settings(b.config.LostAfter), StickyCache: c.StickyCache, Hooks: hooks,
	})
	if err := w.Start(); err != nil {
		return nil, err
	}
	if err := temporal.EnsureRetention(ctx); err != nil {
		w.Stop()
		return nil, err
	}
	b.health.Register("worker", w.Check)
	return &workerPart{worker: w, sender: sender, health: b.health}, nil
}

// newHooks makes what sends webhooks.
func newHooks(b *backends, c workerConfig, secret secretConfig) (*hook.Sender, *activities.Hooks, error) {
	keys, err := deriveKeys(secret)
	if err != nil {
		return nil, nil, err
	}
	guard, err := c.guard()
	if err != nil {
		return nil, nil, err
	}
	metrics, err := hook.NewMetrics(b.registry)
	if err != nil {
		return nil, nil, err
	}
	sender := hook.NewSender(keys.seals, guard, min(c.HookTimeout, time.Minute), metrics)
	return sender, activities.NewHooks(b.db, sender, metrics), nil
}

func (p *workerPart) stop() {
	p.health.Drain()
	p.worker.Stop()
	p.sender.Close()
}
