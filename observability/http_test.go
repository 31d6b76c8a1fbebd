package observability_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/observability"
)

// template is the label function that a gorilla/mux server gives.
func template(r *http.Request) string {
	route := mux.CurrentRoute(r)
	if route == nil {
		return ""
	}
	path, _ := route.GetPathTemplate()
	return path
}

func newServer(t *testing.T, registry *prometheus.Registry, routes func(*mux.Router)) *httptest.Server {
	t.Helper()
	metrics, err := observability.NewHTTPMetrics(registry)
	require.NoError(t, err)
	router := mux.NewRouter()
	router.Use(metrics.Middleware(template))
	router.NotFoundHandler = metrics.Middleware(template)(http.NotFoundHandler())
	routes(router)
	server := httptest.NewServer(router)
	t.Cleanup(server.Close)
	return server
}

func TestHTTPMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	server := newServer(t, registry, func(router *mux.Router) {
		router.HandleFunc("/runs/{run}", func(http.ResponseWriter, *http.Request) {})
		router.HandleFunc("/teapot", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTeapot)
		})
		router.HandleFunc("/panic", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	})
	for _, request := range []struct{ method, path string }{
		{"GET", "/runs/1"}, {"GET", "/runs/2"}, {"POST", "/runs/3"}, {"BREW", "/teapot"}, {"GET", "/no/such/1"},
		{"POST", "/panic"},
	} {
		call(t, server, request.method, request.path)
	}

	page := scrape(t, registry)
	for _, want := range []string{
		`{code="2xx",method="GET",route="/runs/{run}"} 2`,
		`{code="2xx",method="POST",route="/runs/{run}"} 1`,
		`{code="4xx",method="other",route="/teapot"} 1`,
		`{code="4xx",method="GET",route="unmatched"} 1`,
		`{code="5xx",method="POST",route="/panic"} 1`,
	} {
		requireLine(t, page, "pawl_http_request_seconds_count"+want)
	}
	requireLine(t, page, "pawl_http_requests_in_flight 0")
	require.NotContains(t, page, "/no/such")
	require.NoError(t, observability.CheckNames(registry))
}

// call ignores the answer: only what was measured counts, and a handler may have aborted.
func call(t *testing.T, server *httptest.Server, method, path string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, nil)
	require.NoError(t, err)
	response, err := server.Client().Do(request)
	if err != nil {
		return
	}
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
}

// A stream passes the middleware unbuffered, by either way of flushing, and counts as in flight meanwhile.
func TestStreamsFlushThroughTheMiddleware(t *testing.T) {
	for name, flush := range map[string]func(http.ResponseWriter){
		"flusher":    func(w http.ResponseWriter) { w.(http.Flusher).Flush() },
		"controller": func(w http.ResponseWriter) { _ = http.NewResponseController(w).Flush() },
	} {
		t.Run(name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			read := make(chan struct{})
			server := newServer(t, registry, func(router *mux.Router) {
				router.HandleFunc("/stream", func(w http.ResponseWriter, r *http.Request) {
					_, _ = io.WriteString(w, "first\n")
					flush(w)
					select {
					case <-read:
					case <-r.Context().Done():
					}
				})
			})
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/stream", nil)
			require.NoError(t, err)
			response, err := server.Client().Do(request)
			require.NoError(t, err)
			defer response.Body.Close()
			line, err := bufio.NewReader(response.Body).ReadString('\n')
			require.NoError(t, err)
			require.Equal(t, "first\n", line)
			requireLine(t, scrape(t, registry), "pawl_http_requests_in_flight 1")
			close(read)
		})
	}
}

func TestHTTPMetricsTwiceOnOneRegistry(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := observability.NewHTTPMetrics(registry)
	require.NoError(t, err)
	_, err = observability.NewHTTPMetrics(registry)
	require.NoError(t, err)

	taken := prometheus.NewRegistry()
	taken.MustRegister(gauge("pawl_http_request_seconds"))
	_, err = observability.NewHTTPMetrics(taken)
	require.Error(t, err)
}
