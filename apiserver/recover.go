package apiserver

import (
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus"
)

// newPanicCounter registers pawl_http_panics_total, or finds the one that is registered.
func newPanicCounter(r prometheus.Registerer) (prometheus.Counter, error) {
	counter := prometheus.NewCounter(prometheus.CounterOpts{
		Name: "pawl_http_panics_total",
		Help: "HTTP handlers that panicked.",
	})
	err := r.Register(counter)
	var taken prometheus.AlreadyRegisteredError
	if errors.As(err, &taken) {
		if existing, ok := taken.ExistingCollector.(prometheus.Counter); ok {
			return existing, nil
		}
	}
	return counter, err
}

// recovered answers 500 for a handler that panics, and counts it: a defect must not end the process, and must be
// seen. http.ErrAbortHandler, by which a handler ends a connection on purpose, goes on to the server.
func (s *Server) recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			cause := recover()
			if cause == nil {
				return
			}
			if cause == http.ErrAbortHandler {
				panic(cause)
			}
			s.panics.Inc()
			s.Logger.ErrorContext(r.Context(), "handler panicked", "method", r.Method, "path", r.URL.Path, "panic", cause,
				"stack", string(debug.Stack()))
			// If the answer has begun, this does nothing but log a line.
			writeError(w, s.rootURL(r), http.StatusInternalServerError, "internal error")
		}()
		next.ServeHTTP(w, r)
	})
}
