package ci

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// conditions are the rows of execution-semantics.md §4.2, as functions of the facts. What stands beside a status
// function belongs to the evaluator; here it is true.
var conditions = []struct {
	name  string
	holds func(Facts) bool // nil: no `if`
}{
	{"absent", nil},
	{"without a status function", func(f Facts) bool { return f.Success }},
	{"always()", func(Facts) bool { return true }},
	{"success()", func(f Facts) bool { return f.Success }},
	{"failure()", func(f Facts) bool { return f.Failure }},
	{"cancelled()", func(f Facts) bool { return f.Cancelled }},
	{"!cancelled()", func(f Facts) bool { return !f.Cancelled }},
}

// TestRuleWhenNeedsHaveEnded holds each row of execution-semantics.md §4.2 for each result of the needs, and §4.3
// (GH) for a cancelled run. The results are in the order of conditions.
func TestRuleWhenNeedsHaveEnded(t *testing.T) {
	const run, skip, stop = StatusWaiting, StatusSkipped, StatusCancelled
	const ok, bad, off, none = StatusSuccess, StatusFailure, StatusCancelled, StatusSkipped
	for _, tc := range []struct {
		name   string
		needs  []Status
		soft   bool
		cancel bool
		want   [7]Status
	}{
		{"no needs", nil, false, false, [7]Status{run, run, run, run, skip, skip, run}},
		{"success", []Status{ok, ok}, false, false, [7]Status{run, run, run, run, skip, skip, run}},
		{"failure", []Status{ok, bad}, false, false, [7]Status{skip, skip, run, skip, run, skip, run}},
		{"soft failure", []Status{ok, bad}, true, false, [7]Status{run, run, run, run, skip, skip, run}},
		{"cancelled", []Status{ok, off}, false, false, [7]Status{skip, skip, run, skip, skip, skip, run}},
		{"skipped", []Status{ok, none}, false, false, [7]Status{skip, skip, run, skip, skip, skip, run}},
		{"failure and cancelled", []Status{bad, off}, false, false, [7]Status{skip, skip, run, skip, run, skip, run}},
		{"cancelled run", []Status{ok, ok}, false, true, [7]Status{stop, stop, run, stop, stop, run, stop}},
		{"cancelled run, failure", []Status{ok, bad}, false, true, [7]Status{stop, stop, run, stop, stop, run, stop}},
	} {
		for i, condition := range conditions {
			t.Run(fmt.Sprint(tc.name, ", ", condition.name), func(t *testing.T) {
				job := JobSpec{ID: 99, Key: "z", HasIf: condition.holds != nil}
				var jobs []JobSpec
				for n, status := range tc.needs {
					need := JobSpec{ID: int64(n), Key: fmt.Sprint("n", n), Status: status, Soft: tc.soft}
					jobs, job.Needs = append(jobs, need), append(job.Needs, need.Key)
				}
				s := newSchedule(t, append(jobs, job)...)
				if tc.cancel {
					s.CancelAll()
				}
				for _, c := range s.Candidates() {
					answer := DefaultDecision(c)
					if c.HasIf {
						answer = DecisionForIf(c, condition.holds(c.Facts))
					}
					require.NoError(t, s.Decide(c.ID, answer))
				}
				require.Equal(t, tc.want[i], s.JobStatus(99))
			})
		}
	}
}

// TestErrorOfAnIfBlocksNothing is the last row of execution-semantics.md §4.2: the job fails.
func TestErrorOfAnIfBlocksNothing(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), JobSpec{ID: 2, Key: "b", Needs: []string{"a"}, HasIf: true}, spec(3, "c", "b"))
	finish(t, s, 1, StatusSuccess)
	require.NoError(t, s.Decide(2, DecisionFail))
	require.Empty(t, decideAll(t, s))
	require.True(t, s.Done())
	require.Equal(t, StatusFailure, s.Status())
	require.Equal(t, StatusSkipped, s.JobStatus(3))
}
