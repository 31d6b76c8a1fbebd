package observability_test

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/observability"
)

// The real SDK calls a port on which nobody listens, and so uses its own names and tags.
func TestTemporalMetricsOfTheSDK(t *testing.T) {
	registry := prometheus.NewRegistry()
	temporal, err := client.NewLazyClient(client.Options{
		HostPort:       closedPort(t),
		Namespace:      "pawl",
		MetricsHandler: observability.NewTemporalMetrics(registry),
	})
	require.NoError(t, err)
	defer temporal.Close()

	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	require.Error(t, temporal.SignalWorkflow(ctx, "run/1/1", "", "cancel", nil))

	page := scrape(t, registry)
	labels := func(status string) string {
		return `{activity_type="none",cause="",failure_reason="",namespace="_unknown_",operation="GetSystemInfo",` +
			`poller_type="",status_code="` + status + `",task_queue="none",worker_type="none",workflow_type="none"} 1`
	}
	requireLine(t, page, `temporal_request_total`+labels(""))
	requireLine(t, page, `temporal_request_failure_total`+labels("UNAVAILABLE"))
	requireLine(t, page, `temporal_request_latency_seconds_count`+labels(""))
}

func closedPort(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func TestTemporalKindsAndTags(t *testing.T) {
	registry := prometheus.NewRegistry()
	root := observability.NewTemporalMetrics(registry)
	worker := root.WithTags(map[string]string{"namespace": "n", "task_queue": "pawl", "client_name": "temporal_go"})

	worker.Counter("temporal_worker_start").Inc(2)
	worker.Counter("temporal_worker_start").Inc(-1)
	worker.WithTags(map[string]string{"task_queue": "other"}).Counter("temporal_worker_start").Inc(1)
	worker.Gauge("temporal_num_pollers").Update(4)
	worker.Gauge("temporal_num_pollers").Update(3)
	worker.Timer("temporal_request_latency").Record(30 * time.Millisecond)
	worker.WithTags(map[string]string{"task_queue": "temporal-sys/worker-commands/8f2c"}).Gauge("temporal_num_pollers").Update(1)

	page := scrape(t, registry)
	series := func(name, queue string) string {
		return name + `{activity_type="",cause="",failure_reason="",namespace="n",operation="",poller_type="",` +
			`status_code="",task_queue="` + queue + `",worker_type="",workflow_type=""`
	}
	requireLine(t, page, series("temporal_worker_start_total", "pawl")+"} 2")
	requireLine(t, page, series("temporal_worker_start_total", "other")+"} 1")
	requireLine(t, page, series("temporal_num_pollers", "pawl")+"} 3")
	requireLine(t, page, series("temporal_num_pollers", "temporal-sys")+"} 1")
	requireLine(t, page, series("temporal_request_latency_seconds_bucket", "pawl")+`,le="0.02"} 0`)
	requireLine(t, page, series("temporal_request_latency_seconds_bucket", "pawl")+`,le="0.04"} 1`)
}

func TestTemporalHandlersAreInterned(t *testing.T) {
	root := observability.NewTemporalMetrics(prometheus.NewRegistry())
	one := root.WithTags(map[string]string{"operation": "A"}).WithTags(map[string]string{"namespace": "n"})
	two := root.WithTags(map[string]string{"namespace": "n", "operation": "A", "client_name": "x"})
	require.Same(t, one, two)
	require.Same(t, root, root.WithTags(nil))

	tags := map[string]string{"namespace": "n", "operation": "A"}
	allocations := testing.AllocsPerRun(100, func() { root.WithTags(tags).Counter("temporal_request").Inc(1) })
	require.Zero(t, allocations, "the SDK does this at each call")
}

// Tag values that never end cost a bounded number of series.
func TestTemporalTagSetsAreBounded(t *testing.T) {
	registry := prometheus.NewRegistry()
	parent := observability.NewTemporalMetrics(registry).WithTags(map[string]string{"namespace": "n"})
	const total = 6000
	for i := range total {
		parent.WithTags(map[string]string{"operation": fmt.Sprint(i)}).Counter("temporal_request").Inc(1)
	}
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 1)
	require.Less(t, len(families[0].GetMetric()), total)
	var sum float64
	for _, series := range families[0].GetMetric() {
		sum += series.GetCounter().GetValue()
	}
	require.EqualValues(t, total, sum, "nothing is lost")
}

func TestTemporalMetricsAreSharedAndNeverPanic(t *testing.T) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "taken_total"}))

	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			handler := observability.NewTemporalMetrics(registry)
			for i := range 200 {
				tagged := handler.WithTags(map[string]string{"operation": fmt.Sprint(i % 7)})
				tagged.Counter("temporal_request").Inc(1)
				tagged.Counter("taken").Inc(1)
				tagged.Gauge("temporal_num_pollers").Update(1)
				tagged.Timer("temporal_request_latency").Record(time.Millisecond)
			}
		})
	}
	group.Wait()

	families, err := registry.Gather()
	require.NoError(t, err)
	var sum float64
	for _, family := range families {
		if family.GetName() == "temporal_request_total" {
			for _, series := range family.GetMetric() {
				sum += series.GetCounter().GetValue()
			}
		}
	}
	require.EqualValues(t, 8*200, sum)
}

// The SDK names that dashboards rely on are constants of the SDK version in go.mod.
func TestSDKNamesExist(t *testing.T) {
	source := sdkMetricConstants(t)
	for _, name := range observability.TemporalMetricNames() {
		name = strings.TrimPrefix(name, "temporal_")
		name = strings.TrimSuffix(strings.TrimSuffix(name, "_total"), "_seconds")
		// Request names are composed: TemporalRequest + "_failure".
		if rest, composed := strings.CutPrefix(name, "request_"); composed {
			name = "_" + rest
		}
		require.Contains(t, source, `"`+name+`"`)
	}
}

func sdkMetricConstants(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}",
		"go.temporal.io/sdk/internal/common/metrics").Output()
	require.NoError(t, err)
	return readFile(t, filepath.Join(strings.TrimSpace(string(out)), "constants.go"))
}

func BenchmarkTemporalCall(b *testing.B) {
	handler := observability.NewTemporalMetrics(prometheus.NewRegistry())
	tags := map[string]string{"namespace": "pawl", "operation": "RespondWorkflowTaskCompleted"}
	for b.Loop() {
		tagged := handler.WithTags(tags)
		tagged.Counter("temporal_request").Inc(1)
		tagged.Timer("temporal_request_latency").Record(time.Millisecond)
	}
}
