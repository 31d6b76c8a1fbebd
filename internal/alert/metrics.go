package alert

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/db"
)

// metrics are the counts of a deliverer.
//
//	pawl_alert_deliveries_total{result}                  result: one of the words below
//	pawl_alerts_waiting, pawl_alerts_oldest_seconds      alerts that are still to be delivered, and the age of the oldest
type metrics struct {
	deliveries      *prometheus.CounterVec
	waiting, oldest prometheus.Gauge
}

// Results of a delivery.
const (
	resultOK          = "ok"
	resultRefused     = "refused"     // an answer that is not 2xx
	resultUnreachable = "unreachable" // no answer, or none in time
	resultLogged      = "logged"      // there is no webhook
)

// resultOf names what came of a post.
func resultOf(err error) string {
	var refused *refusedError
	switch {
	case err == nil:
		return resultOK
	case errors.As(err, &refused):
		return resultRefused
	default:
		return resultUnreachable
	}
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		deliveries: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pawl_alert_deliveries_total", Help: "Deliveries of alerts to the administrators' webhook, by result.",
		}, []string{"result"}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pawl_alerts_waiting", Help: "Alerts that the administrators' webhook has not taken.",
		}),
		oldest: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "pawl_alerts_oldest_seconds", Help: "How long the oldest of them has waited.",
		}),
	}
	// Prometheus cannot see the first increase of a series that was not there before.
	for _, result := range []string{resultOK, resultRefused, resultUnreachable, resultLogged} {
		m.deliveries.WithLabelValues(result)
	}
	return m, errors.Join(r.Register(m.deliveries), r.Register(m.waiting), r.Register(m.oldest))
}

func (m *metrics) told(result string) { m.deliveries.WithLabelValues(result).Inc() }

func (m *metrics) left(s db.AlertStats) {
	m.waiting.Set(float64(s.Waiting))
	m.oldest.Set(s.Oldest.Seconds())
}
