package workflowfile

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

// jobContext is a context with one of everything.
func jobContext() JobContext {
	return JobContext{
		GitHub: map[string]any{"ref": "refs/heads/main", "run_id": "42", "event": map[string]any{"list": []any{"p"}, "nul": "a\x00b"}},
		Inputs: map[string]any{"flag": true, "n": 2.0, "text": "hi", "none": nil},
		Vars:   map[string]string{"LABEL": "big"},
		Needs:  map[string]NeedResult{"build": {Result: "success", Outputs: map[string]string{"env": " prod ", "yes": "true", "max": "max", "n": "3"}}},
		Matrix: map[string]any{"os": "linux"}, Index: 1, Total: 4, FailFast: true,
	}
}

// TestJobConcurrency holds execution-semantics.md §6: forms, contexts, the empty group.
func TestJobConcurrency(t *testing.T) {
	for keys, want := range map[string]*ci.Concurrency{
		"x: y":                        nil,
		"concurrency: ":               nil,
		"concurrency: ''":             nil,
		"concurrency: '  '":           nil,
		"concurrency: {group: ''}":    nil,
		"concurrency: ${{ vars.NO }}": nil,
		"concurrency: {group: '${{ vars.NO }}', cancel-in-progress: true}": nil,
		"concurrency: prod":                               {Group: "prod"},
		"concurrency: '  Prod A '":                        {Group: "Prod A"},
		"concurrency: 5":                                  {Group: "5"},
		"concurrency: {group: 1.10}":                      {Group: "1.10"},
		"concurrency: ${{ github.ref }}-${{ matrix.os }}": {Group: "refs/heads/main-linux"},
		"concurrency: ${{ needs.build.outputs.env }}":     {Group: "prod"},
		"concurrency: ${{ strategy.job-index }}/${{ strategy.job-total }} ${{ gitea.ref }}": {Group: "1/4 refs/heads/main"},
		"concurrency: ${{ github.head_ref || github.run_id }}":                              {Group: "42"},
		"concurrency: {group: a}":                                                       {Group: "a"},
		"concurrency: {group: a, unknown: [b]}":                                         {Group: "a"},
		"concurrency: {group: a, cancel-in-progress: false}":                            {Group: "a"},
		"concurrency: {group: a, cancel-in-progress: true}":                             {Group: "a", CancelInProgress: true},
		"concurrency: {group: a, cancel-in-progress: 'true'}":                           {Group: "a", CancelInProgress: true},
		"concurrency: {group: a, cancel-in-progress: '${{ inputs.flag }}'}":             {Group: "a", CancelInProgress: true},
		"concurrency: {group: a, cancel-in-progress: '${{ needs.build.outputs.yes }}'}": {Group: "a", CancelInProgress: true},
		"concurrency: {group: a, cancel-in-progress: '${{ !inputs.flag }}'}":            {Group: "a"},
		"concurrency: {group: a, cancel-in-progress: '${{ inputs.text }}'}":             {Group: "a"}, // only true is true
		"concurrency: {group: a, cancel-in-progress: '${{ inputs.none }}'}":             {Group: "a"},
		"concurrency: {group: a, queue: single}":                                        {Group: "a"},
		"concurrency: {group: a, queue: single, cancel-in-progress: true}":              {Group: "a", CancelInProgress: true},
		"concurrency: {group: a, queue: max}":                                           {Group: "a", QueueAll: true},
		"concurrency: {group: a, queue: max, cancel-in-progress: false}":                {Group: "a", QueueAll: true},
		"concurrency: {group: a, queue: '${{ needs.build.outputs.max }}'}":              {Group: "a", QueueAll: true},
		"concurrency: {group: a, queue: '${{ vars.NO }}'}":                              {Group: "a"},
		"concurrency: " + strings.Repeat("x", ci.MaxGroupBytes):                         {Group: strings.Repeat("x", ci.MaxGroupBytes)},
		"concurrency: ${{ github.event.nul }}":                                          {Group: "a\uFFFDb"}, // no database takes it
	} {
		w := parse(t, job(keys))
		got, err := w.JobConcurrency("a", jobContext())
		require.NoError(t, err, keys)
		require.Equal(t, want, got, keys)
	}
}

func TestJobConcurrencyErrors(t *testing.T) {
	for keys, want := range map[string]string{
		"concurrency: ${{ fromJSON(inputs.text) }}":                                  "ci.yml:6:22: fromJSON: invalid character 'h' looking for beginning of value",
		"concurrency: ${{ github.event.list }}":                                      "ci.yml:6:18: `concurrency.group` must be a single value, not a list or a mapping",
		"concurrency: '${{ vars.LABEL }}" + strings.Repeat("x", 400) + "'":           "ci.yml:6:18: the name of the `concurrency` group has 403 bytes; the limit is 400",
		"concurrency: {group: a, queue: '${{ vars.LABEL }}'}":                        "ci.yml:6:36: `concurrency.queue` must be single or max, not \"big\"",
		"concurrency: {group: a, queue: max, cancel-in-progress: '${{ true }}'}":     "ci.yml:6:36: `concurrency` cannot have both `queue: max` and `cancel-in-progress: true`",
		"concurrency: {group: a, queue: '${{ ''max'' }}', cancel-in-progress: true}": "ci.yml:6:36: `concurrency` cannot have both",
	} {
		_, err := parse(t, job(keys)).JobConcurrency("a", jobContext())
		var fault *Error
		require.ErrorAs(t, err, &fault, keys)
		require.Contains(t, err.Error(), want)
	}
	_, err := parse(t, job("x: y")).JobConcurrency("b", jobContext())
	require.EqualError(t, err, `ci.yml:1:1: the workflow has no job "b"`)
}

func TestBadConcurrency(t *testing.T) {
	long := strings.Repeat("x", ci.MaxGroupBytes+1)
	for keys, want := range map[string]string{
		"concurrency: [x]":                                               "ci.yml:6:18: `concurrency` must be the name of a group or a mapping, not a list",
		"concurrency: {}":                                                "ci.yml:6:18: `concurrency` must have a `group`",
		"concurrency: {cancel-in-progress: true}":                        "ci.yml:6:18: `concurrency` must have a `group`",
		"concurrency: {group: [x]}":                                      "ci.yml:6:26: `concurrency.group` must be a single value, not a list",
		"concurrency: {group: x, cancel-in-progress: maybe}":             "ci.yml:6:49: `concurrency.cancel-in-progress` must be true, false or an expression, not a string",
		"concurrency: {group: x, cancel-in-progress: 1}":                 "`concurrency.cancel-in-progress` must be true, false or an expression, not a number",
		"concurrency: {group: x, queue: all}":                            "ci.yml:6:36: `concurrency.queue` must be single or max, not \"all\"",
		"concurrency: {group: x, queue: {}}":                             "`concurrency.queue` must be a single value, not a mapping",
		"concurrency: {group: x, queue: max, cancel-in-progress: true}":  "ci.yml:6:36: `concurrency` cannot have both `queue: max` and `cancel-in-progress: true`",
		"concurrency: " + long:                                           "ci.yml:6:18: the name of the `concurrency` group has 401 bytes; the limit is 400",
		"concurrency: {group: " + long + "}":                             "ci.yml:6:26: the name of the `concurrency` group has 401 bytes",
		"concurrency: ${{ secrets.X }}":                                  "ci.yml:6:22: the context 'secrets' is not available in `concurrency`; there are: github, gitea, inputs, vars, needs, strategy, matrix",
		"concurrency: {group: '${{ nope() }}'}":                          "ci.yml:6:31: unknown function 'nope'",
		"concurrency: {group: x, cancel-in-progress: '${{ always() }}'}": "ci.yml:6:54: always() is only available in an `if`",
		"concurrency: {group: x, queue: '${{ env.A }}'}":                 "ci.yml:6:41: the context 'env' is not available in `concurrency.queue`",
	} {
		require.Contains(t, strings.Join(problemsOf(t, job(keys)), "\n"), want, keys)
	}
	for keys, want := range map[string]string{
		"concurrency: ${{ needs.a.result }}":             "ci.yml:1:18: the context 'needs' is not available in `concurrency`; there are: github, gitea, inputs, vars",
		"concurrency: {group: '${{ matrix.x }}'}":        "the context 'matrix' is not available in `concurrency.group`",
		"concurrency: ${{ fromJSON('{') }}":              "ci.yml:1:18: fromJSON: the text ends too early",
		"concurrency: [a]":                               "ci.yml:1:14: `concurrency` must be the name of a group or a mapping, not a list",
		"concurrency: {group: x, queue: '${{ ''y'' }}'}": "`concurrency.queue` must be single or max, not \"y\"",
	} {
		require.Contains(t, strings.Join(problemsOf(t, keys+"\n"+job("x: y")), "\n"), want, keys)
	}
}

func TestRunConcurrency(t *testing.T) {
	ctx := PlanContext{GitHub: map[string]any{"run_id": "7"}, Inputs: map[string]any{"flag": true}, Vars: map[string]string{"G": "g"}}
	for keys, want := range map[string]*ci.Concurrency{
		"x: y":            nil,
		"concurrency: ''": nil,
		"concurrency: {group: '${{ vars.G }}-${{ github.head_ref || github.run_id }}', cancel-in-progress: '${{ inputs.flag }}'}": {Group: "g-7", CancelInProgress: true},
		"concurrency: {group: a, queue: max}": {Group: "a", QueueAll: true},
	} {
		p := plan(t, keys+"\n"+job("x: y"), ctx)
		require.Equal(t, want, p.Concurrency, keys)
		require.False(t, p.NeedsFiles, "it was evaluated already")
	}
}

// TestServerKeysAreNotInThePayload holds that the runner does not see what the server has decided, or will decide.
func TestServerKeysAreNotInThePayload(t *testing.T) {
	src := "concurrency: run\n" + job("concurrency: {group: a}\nenvironment: {name: prod, url: '${{ steps.x.outputs.url }}'}\nretry: 3\npriority: 5")
	p := plan(t, src, PlanContext{})
	for _, key := range []string{"concurrency", "environment", "retry", "priority"} {
		require.NotContains(t, string(p.Jobs[0].Payload), key)
	}
	require.True(t, p.Jobs[0].Gated)
	require.True(t, p.NeedsFiles)
	require.Equal(t, 5, p.Jobs[0].Priority)
	require.Equal(t, 3, p.Jobs[0].Retry.MaxAttempts)
}

func TestJobEnvironment(t *testing.T) {
	for keys, want := range map[string]string{
		"x: y": "", "environment: ": "", "environment: ''": "", "environment: prod": "prod", "environment: 5": "5", "environment: ' a b '": "a b",
		"environment: {name: prod}": "prod", "environment: {name: prod, url: 'https://${{ steps.a.outputs.b }}'}": "prod",
		"environment: ${{ needs.build.outputs.env }}": "prod", "environment: {name: '${{ matrix.os }}-${{ vars.LABEL }}'}": "linux-big",
		"environment: ${{ vars.NO }}": "", "environment: {name: '${{ inputs.flag && ''a'' || ''b'' }}'}": "a",
		"environment: ${{ github.event.nul }}": "a\uFFFDb",
	} {
		name, err := parse(t, job(keys)).JobEnvironment("a", jobContext())
		require.NoError(t, err, keys)
		require.Equal(t, want, name, keys)
		require.Equal(t, strings.Contains(keys, "environment: ") && keys != "environment: ", planJob(t, keys)[0].Gated, keys)
	}
	for keys, want := range map[string]string{
		"environment: ${{ fromJSON('x') }}":                          "ci.yml:6:22: fromJSON: invalid character",
		"environment: {name: '${{ github.event.list }}'}":            "ci.yml:6:25: `environment` must be a single value, not a list or a mapping",
		"environment: x${{ vars.LABEL }}" + strings.Repeat("x", 255): "the name of the `environment` has 259 bytes; the limit is 255",
	} {
		_, err := parse(t, job(keys)).JobEnvironment("a", jobContext())
		require.ErrorContains(t, err, want, keys)
	}
	_, err := parse(t, job("x: y")).JobEnvironment("b", jobContext())
	require.EqualError(t, err, `ci.yml:1:1: the workflow has no job "b"`)
	for keys, want := range map[string]string{
		"environment: [x]":                         "ci.yml:6:18: `environment` must be a name or a mapping, not a list",
		"environment: {}":                          "ci.yml:6:18: `environment` must have a `name`",
		"environment: {url: x}":                    "ci.yml:6:18: `environment` must have a `name`",
		"environment: {name: [x]}":                 "ci.yml:6:25: `environment.name` must be a single value, not a list",
		"environment: {name: x, url: {}}":          "ci.yml:6:33: `environment.url` must be a single value, not a mapping",
		"environment: {name: x, url: '${{ y( }}'}": "unknown function 'y'",
		"environment: ${{ steps.x.outputs.y }}":    "ci.yml:6:22: the context 'steps' is not available in `environment`",
		"environment: " + strings.Repeat("x", 256): "the name of the `environment` has 256 bytes; the limit is 255",
	} {
		require.Contains(t, strings.Join(problemsOf(t, job(keys)), "\n"), want, keys)
	}
}
