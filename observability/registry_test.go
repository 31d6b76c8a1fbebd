package observability_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/observability"
)

func TestMetricsPage(t *testing.T) {
	registry := observability.NewRegistry(observability.Build{Version: "1.2.3", Revision: "abc"})
	page := scrape(t, registry)
	require.Regexp(t, `pawl_build_info\{go_version="go[^"]+",revision="abc",version="1.2.3"\} 1\n`, page)
	require.Contains(t, page, "\ngo_goroutines ")
	require.Contains(t, page, "\nprocess_resident_memory_bytes ")
	require.NoError(t, observability.CheckNames(registry))
}

func TestBucketsAscend(t *testing.T) {
	for _, buckets := range [][]float64{observability.RequestBuckets(), observability.WaitBuckets()} {
		require.IsIncreasing(t, buckets)
		require.LessOrEqual(t, len(buckets), 20)
	}
}

func TestCheckNames(t *testing.T) {
	for _, row := range []struct {
		name      string
		collector prometheus.Collector
		want      string
	}{
		{"as in the table", gauge("pawl_queue_depth"), ""},
		{"not ours", gauge("somebody_elses"), ""},
		{"unknown", gauge("pawl_queue_dept"), "pawl_queue_dept is not in the table"},
		{"other type", gauge("pawl_log_bytes_total"), "is a GAUGE, not a COUNTER"},
		{"other labels", runners("status"), "has the labels [status], not [state]"},
		{"same labels", runners("state"), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			registry := prometheus.NewRegistry()
			registry.MustRegister(row.collector)
			err := observability.CheckNames(registry)
			if row.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, row.want)
		})
	}
}

func gauge(name string) prometheus.Collector {
	return prometheus.NewGauge(prometheus.GaugeOpts{Name: name})
}

func runners(label string) prometheus.Collector {
	vector := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "pawl_runners"}, []string{label})
	vector.WithLabelValues("idle").Set(1)
	return vector
}

// scrape returns the whole metrics page.
func scrape(t *testing.T, registry *prometheus.Registry) string {
	t.Helper()
	response := httptest.NewRecorder()
	request := httptest.NewRequest(http.MethodGet, "/metrics", nil)
	observability.MetricsHandler(registry).ServeHTTP(response, request)
	require.Equal(t, http.StatusOK, response.Code)
	return response.Body.String()
}

// requireLine looks for a whole line, and on failure shows the lines of the same metric only.
func requireLine(t *testing.T, page, line string) {
	t.Helper()
	name, _, _ := strings.Cut(line, "{")
	var alike []string
	for have := range strings.Lines(page) {
		have = strings.TrimSuffix(have, "\n")
		if have == line {
			return
		}
		if strings.HasPrefix(have, name) {
			alike = append(alike, have)
		}
	}
	require.Failf(t, "line not found", "%s\namong:\n%s", line, strings.Join(alike, "\n"))
}
