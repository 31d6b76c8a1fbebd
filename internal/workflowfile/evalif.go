package workflowfile

import (
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// NeedResult is what a job's `if` sees of one job that it needs.
type NeedResult struct {
	Result  string // success, failure, cancelled or skipped
	Outputs map[string]string
}

// IfContext is what a job's `if` depends on (execution-semantics.md §4.1). The matrix is there as well: a
// runner that evaluated the `if` would know it too.
type IfContext struct {
	GitHub, Inputs map[string]any
	Vars           map[string]string
	Needs          map[string]NeedResult
	Matrix         map[string]any

	FailFast                  bool
	MaxParallel, Index, Total int // the `strategy` context; 0 for no limit

	// Facts are what the status functions say; they look at all ancestors.
	Facts ci.Facts
}

// EvalIf decides a job's `if` as PlannedJob carries it. A text without a status function means
// `success() && (…)`. An empty text means success().
//
// The error says what is wrong and at which character of the text; the same input gives the same error, so
// it must not be retried: the job fails (execution-semantics.md §4.2).
func EvalIf(raw string, c IfContext) (bool, error) {
	if raw == "" {
		return c.Facts.Success, nil
	}
	condition, err := expr.ParseCondition(raw)
	if err != nil {
		return false, ifError(err)
	}
	facts := expr.Status{Success: c.Facts.Success, Failure: c.Facts.Failure, Cancelled: c.Facts.Cancelled}
	holds, err := condition.Eval(expr.Env{Context: c.contexts(), Status: &facts})
	if err != nil {
		return false, ifError(err)
	}
	return holds, nil
}

func (c IfContext) contexts() expr.Contexts {
	needs := make(map[string]any, len(c.Needs))
	for key, need := range c.Needs {
		needs[key] = map[string]any{"result": need.Result, "outputs": need.Outputs}
	}
	return expr.Contexts{
		"github": c.GitHub, "gitea": c.GitHub, "inputs": c.Inputs, "vars": c.Vars, "needs": needs, "matrix": c.Matrix,
		"strategy": strategyContext(c.FailFast, c.MaxParallel, c.Index, c.Total),
	}
}

func ifError(err error) error {
	if fault, ok := err.(*expr.Error); ok {
		return fmt.Errorf("if: character %d: %w", fault.Offset+1, err)
	}
	return fmt.Errorf("if: %w", err)
}
