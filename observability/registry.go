package observability

import (
	"fmt"
	"net/http"
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// maxScrapes bounds the scrapes that are answered at once; further ones get 503.
const maxScrapes = 4

// Build says which program this is.
type Build struct {
	Version  string // release, such as "1.4.0", or "dev"
	Revision string // commit of the source, or empty
}

// NewRegistry returns a registry that already shows the Go runtime, the process and pawl_build_info. Each process
// has one, which is given to all parts as a prometheus.Registerer.
func NewRegistry(build Build) *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		buildInfo(build),
	)
	return registry
}

func buildInfo(build Build) prometheus.Collector {
	info := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "pawl_build_info",
		Help: "Always 1; the labels say which program answers.",
	}, []string{"version", "revision", "go_version"})
	info.WithLabelValues(build.Version, build.Revision, runtime.Version()).Set(1)
	return info
}

// MetricsHandler is the page /metrics. A collector that fails costs its own metrics only.
func MetricsHandler(registry *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		Registry:            registry,
		ErrorHandling:       promhttp.ContinueOnError,
		MaxRequestsInFlight: maxScrapes,
	})
}

// register adds a collector to the registry or returns the equal one that is there already, so that two clients in
// one process share their metrics.
func register[C prometheus.Collector](registerer prometheus.Registerer, collector C) (C, error) {
	err := registerer.Register(collector)
	if err == nil {
		return collector, nil
	}
	if already, ok := err.(prometheus.AlreadyRegisteredError); ok {
		if existing, same := already.ExistingCollector.(C); same {
			return existing, nil
		}
	}
	return collector, fmt.Errorf("register metric: %w", err)
}
