package observability

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// temporalVectors holds one vector per metric name of the SDK. A name is registered when the SDK first uses it,
// since the SDK has no list of its names.
type temporalVectors struct {
	registerer prometheus.Registerer

	mu       sync.Mutex
	counters map[string]*prometheus.CounterVec
	gauges   map[string]*prometheus.GaugeVec
	timers   map[string]*prometheus.HistogramVec
}

func (v *temporalVectors) counter(name string) *prometheus.CounterVec {
	return vector(v, &v.counters, name, func() *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Name: name + "_total", Help: temporalHelp}
		return prometheus.NewCounterVec(opts, temporalLabels[:])
	})
}

func (v *temporalVectors) gauge(name string) *prometheus.GaugeVec {
	return vector(v, &v.gauges, name, func() *prometheus.GaugeVec {
		return prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: temporalHelp}, temporalLabels[:])
	})
}

func (v *temporalVectors) timer(name string) *prometheus.HistogramVec {
	return vector(v, &v.timers, name, func() *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name + "_seconds", Help: temporalHelp, Buckets: RequestBuckets()}
		return prometheus.NewHistogramVec(opts, temporalLabels[:])
	})
}

const temporalHelp = "See the metrics reference of the Temporal SDK."

// vector returns the vector of a name and registers it when it is new. A name that cannot be registered, because
// somebody else has taken it, still counts, but is not shown: metrics must never stop work.
func vector[C prometheus.Collector](v *temporalVectors, known *map[string]C, name string, create func() C) C {
	v.mu.Lock()
	defer v.mu.Unlock()
	if found, ok := (*known)[name]; ok {
		return found
	}
	created, _ := register(v.registerer, create())
	if *known == nil {
		*known = map[string]C{}
	}
	(*known)[name] = created
	return created
}
