package hook

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
)

// fanoutMetrics are the gauges of a Fanout. Only the process that reads the events has them; elsewhere they are 0.
//
//	pawl_hook_deliveries_pending, pawl_hook_deliveries_oldest_seconds   what is still to be delivered
//	pawl_hook_events_unread_seconds                                     age of the oldest change that was not looked at
type fanoutMetrics struct {
	pending, oldest, unread prometheus.Gauge
}

func newFanoutMetrics(r prometheus.Registerer) (*fanoutMetrics, error) {
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &fanoutMetrics{
		pending: gauge("pawl_hook_deliveries_pending", "Webhook deliveries that were neither taken nor given up."),
		oldest:  gauge("pawl_hook_deliveries_oldest_seconds", "Age of the oldest of them."),
		unread:  gauge("pawl_hook_events_unread_seconds", "Age of the oldest change of status that no webhook was told of yet."),
	}
	return m, errors.Join(r.Register(m.pending), r.Register(m.oldest), r.Register(m.unread))
}

func (m *fanoutMetrics) left(s db.DeliveryStats) {
	m.pending.Set(float64(s.Pending))
	m.oldest.Set(s.Oldest.Seconds())
	m.unread.Set(s.Unread.Seconds())
}

// Metrics count what is sent.
//
//	pawl_hook_tries_total{result}        one of the words below
//	pawl_hook_deliveries_total{outcome}  delivered or failed
type Metrics struct {
	tries, deliveries *prometheus.CounterVec
}

// Results of a try.
const (
	resultOK          = "ok"
	resultRefused     = "refused"     // an answer that is not 2xx
	resultUnreachable = "unreachable" // no answer, or none in time
	resultForbidden   = "forbidden"   // an address that this installation does not connect to
)

// NewMetrics makes and registers the counters of a Sender.
func NewMetrics(r prometheus.Registerer) (*Metrics, error) {
	m := &Metrics{
		tries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_hook_tries_total", Help: "Attempts to send a webhook delivery, by result.",
		}, []string{"result"}),
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_hook_deliveries_total", Help: "Webhook deliveries that are over, by outcome.",
		}, []string{"outcome"}),
	}
	// Prometheus cannot see the first increase of a series that was not there before.
	for _, result := range []string{resultOK, resultRefused, resultUnreachable, resultForbidden} {
		m.tries.WithLabelValues(result)
	}
	for _, outcome := range []db.DeliveryState{db.DeliveryDelivered, db.DeliveryFailed} {
		m.deliveries.WithLabelValues(string(outcome))
	}
	return m, errors.Join(r.Register(m.tries), r.Register(m.deliveries))
}

func (m *Metrics) tried(result string) { m.tries.WithLabelValues(result).Inc() }

// Ended counts a delivery that is over.
func (m *Metrics) Ended(outcome db.DeliveryState) {
	m.deliveries.WithLabelValues(string(outcome)).Inc()
}
