package observability

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// temporalLabels is the fixed union of labels of every SDK metric: the SDK gives one metric name with differing
// tags, and a Prometheus vector needs one set. Tags that are not here, such as client_name, are dropped.
var temporalLabels = [...]string{
	"namespace", "task_queue", "worker_type", "workflow_type", "activity_type",
	"operation", "poller_type", "status_code", "failure_reason", "cause",
}

// temporalLabelIndex is the inverse of temporalLabels.
var temporalLabelIndex = indexLabels()

func indexLabels() map[string]int {
	index := make(map[string]int, len(temporalLabels))
	for i, label := range temporalLabels {
		index[label] = i
	}
	return index
}

// maxTagSets bounds the distinct combinations of tag values in a process, which is some hundreds in practice. Past
// it new tags are ignored and the metrics of the parent grow instead.
const maxTagSets = 4096

// systemTaskQueue is the prefix of the SDK's private queues. The rest of such a name is a random id of the worker, so
// it would make a new series at every start.
const systemTaskQueue = "temporal-sys/"

// tagSet holds the values of temporalLabels; an empty value is an absent label.
type tagSet [len(temporalLabels)]string

func (s tagSet) with(tags map[string]string) tagSet {
	for name, value := range tags {
		if i, known := temporalLabelIndex[name]; known {
			s[i] = boundTag(value)
		}
	}
	return s
}

func boundTag(value string) string {
	if strings.HasPrefix(value, systemTaskQueue) {
		return "temporal-sys"
	}
	return value
}

// NewTemporalMetrics returns a metrics handler for the options of a Temporal client, whose workers then use it too.
// The names are those of the SDK with the suffix that Prometheus wants: counters end in _total, timers become
// histograms in _seconds. It may be called several times for one registerer; all handlers share their metrics.
func NewTemporalMetrics(registerer prometheus.Registerer) client.MetricsHandler {
	root := &temporalRoot{
		metrics:  temporalVectors{registerer: registerer},
		handlers: map[tagSet]*temporalHandler{},
	}
	return root.handler(tagSet{}, nil)
}

// temporalRoot interns handlers: the SDK asks for the same tags again at every call, and gets the same handler.
type temporalRoot struct {
	metrics temporalVectors

	mu       sync.RWMutex
	handlers map[tagSet]*temporalHandler
}

// handler returns the one handler of a tag set, or the parent when there are too many.
func (r *temporalRoot) handler(tags tagSet, parent *temporalHandler) *temporalHandler {
	r.mu.RLock()
	found := r.handlers[tags]
	r.mu.RUnlock()
	if found != nil {
		return found
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.addLocked(tags, parent)
}

func (r *temporalRoot) addLocked(tags tagSet, parent *temporalHandler) *temporalHandler {
	if found := r.handlers[tags]; found != nil {
		return found
	}
	if len(r.handlers) >= maxTagSets {
		return parent
	}
	added := &temporalHandler{root: r, tags: tags}
	r.handlers[tags] = added
	return added
}

// temporalHandler implements client.MetricsHandler for one tag set. Its metrics are looked up once and then kept.
type temporalHandler struct {
	root *temporalRoot
	tags tagSet

	counters sync.Map // name to client.MetricsCounter
	gauges   sync.Map // name to client.MetricsGauge
	timers   sync.Map // name to client.MetricsTimer
}

// WithTags returns the handler whose tags are these over the present ones.
func (h *temporalHandler) WithTags(tags map[string]string) client.MetricsHandler {
	return h.root.handler(h.tags.with(tags), h)
}

// Counter returns the counter of that name.
func (h *temporalHandler) Counter(name string) client.MetricsCounter {
	return kept(&h.counters, name, func() client.MetricsCounter {
		return temporalCounter{h.root.metrics.counter(name).WithLabelValues(h.tags[:]...)}
	})
}

// Gauge returns the gauge of that name.
func (h *temporalHandler) Gauge(name string) client.MetricsGauge {
	return kept(&h.gauges, name, func() client.MetricsGauge {
		return temporalGauge{h.root.metrics.gauge(name).WithLabelValues(h.tags[:]...)}
	})
}

// Timer returns the histogram of that name.
func (h *temporalHandler) Timer(name string) client.MetricsTimer {
	return kept(&h.timers, name, func() client.MetricsTimer {
		return temporalTimer{h.root.metrics.timer(name).WithLabelValues(h.tags[:]...)}
	})
}

func kept[M any](metrics *sync.Map, name string, make func() M) M {
	if found, ok := metrics.Load(name); ok {
		return found.(M)
	}
	found, _ := metrics.LoadOrStore(name, make())
	return found.(M)
}

type temporalCounter struct{ prometheus.Counter }

// Inc ignores a negative difference, which a counter cannot take.
func (c temporalCounter) Inc(by int64) {
	if by > 0 {
		c.Add(float64(by))
	}
}

type temporalGauge struct{ prometheus.Gauge }

func (g temporalGauge) Update(value float64) { g.Set(value) }

type temporalTimer struct{ prometheus.Observer }

func (t temporalTimer) Record(d time.Duration) { t.Observe(d.Seconds()) }
