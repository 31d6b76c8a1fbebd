package runnergw

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
)

// metrics are the counts and times of a gateway. Label sets are closed: methods, Connect codes, and the words below.
//
//	pawl_gateway_rpc_seconds{method,code}           time of each call; FetchTask is held on purpose
//	pawl_dispatch_latency_seconds                   from the offer of a job to its claim
//	pawl_gateway_held_polls                         polls that wait for work
//	pawl_log_bytes_total                            text of logs received, as it is downloaded
//	pawl_temporal_deliveries_total{kind,result}     kind: complete, wake, heartbeat; result: ok, error, dropped
//	pawl_queue_depth, pawl_queue_oldest_seconds     queued offers, and the age of the oldest
//	pawl_runners{state}                             idle, busy, offline, disabled
type metrics struct {
	rpcSeconds      *prometheus.HistogramVec
	dispatchLatency prometheus.Histogram
	logBytes        prometheus.Counter
	deliveries      *prometheus.CounterVec
}

var rpcBuckets = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}

func newMetrics(r prometheus.Registerer, heldPolls func() int, d *db.DB, now func() time.Time) (*metrics, error) {
	m := &metrics{
		rpcSeconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "pawl_gateway_rpc_seconds",
			Help: "Time of the calls of runners.", Buckets: rpcBuckets}, []string{"method", "code"}),
		dispatchLatency: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "pawl_dispatch_latency_seconds",
			Help: "Time from the offer of a job to its claim by a runner.", Buckets: prometheus.ExponentialBuckets(.001, 2, 20)}),
		logBytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "pawl_log_bytes_total",
			Help: "Text of logs that was received, in bytes as downloaded."}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "pawl_temporal_deliveries_total",
			Help: "Messages to Temporal about tasks."}, []string{"kind", "result"}),
	}
	// Prometheus cannot see the first increase of a series that was not there before.
	for _, kind := range []string{kindComplete, kindWake, kindHeartbeat} {
		for _, result := range []string{resultOK, resultError, resultDropped} {
			m.deliveries.WithLabelValues(kind, result)
		}
	}
	held := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "pawl_gateway_held_polls",
		Help: "Polls of runners that wait for work."}, func() float64 { return float64(heldPolls()) })
	var errs []error
	for _, c := range []prometheus.Collector{m.rpcSeconds, m.dispatchLatency, m.logBytes, m.deliveries, held, newStock(d, now)} {
		errs = append(errs, r.Register(c))
	}
	return m, errors.Join(errs...)
}

const (
	// stockTTL keeps several scrapers from asking the database each.
	stockTTL = 2 * time.Second
	// stockLimit bounds a scrape when the database is slow: the metrics are then missing.
	stockLimit = 2 * time.Second
)

// stock collects, on scrape, what is counted in the database.
type stock struct {
	db      *db.DB
	now     func() time.Time
	depth   *prometheus.Desc
	oldest  *prometheus.Desc
	runners *prometheus.Desc

	mu     sync.Mutex
	read   time.Time
	queue  db.QueueStats
	counts db.RunnerCounts
}

func newStock(d *db.DB, now func() time.Time) *stock {
	return &stock{db: d, now: now,
		depth:   prometheus.NewDesc("pawl_queue_depth", "Jobs that wait for a runner.", nil, nil),
		oldest:  prometheus.NewDesc("pawl_queue_oldest_seconds", "How long the oldest of them has waited.", nil, nil),
		runners: prometheus.NewDesc("pawl_runners", "Registered runners.", []string{"state"}, nil),
	}
}

// Describe implements prometheus.Collector.
func (s *stock) Describe(out chan<- *prometheus.Desc) {
	out <- s.depth
	out <- s.oldest
	out <- s.runners
}

// Collect implements prometheus.Collector.
func (s *stock) Collect(out chan<- prometheus.Metric) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(); err != nil {
		return // the gauges are absent, which is what an alert on them sees
	}
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	gauge(s.depth, float64(s.queue.Depth))
	gauge(s.oldest, s.queue.Oldest.Seconds())
	gauge(s.runners, float64(s.counts.Idle), "idle")
	gauge(s.runners, float64(s.counts.Busy), "busy")
	gauge(s.runners, float64(s.counts.Offline), "offline")
	gauge(s.runners, float64(s.counts.Disabled), "disabled")
}

func (s *stock) refresh() error {
	if !s.read.IsZero() && s.now().Sub(s.read) < stockTTL {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stockLimit)
	defer cancel()
	queue, err := s.db.QueueStats(ctx)
	if err != nil {
		return err
	}
	counts, err := s.db.CountRunners(ctx)
	if err != nil {
		return err
	}
	s.queue, s.counts, s.read = queue, counts, s.now()
	return nil
}
