package observability_test

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/pawl-ci/pawl/observability"
)

// standardMetrics come with every process or from Prometheus itself.
var standardMetrics = []string{
	"up", "process_cpu_seconds_total", "process_resident_memory_bytes", "go_goroutines",
}

var (
	// labelled is a metric with a selector or a range; bare is any other word that can only be a metric of ours.
	labelled = regexp.MustCompile(`\b([a-z][a-z0-9_]*)\s*[\[{]`)
	bare     = regexp.MustCompile(`\b((?:pawl|temporal)_[a-z0-9_]+)`)
	selector = regexp.MustCompile(`\{[^}]*\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
)

func TestTableIsSortedAndDescribed(t *testing.T) {
	var names []string
	for _, metric := range observability.Metrics() {
		names = append(names, metric.Name)
		require.True(t, strings.HasPrefix(metric.Name, observability.Prefix), metric.Name)
		require.NotEmpty(t, metric.Help, metric.Name)
		isTotal := strings.HasSuffix(metric.Name, "_total")
		require.Equal(t, metric.Type == dto.MetricType_COUNTER, isTotal, metric.Name)
	}
	require.IsIncreasing(t, names)
	require.IsIncreasing(t, observability.TemporalMetricNames())
}

func TestDashboardAndAlertsUseKnownMetrics(t *testing.T) {
	used := map[string]bool{}
	for _, expression := range append(dashboardExpressions(t), alertExpressions(t)...) {
		names := metricsIn(expression)
		require.NotEmpty(t, names, expression)
		for _, name := range names {
			require.Contains(t, knownSeries(), name, expression)
			used[name] = true
		}
	}
	for _, metric := range observability.Metrics() {
		seen := slices.ContainsFunc(seriesOf(metric), func(name string) bool { return used[name] })
		require.True(t, seen, "%s is on no dashboard", metric.Name)
	}
	for _, name := range observability.TemporalMetricNames() {
		require.True(t, used[name] || used[name+"_bucket"], "%s is listed and not used", name)
	}
}

// A label that a metric does not have makes an expression silently empty.
func TestSelectorsUseLabelsOfTheirMetric(t *testing.T) {
	labels := map[string][]string{}
	for _, metric := range observability.Metrics() {
		for _, name := range seriesOf(metric) {
			labels[name] = append(metric.Labels, "job", "instance", "le")
		}
	}
	selected := regexp.MustCompile(`\b(pawl_[a-z0-9_]+)(\{[^}]*\})`)
	count := 0
	for _, expression := range append(dashboardExpressions(t), alertExpressions(t)...) {
		for _, match := range selected.FindAllStringSubmatch(expression, -1) {
			for _, label := range matcher.FindAllStringSubmatch(match[2], -1) {
				require.Contains(t, labels[match[1]], label[1], expression)
				count++
			}
		}
	}
	require.Positive(t, count)
}

func TestMetricsIn(t *testing.T) {
	require.Equal(t, []string{"pawl_runs_total", "up"},
		metricsIn(`sum by (pawl) (rate(pawl_runs_total{conclusion="pawl_no"}[5m])) / up{job="x"}`))
}

// metricsIn finds the names of metrics in an expression, sorted.
func metricsIn(expression string) []string {
	var names []string
	for _, match := range labelled.FindAllStringSubmatch(expression, -1) {
		names = append(names, match[1])
	}
	for _, match := range bare.FindAllStringSubmatch(selector.ReplaceAllString(expression, ""), -1) {
		names = append(names, match[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func seriesOf(metric observability.Metric) []string {
	if metric.Type == dto.MetricType_HISTOGRAM {
		return []string{metric.Name + "_bucket", metric.Name + "_count", metric.Name + "_sum"}
	}
	return []string{metric.Name}
}

func knownSeries() []string {
	known := slices.Clone(standardMetrics)
	for _, metric := range observability.Metrics() {
		known = append(known, seriesOf(metric)...)
	}
	for _, name := range observability.TemporalMetricNames() {
		if strings.HasSuffix(name, "_seconds") {
			name += "_bucket"
		}
		known = append(known, name)
	}
	return known
}

func alertExpressions(t *testing.T) []string {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert, Expr, For string
				Labels           struct{ Severity string }
				Annotations      struct{ Summary, Description string }
			}
		}
	}
	decoder := yaml.NewDecoder(strings.NewReader(readFile(t, "alerts.yml")))
	decoder.KnownFields(true)
	require.NoError(t, decoder.Decode(&file))
	var expressions []string
	for _, group := range file.Groups {
		for _, rule := range group.Rules {
			require.Regexp(t, `^Pawl[A-Za-z]+$`, rule.Alert)
			require.Contains(t, []string{"critical", "warning"}, rule.Labels.Severity, rule.Alert)
			require.NotEmpty(t, rule.Annotations.Summary, rule.Alert)
			require.NotEmpty(t, rule.Annotations.Description, rule.Alert)
			expressions = append(expressions, rule.Expr)
		}
	}
	require.NotEmpty(t, expressions)
	return expressions
}

func dashboardExpressions(t *testing.T) []string {
	t.Helper()
	var dashboard struct {
		UID    string
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(readFile(t, "dashboards/pawl.json")), &dashboard))
	require.Equal(t, "pawl", dashboard.UID)
	ids := map[int]bool{}
	var expressions []string
	for _, panel := range dashboard.Panels {
		require.False(t, ids[panel.ID], "two panels have the id %d", panel.ID)
		ids[panel.ID] = true
		require.NotEmpty(t, panel.Title)
		for _, target := range panel.Targets {
			expressions = append(expressions, target.Expr)
		}
	}
	require.NotEmpty(t, expressions)
	return expressions
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(content)
}
