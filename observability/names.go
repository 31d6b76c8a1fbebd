package observability

import (
	"fmt"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
)

// Prefix starts the name of each metric of ours.
const Prefix = "pawl_"

// Metric is what operators, dashboards and alert rules may rely on: a name, its type and its labels.
type Metric struct {
	Name   string // without the suffixes _bucket, _sum and _count of a histogram
	Type   dto.MetricType
	Labels []string
	Help   string
}

// Metrics is the table of all metrics of ours, sorted by name. Each is registered by the package that counts, whose
// test calls [CheckNames]. Counters with a closed set of labels should exist from the start with the value 0: the first
// increase of a series that was not there before is invisible to Prometheus.
func Metrics() []Metric {
	const counter, gauge, histogram = dto.MetricType_COUNTER, dto.MetricType_GAUGE, dto.MetricType_HISTOGRAM
	return []Metric{
		{"pawl_alert_deliveries_total", counter, []string{"result"}, "alerts posted to the administrators' webhook"},
		{"pawl_alerts_oldest_seconds", gauge, nil, "how long the oldest of the waiting alerts has waited"},
		{"pawl_alerts_waiting", gauge, nil, "alerts that the administrators' webhook has not taken"},
		{"pawl_audit_entries_total", counter, []string{"result"}, "entries of the audit log: written, failed, or suppressed as too many refusals"},
		{"pawl_build_info", gauge, []string{"version", "revision", "go_version"}, "always 1"},
		{"pawl_dispatch_latency_seconds", histogram, nil, "from the offer of a job to its claim by a runner"},
		{"pawl_gateway_held_polls", gauge, nil, "runners whose poll waits at this server for a job"},
		{"pawl_gateway_rpc_seconds", histogram, []string{"method", "code"}, "time to answer a runner's call"},
		{"pawl_hook_deliveries_oldest_seconds", gauge, nil, "how long the oldest of the pending deliveries has waited"},
		{"pawl_hook_deliveries_pending", gauge, nil, "webhook deliveries that were neither taken nor given up"},
		{"pawl_hook_deliveries_total", counter, []string{"outcome"}, "webhook deliveries that are over: delivered or failed"},
		{"pawl_hook_events_unread_seconds", gauge, nil, "how long the oldest change of status waits for its webhooks"},
		{"pawl_hook_tries_total", counter, []string{"result"}, "attempts to send a webhook: ok, refused, unreachable or forbidden"},
		{"pawl_http_panics_total", counter, nil, "HTTP handlers that panicked; stays 0 in health"},
		{"pawl_http_rate_limited_total", counter, []string{"limit"}, "HTTP requests answered 429 by a rate limit: caller, anonymous, login"},
		{"pawl_http_request_seconds", histogram, []string{"route", "method", "code"}, "time to answer an HTTP request"},
		{"pawl_http_requests_in_flight", gauge, nil, "HTTP requests being answered now"},
		{"pawl_job_faults_total", counter, []string{"class"}, "jobs ended by a fault and not by their steps: transient, permanent, unknown"},
		{"pawl_jobs_total", counter, []string{"conclusion"}, "jobs that ended"},
		{"pawl_log_bytes_total", counter, nil, "bytes of log received from runners"},
		{"pawl_queue_depth", gauge, nil, "offers that wait for a runner"},
		{"pawl_queue_oldest_seconds", gauge, nil, "age of the oldest offer that waits"},
		{"pawl_reconciler_repairs_total", counter, []string{"kind"}, "differences mended; stays 0 in health"},
		{"pawl_retention_removed_total", counter, []string{"kind"}, "what had been kept for long enough: logs, log_bytes, log_chunks, runs"},
		{"pawl_runners", gauge, []string{"state"}, "registered runners: idle, busy, offline or disabled"},
		{"pawl_runs_total", counter, []string{"conclusion"}, "runs that ended"},
		{"pawl_task_retries_total", counter, []string{"reason"}, "jobs offered again after a platform failure, or because their file asks for it"},
		{"pawl_temporal_deliveries_total", counter, []string{"kind", "result"}, "messages told to Temporal: ok, error or dropped"},
	}
}

// CheckNames compares what a registry holds with [Metrics]: every metric of ours that it shows must be in the table,
// with its type and labels. A vector without children shows nothing, so touch each first. For tests.
func CheckNames(gatherer prometheus.Gatherer) error {
	families, err := gatherer.Gather()
	if err != nil {
		return fmt.Errorf("gather metrics: %w", err)
	}
	for _, family := range families {
		if err := checkFamily(family); err != nil {
			return err
		}
	}
	return nil
}

func checkFamily(family *dto.MetricFamily) error {
	name := family.GetName()
	if !strings.HasPrefix(name, Prefix) {
		return nil
	}
	all := Metrics()
	at := slices.IndexFunc(all, func(m Metric) bool { return m.Name == name })
	if at < 0 {
		return fmt.Errorf("metric %s is not in the table of observability.Metrics", name)
	}
	return all[at].matches(family)
}

func (m Metric) matches(family *dto.MetricFamily) error {
	if family.GetType() != m.Type {
		return fmt.Errorf("metric %s is a %s, not a %s as in the table", m.Name, family.GetType(), m.Type)
	}
	want := slices.Sorted(slices.Values(m.Labels))
	for _, series := range family.GetMetric() {
		if got := labelNames(series); !slices.Equal(got, want) {
			return fmt.Errorf("metric %s has the labels %v, not %v as in the table", m.Name, got, want)
		}
	}
	return nil
}

func labelNames(series *dto.Metric) []string {
	var names []string
	for _, pair := range series.GetLabel() {
		names = append(names, pair.GetName())
	}
	slices.Sort(names)
	return names
}

// TemporalMetricNames are the metrics of the Temporal SDK, as [NewTemporalMetrics] names them, that the dashboards
// and alert rules use.
func TemporalMetricNames() []string {
	return []string{
		"temporal_activity_execution_failed_total",
		"temporal_activity_schedule_to_start_latency_seconds",
		"temporal_local_activity_execution_failed_total",
		"temporal_local_activity_execution_latency_seconds",
		"temporal_num_pollers",
		"temporal_request_failure_total",
		"temporal_request_latency_seconds",
		"temporal_request_total",
		"temporal_sticky_cache_size",
		"temporal_worker_task_slots_available",
		"temporal_worker_task_slots_used",
		"temporal_workflow_completed_total",
		"temporal_workflow_failed_total",
		"temporal_workflow_task_execution_failed_total",
		"temporal_workflow_task_execution_latency_seconds",
		"temporal_workflow_task_schedule_to_start_latency_seconds",
	}
}
