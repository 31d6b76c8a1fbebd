package workflowfile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

// outcome is what the schedule says about one job whose needs ended in this way.
func outcome(t *testing.T, cancel bool, results ...ci.Status) ci.Candidate {
	t.Helper()
	var jobs []ci.JobSpec
	var needs []string
	for i := range results {
		key := string(rune('a' + i))
		jobs = append(jobs, ci.JobSpec{ID: int64(i + 1), Key: key, Status: results[i]})
		needs = append(needs, key)
	}
	s, err := ci.NewSchedule(append(jobs, ci.JobSpec{ID: 99, Key: "z", Needs: needs, HasIf: true}))
	require.NoError(t, err)
	if cancel {
		s.CancelAll()
	}
	return s.Candidates()[0]
}

// TestEvalIf holds execution-semantics.md §4.2 and §4.3: status function × results of the needs × cancel.
func TestEvalIf(t *testing.T) {
	const ok, bad, off, skip = ci.StatusSuccess, ci.StatusFailure, ci.StatusCancelled, ci.StatusSkipped
	type want struct{ absent, plain, always, success, failure, cancelled, notCancelled bool }
	for _, tc := range []struct {
		name    string
		results []ci.Status
		cancel  bool
		want    want
	}{
		{"no needs", nil, false, want{true, true, true, true, false, false, true}},
		{"success", []ci.Status{ok, ok}, false, want{true, true, true, true, false, false, true}},
		{"failure", []ci.Status{ok, bad}, false, want{false, false, true, false, true, false, true}},
		{"cancelled need", []ci.Status{ok, off}, false, want{false, false, true, false, false, false, true}},
		{"skipped need", []ci.Status{ok, skip}, false, want{false, false, true, false, false, false, true}},
		{"failure and cancelled", []ci.Status{bad, off}, false, want{false, false, true, false, true, false, true}},
		{"run cancelled", []ci.Status{ok}, true, want{false, false, true, false, false, true, false}},
		{"run cancelled after a failure", []ci.Status{bad}, true, want{false, false, true, false, false, true, false}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			facts := outcome(t, tc.cancel, tc.results...).Facts
			for raw, holds := range map[string]bool{
				"": tc.want.absent, "true": tc.want.plain, "github.ref == 'main'": tc.want.plain, "always()": tc.want.always,
				"success()": tc.want.success, "failure()": tc.want.failure, "cancelled()": tc.want.cancelled, "!cancelled()": tc.want.notCancelled,
				"${{ !cancelled() }}": tc.want.notCancelled, "success() || failure()": tc.want.success || tc.want.failure, "false": false, "always() && false": false,
			} {
				got, err := EvalIf(raw, "ci.yml:6:9", JobContext{GitHub: map[string]any{"ref": "main"}, Facts: facts})
				require.NoError(t, err, raw)
				require.Equal(t, holds, got, raw)
			}
		})
	}
}

// TestEvalIfContexts holds execution-semantics.md §4.1; inputs are typed (§9.5, GH).
func TestEvalIfContexts(t *testing.T) {
	c := JobContext{
		GitHub: map[string]any{"event_name": "push", "event": map[string]any{"n": 3}},
		Inputs: map[string]any{"flag": false, "text": "false", "n": 2.0},
		Vars:   map[string]string{"DEPLOY": "yes"},
		Needs:  map[string]NeedResult{"build": {Result: "success", Outputs: map[string]string{"go": "true"}}},
		Matrix: map[string]any{"os": "linux"},
		Index:  1, Total: 4, Facts: ci.Facts{Success: true},
	}
	for raw, want := range map[string]bool{
		"github.event_name == 'push'": true, "gitea.event.n == 3": true, "inputs.flag": false, "inputs.text": true, "inputs.n > 1": true,
		"vars.deploy == 'YES'": true, "needs.build.result == 'success'": true, "needs.build.outputs.go == 'true'": true, "needs.build.outputs.go": true,
		"needs.other.result": false, "matrix.os == 'linux'": true, "strategy.job-index == 1": true, "strategy.job-total == 4": true,
		"strategy.max-parallel == 4": true, "strategy.fail-fast": false, "contains(needs.*.result, 'success')": true, "contains(needs.*.result, 'failure')": false,
	} {
		got, err := EvalIf(raw, "ci.yml:6:9", c)
		require.NoError(t, err, raw)
		require.Equal(t, want, got, raw)
	}
}

// TestEvalIfErrors holds that a fault is told with its place, counted from where the text begins.
func TestEvalIfErrors(t *testing.T) {
	good := JobContext{Facts: ci.Facts{Success: true}}
	for raw, want := range map[string]string{
		"true && nope()":           "ci.yml:6:17: unknown function 'nope'",
		"secrets.X":                "ci.yml:6:9: the context 'secrets' is not available here",
		"always() && env.X":        "ci.yml:6:21: the context 'env' is not available here",
		"'ä' && env.X":             "ci.yml:6:16: the context 'env' is not available here",
		"fromJSON('{')":            "ci.yml:6:9: fromJSON: the text ends too early",
		"fromJSON(needs.a.x)":      "ci.yml:6:9: fromJSON: the text is empty",
		"${{ a":                    "ci.yml:6:9: the expression that begins here has no closing }}",
		"hashFiles('x') == ''":     "ci.yml:6:9: hashFiles() is not available here: it works on the runner only",
		"github.ref == 'x' && || ": "ci.yml:6:30: expected a value, found '||'",
		"true &&\n  nope()":        "ci.yml:7:1: unknown function 'nope'",
	} {
		_, err := EvalIf(raw, "ci.yml:6:9", good)
		require.EqualError(t, err, want)
		var fault *Error
		require.ErrorAs(t, err, &fault)
	}
	for at, want := range map[string]string{
		"a:b/c d.yml:12:3": "a:b/c d.yml:12:11: unknown function 'nope'",
		"ci.yml:12:1":      "ci.yml:12:1: unknown function 'nope'", // only the line is known
		"":                 "if: character 9: unknown function 'nope'",
		"ci.yml":           "if: character 9: unknown function 'nope'",
	} {
		_, err := EvalIf("true && nope()", at, good)
		require.EqualError(t, err, want, at)
	}
}

// TestIfAt holds that the place where an `if` is said to begin and the offset in its text give the place in the file.
func TestIfAt(t *testing.T) {
	for name, tc := range map[string]struct{ text, at, want string }{
		"plain":             {"fromJSON(vars.x)", "ci.yml:6:9", "ci.yml:6:9"},
		"wrapped":           {"${{  github.ref && fromJSON(vars.x) }}", "ci.yml:6:14", "ci.yml:6:28"},
		"quoted":            {"'github.ref && fromJSON(vars.x)'", "ci.yml:6:10", "ci.yml:6:24"},
		"escapes":           {`"\u0067ithub.ref && fromJSON(vars.x)"`, "ci.yml:6:1", "ci.yml:6:1"},
		"literal block":     {"|\n  github.ref && fromJSON(vars.x)", "ci.yml:7:7", "ci.yml:7:21"},
		"literal, two rows": {"|\n  github.ref &&\n    fromJSON(vars.x)", "ci.yml:7:7", "ci.yml:8:1"},
		"wrapped block":     {"|\n  ${{\n    github.ref && fromJSON(vars.x) }}\nx: y", "ci.yml:8:9", "ci.yml:8:23"},
		"folded block":      {">\n  github.ref &&\n  fromJSON(vars.x)", "ci.yml:6:1", "ci.yml:6:1"},
		"folded with space": {">\n  github.ref &&\n\n  fromJSON(vars.x)", "ci.yml:6:1", "ci.yml:6:1"},
		"plain, two rows":   {"github.ref &&\n  fromJSON(vars.x)", "ci.yml:6:1", "ci.yml:6:1"},
	} {
		t.Run(name, func(t *testing.T) {
			j := planJob(t, "if: "+tc.text)[0]
			require.Equal(t, tc.at, j.IfAt)
			_, err := EvalIf(j.If, j.IfAt, JobContext{GitHub: map[string]any{"ref": "x"}, Facts: ci.Facts{Success: true}})
			require.EqualError(t, err, tc.want+": fromJSON: the text is empty")
		})
	}
	require.Empty(t, planJob(t, "x: y")[0].IfAt)
}
