package workflowfile

import (
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// NeedResult is what expressions see of one job that is needed, or of one job of a called workflow.
type NeedResult struct {
	Result  string // success, failure, cancelled or skipped
	Outputs map[string]string
}

// JobContext is what the keys of one job depend on that are evaluated when its needs have ended: its `if`, its
// concurrency group, its environment, and what it hands to the workflow that it calls (execution-semantics.md §4.1).
// The matrix is there also for the `if`: a runner that evaluated it would know it too.
type JobContext struct {
	GitHub, Inputs map[string]any
	Vars           map[string]string
	Needs          map[string]NeedResult
	Matrix         map[string]any

	FailFast                  bool
	MaxParallel, Index, Total int // the `strategy` context; 0 for no limit

	// Budget is what the evaluations may cost together with others; nil is MaxEvalWork for each question.
	Budget *expr.Budget

	// Facts are what the status functions of an `if` say; they look at all ancestors.
	Facts ci.Facts
}

func (c JobContext) contexts() expr.Contexts {
	all := baseContexts(c.GitHub, c.Inputs, c.Vars)
	all["needs"] = resultsContext(c.Needs)
	all["matrix"] = c.Matrix
	all["strategy"] = strategyContext(c.FailFast, c.MaxParallel, c.Index, c.Total)
	return all
}

// baseContexts are those that every key may use which the server evaluates.
func baseContexts(github, inputs map[string]any, vars map[string]string) expr.Contexts {
	return expr.Contexts{"github": github, "gitea": github, "inputs": inputs, "vars": anyMap(vars)}
}

// resultsContext is the `needs` context, and the `jobs` context of the outputs of a called workflow.
func resultsContext(results map[string]NeedResult) map[string]any {
	all := make(map[string]any, len(results))
	for key, r := range results {
		all[key] = map[string]any{"result": r.Result, "outputs": anyMap(r.Outputs)}
	}
	return all
}

// anyMap saves the expressions from making this copy at each use.
func anyMap(m map[string]string) map[string]any {
	all := make(map[string]any, len(m))
	for k, v := range m {
		all[k] = v
	}
	return all
}

// strategyContext builds the `strategy` context. Without a limit, max-parallel is the number of jobs.
func strategyContext(failFast bool, maxParallel, index, total int) map[string]any {
	if maxParallel == 0 {
		maxParallel = total
	}
	return map[string]any{"fail-fast": failFast, "max-parallel": maxParallel, "job-index": index, "job-total": total}
}
