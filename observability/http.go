package observability

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// unmatchedRoute is the label of requests that no route took. Their paths are chosen by the client and must not
// become labels.
const unmatchedRoute = "unmatched"

// HTTPMetrics measures the requests that an HTTP server answers.
type HTTPMetrics struct {
	seconds  *prometheus.HistogramVec
	inFlight prometheus.Gauge
}

// NewHTTPMetrics registers pawl_http_request_seconds{route,method,code} and pawl_http_requests_in_flight. It fails
// only when one of the names is taken by another kind of metric.
func NewHTTPMetrics(registerer prometheus.Registerer) (*HTTPMetrics, error) {
	seconds, err := register(registerer, prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "pawl_http_request_seconds",
		Help:    "Time to answer an HTTP request, by route template, method and class of the status.",
		Buckets: RequestBuckets(),
	}, []string{"route", "method", "code"}))
	if err != nil {
		return nil, fmt.Errorf("http request time: %w", err)
	}
	inFlight, err := register(registerer, prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "pawl_http_requests_in_flight",
		Help: "HTTP requests being answered now, streams among them.",
	}))
	if err != nil {
		return nil, fmt.Errorf("http requests in flight: %w", err)
	}
	return &HTTPMetrics{seconds: seconds, inFlight: inFlight}, nil
}

// Middleware measures each request under the label that route returns for it: the template of its route, never its
// path; empty means that no route took it. With gorilla/mux, give it to Router.Use with a function over
// mux.CurrentRoute, and wrap NotFoundHandler and MethodNotAllowedHandler by hand, which Use does not reach.
func (m *HTTPMetrics) Middleware(route func(*http.Request) string) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			m.inFlight.Inc()
			recorder := &statusRecorder{ResponseWriter: w}
			start := time.Now()
			// Deferred, so that a handler that panics is counted too.
			defer func() {
				m.inFlight.Dec()
				m.observe(route(r), r.Method, recorder.class(), time.Since(start))
			}()
			next.ServeHTTP(recorder, r)
			recorder.finish()
		})
	}
}

func (m *HTTPMetrics) observe(route, method, class string, took time.Duration) {
	if route == "" {
		route = unmatchedRoute
	}
	m.seconds.WithLabelValues(route, boundMethod(method), class).Observe(took.Seconds())
}

// boundMethod keeps made-up methods out of the labels.
func boundMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
		http.MethodDelete, http.MethodOptions:
		return method
	default:
		return "other"
	}
}

// statusRecorder remembers the status of an answer. It stays fit for streaming: http.ResponseController finds the
// real writer by Unwrap, and libraries that look for an http.Flusher find Flush.
type statusRecorder struct {
	http.ResponseWriter
	status int // 0 until a final header is written
}

// WriteHeader notes the first final status; informational ones come before it.
func (r *statusRecorder) WriteHeader(status int) {
	if r.status == 0 && status >= http.StatusOK {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implies status 200, as in net/http.
func (r *statusRecorder) Write(body []byte) (int, error) {
	r.finish()
	return r.ResponseWriter.Write(body)
}

// Flush sends what is buffered, where the real writer can; it implies status 200 too.
func (r *statusRecorder) Flush() {
	r.finish()
	// The one error is that the writer has no Flush, which an http.Flusher has no way to say.
	_ = http.NewResponseController(r.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (r *statusRecorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// finish notes what net/http answers when a handler that ended well has written no status.
func (r *statusRecorder) finish() {
	if r.status == 0 {
		r.status = http.StatusOK
	}
}

// class is "2xx" to "5xx". A handler that panicked before it wrote a status has failed.
func (r *statusRecorder) class() string {
	if r.status == 0 {
		return "5xx"
	}
	return strconv.Itoa(r.status/100) + "xx"
}
