package main

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/pprof"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
	sdklog "go.temporal.io/sdk/log"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/observability"
)

// backends are what the parts of one process share.
type backends struct {
	config   backendConfig
	db       *db.DB
	temporal client.Client
	registry *prometheus.Registry
	health   *observability.Health
	logger   *slog.Logger
}

// openBackends connects to Postgres and Temporal. It waits for both as long as ctx lasts, since they may be starting
// at the same time.
func openBackends(ctx context.Context, c backendConfig, logger *slog.Logger) (*backends, error) {
	b := &backends{config: c, logger: logger, registry: observability.NewRegistry(observability.Build{Version: version})}
	b.health = observability.NewHealth(observability.HealthOptions{Logger: logger})
	var err error
	if b.db, err = retryUntil(ctx, logger, "postgres", func() (*db.DB, error) {
		return db.Open(ctx, c.DatabaseURL, db.Options{MaxConns: c.DatabaseConns, OnDeadlock: func(err error) {
			logger.Warn("two transactions waited for each other, one is done again", "error", err)
		}})
	}); err != nil {
		return nil, err
	}
	if b.temporal, err = retryUntil(ctx, logger, "temporal", b.dialTemporal(ctx)); err != nil {
		_ = b.db.Close()
		return nil, err
	}
	if c.ProfileAddr != "" {
		go b.serveProfiles(ctx)
	}
	b.health.Register("postgres", func(ctx context.Context) error { return b.db.Pool.Ping(ctx) })
	b.health.Register("migrations", b.checkMigrations)
	b.health.Register("temporal", func(ctx context.Context) error {
		_, err := b.temporal.CheckHealth(ctx, &client.CheckHealthRequest{})
		return err
	})
	return b, nil
}

func (b *backends) dialTemporal(ctx context.Context) func() (client.Client, error) {
	options := client.Options{
		HostPort:       b.config.TemporalAddress,
		Namespace:      b.config.TemporalNamespace,
		Logger:         sdklog.NewStructuredLogger(b.logger.With("component", "temporal")),
		MetricsHandler: observability.NewTemporalMetrics(b.registry),
	}
	return func() (client.Client, error) { return client.DialContext(ctx, options) }
}

// serveProfiles serves /debug/pprof for as long as the process lives. A fault of it is no fault of the process.
func (b *backends) serveProfiles(ctx context.Context) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	if err := serveHTTP(context.WithoutCancel(ctx), b.config.ProfileAddr, mux, b.logger); err != nil {
		b.logger.Warn("profiles are not served", "error", err)
	}
}

func (b *backends) checkMigrations(ctx context.Context) error {
	n, err := b.db.PendingMigrations(ctx)
	if err == nil && n > 0 {
		err = fmt.Errorf("%d migrations are not applied; run pawl migrate", n)
	}
	return err
}

// close lets go of both.
func (b *backends) close() {
	b.temporal.Close()
	if err := b.db.Close(); err != nil {
		b.logger.Warn("close database", "error", err)
	}
}

// startPatience is how long a process waits for what it needs before it gives up.
const startPatience = time.Minute

// retryUntil repeats open until it succeeds, ctx ends, or the patience is over.
func retryUntil[T any](ctx context.Context, logger *slog.Logger, what string, open func() (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	for {
		v, err := open()
		if err == nil {
			return v, nil
		}
		logger.WarnContext(ctx, "waiting", "for", what, "error", err)
		select {
		case <-ctx.Done():
			return v, fmt.Errorf("%s: %w", what, err)
		case <-time.After(500 * time.Millisecond):
		}
	}
}
