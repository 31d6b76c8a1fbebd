package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	otelprometheus "go.opentelemetry.io/otel/exporters/prometheus"
	"go.opentelemetry.io/otel/metric"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
)

// metricsPrefix keeps the server's names apart from those of the SDK, which a
// dashboard usually shows beside them.
const metricsPrefix = "temporal_server_"

// meterProvider lets Temporal record into a meter of ours.
type meterProvider struct{ meter metric.Meter }

func (p meterProvider) GetMeter() metric.Meter { return p.meter }
func (p meterProvider) Stop(log.Logger)        {}

// newMetrics returns the registry to serve and the handler that fills it.
func newMetrics(lg log.Logger) (*prometheus.Registry, metrics.Handler, error) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	exporter, err := otelprometheus.New(otelprometheus.WithoutScopeInfo(),
		otelprometheus.WithRegisterer(prometheus.WrapRegistererWithPrefix(metricsPrefix, registry)))
	if err != nil {
		return nil, nil, fmt.Errorf("create metrics exporter: %w", err)
	}
	provider := meterProvider{sdkmetric.NewMeterProvider(sdkmetric.WithReader(exporter)).Meter("temporal")}
	handler, err := metrics.NewOtelMetricsHandler(lg, provider, metrics.ClientConfig{RecordTimerInSeconds: true}, true)
	if err != nil {
		return nil, nil, fmt.Errorf("create metrics handler: %w", err)
	}
	return registry, handler, nil
}

// serveMetrics answers on address until the returned server is closed; a later
// failure goes to failed.
func serveMetrics(address string, registry *prometheus.Registry, failed chan<- error) (*http.Server, error) {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for metrics: %w", err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			failed <- fmt.Errorf("serve metrics: %w", err)
		}
	}()
	return server, nil
}
