package main

import (
	"context"
	"log/slog"
	"net/http"

	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/worker"
)

type workerCommand struct {
	backendConfig
	workerConfig
	MetricsAddr string `name:"metrics-addr" env:"PAWL_WORKER_METRICS_ADDR" default:":3001" help:"Address to listen on for metrics and health."`
}

// Run decides until it is told to stop.
func (c *workerCommand) Run(ctx context.Context, logger *slog.Logger) error {
	b, err := openBackends(ctx, c.backendConfig, logger)
	if err != nil {
		return err
	}
	defer b.close()
	part, err := startWorker(ctx, b, c.workerConfig)
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
	health *observability.Health
}

func startWorker(ctx context.Context, b *backends, c workerConfig) (*workerPart, error) {
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
	w := worker.New(b.temporal, a, worker.Options{Settings: c.settings(b.config.LostAfter), StickyCache: c.StickyCache})
	if err := w.Start(); err != nil {
		return nil, err
	}
	b.health.Register("worker", w.Check)
	return &workerPart{worker: w, health: b.health}, nil
}

func (p *workerPart) stop() {
	p.health.Drain()
	p.worker.Stop()
}
