package activities

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// Metrics counts what the workflows decided. A step that is repeated after a crash may be counted twice.
type Metrics struct {
	runs    *prometheus.CounterVec
	jobs    *prometheus.CounterVec
	retries *prometheus.CounterVec
}

// NewMetrics registers the metrics of this package.
func NewMetrics(r prometheus.Registerer) *Metrics {
	m := &Metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_runs_total", Help: "Attempts of runs that ended, by conclusion.",
		}, []string{"conclusion"}),
		jobs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_jobs_total", Help: "Jobs that ended, by conclusion.",
		}, []string{"conclusion"}),
		retries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_task_retries_total", Help: "Jobs offered again because their task came to nothing, by cause.",
		}, []string{"reason"}),
	}
	// Prometheus cannot see the first increase of a series that was not there before.
	for _, s := range []ci.Status{ci.StatusSuccess, ci.StatusFailure, ci.StatusCancelled, ci.StatusSkipped} {
		m.runs.WithLabelValues(conclusion(s))
		m.jobs.WithLabelValues(conclusion(s))
	}
	m.retries.WithLabelValues(reasonLost)
	r.MustRegister(m.runs, m.jobs, m.retries)
	return m
}

func (m *Metrics) recorded(s workflows.Step) {
	for _, e := range s.Ended {
		m.jobs.WithLabelValues(conclusion(e.Status)).Inc()
	}
	if s.Status.Terminal() {
		m.runs.WithLabelValues(conclusion(s.Status)).Inc()
	}
}

// reasonLost is the only cause so far: the runner is gone.
const reasonLost = "lost"

func (m *Metrics) retried() { m.retries.WithLabelValues(reasonLost).Inc() }

func conclusion(s ci.Status) string {
	_, c := s.API()
	return c
}
