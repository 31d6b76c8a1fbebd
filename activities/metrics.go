package activities

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// Metrics counts what the workflows decided. A step that is repeated after a crash may be counted twice.
type Metrics struct {
	runs    *prometheus.CounterVec
	jobs    *prometheus.CounterVec
	retries *prometheus.CounterVec
	faults  *prometheus.CounterVec
	sweeps  *prometheus.CounterVec
}

// What the retention sweep removes.
const (
	removedLogs     = "logs"
	removedLogBytes = "log_bytes" // of logs as downloaded
	removedRuns     = "runs"
	removedChunks   = "log_chunks"
)

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
		faults: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_job_faults_total", Help: "Jobs that were ended by a fault and not by their steps, by its class.",
		}, []string{"class"}),
		sweeps: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_retention_removed_total", Help: "What was removed because it had been kept for long enough, by kind.",
		}, []string{"kind"}),
	}
	// Prometheus cannot see the first increase of a series that was not there before.
	for _, s := range []ci.Status{ci.StatusSuccess, ci.StatusFailure, ci.StatusCancelled, ci.StatusSkipped} {
		m.runs.WithLabelValues(conclusion(s))
		m.jobs.WithLabelValues(conclusion(s))
	}
	for _, c := range retryCauses {
		m.retries.WithLabelValues(c)
	}
	for _, c := range []ci.ErrorClass{ci.ErrorTransient, ci.ErrorPermanent, ci.ErrorUnknown} {
		m.faults.WithLabelValues(string(c))
	}
	for _, kind := range []string{removedLogs, removedLogBytes, removedRuns, removedChunks} {
		m.sweeps.WithLabelValues(kind)
	}
	r.MustRegister(m.runs, m.jobs, m.retries, m.faults, m.sweeps)
	return m
}

func (m *Metrics) recorded(s workflows.Step) {
	for _, e := range s.Ended {
		m.jobs.WithLabelValues(conclusion(e.Status)).Inc()
		if e.Class != "" {
			m.faults.WithLabelValues(string(e.Class)).Inc()
		}
	}
	if s.Status.Terminal() {
		m.runs.WithLabelValues(conclusion(s.Status)).Inc()
	}
}

func (m *Metrics) removed(kind string, n int64) { m.sweeps.WithLabelValues(kind).Add(float64(n)) }

// causeFailure is why a job is tried again that has failed and whose file asks for it.
const causeFailure = "failure"

// retryCauses are the values of the label reason.
var retryCauses = []string{db.CauseLost, db.CauseUnconfirmed, db.CauseRefused, workflows.CauseTimeout, causeFailure}

func (m *Metrics) retried(cause string) {
	if !slices.Contains(retryCauses, cause) {
		cause = causeFailure
	}
	m.retries.WithLabelValues(cause).Inc()
}

func conclusion(s ci.Status) string {
	_, c := s.API()
	return c
}
