package workflowfile

import (
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// PlanContext is what a plan depends on besides the file.
type PlanContext struct {
	// GitHub is the `github` context of the event (runner-protocol.md §7.2), without secrets.
	GitHub map[string]any
	// Inputs are the typed inputs: of the event (ResolveInputs) or of the call (Workflow.Call).
	Inputs map[string]any
	Vars   map[string]string

	// Needs are the results of the jobs that the job needs; PlanJob only.
	Needs map[string]NeedResult
	// Call says that the file was called, so that a runner does not know the inputs: they are written into the payloads.
	Call bool
	// Root is the name of the run's own workflow, which runners show as github.workflow; empty if that is this file.
	Root string
	// Priority is that of the caller, for jobs that name none.
	Priority int
	// Budget is what the plan may cost together with others; nil is MaxEvalWork for this one.
	Budget *expr.Budget
}

// Plan is what a run, or a called workflow, consists of.
type Plan struct {
	// RunName is the evaluated `run-name`, at most ci.MaxNameRunes long; empty if there is none, and then
	// the run is called by its commit. A called workflow has none.
	RunName string
	// Concurrency is that of the whole run; nil if there is none, or its group is empty.
	Concurrency *ci.Concurrency
	// Jobs are in the order of the file, and the cells of a matrix in the order of §5.
	Jobs []PlannedJob
	// NeedsFiles says that something is left to be evaluated later, which needs the file: a job that is called,
	// deferred or gated.
	NeedsFiles bool
}

// PlannedJob is one job of the run: one cell of a matrix, or a job without one.
type PlannedJob struct {
	Key    string
	Kind   ci.JobKind
	Name   string // at most ci.MaxNameRunes
	Needs  []string
	RunsOn []string // labels; none match every runner

	// Uses is the workflow that the job calls (ParseUses); empty for a job with steps.
	Uses string

	// If is the text of the job's `if` without `${{ }}`, for EvalIf; empty if it has none. IfAt is where it
	// stands, as `file:line:column`.
	If   string
	IfAt string
	// IfMatrix says that the `if` uses the matrix, or the place in it: of a deferred job it can be decided only when
	// its cells are there.
	IfMatrix bool

	// Gated says that JobConcurrency, JobEnvironment or, of the workflow that the job calls, CallConcurrency have to be
	// asked before the job may go. A deferred job is not gated; its cells may be.
	Gated bool

	// Matrix holds the values of the cell, MatrixJSON the same as an object in declaration order. Both are
	// empty without a matrix.
	Matrix     map[string]any
	MatrixJSON string

	// Index and Total are strategy.job-index (from 0) and strategy.job-total.
	Index, Total int
	FailFast     bool
	MaxParallel  int // 0: no limit

	ContinueOnError bool
	TimeoutMinutes  int       // 1 to ci.MaxTimeoutMinutes; without meaning for jobs that no runner gets
	Priority        int       // ci.MinPriority to ci.MaxPriority
	Retry           *ci.Retry // nil if the file does not ask for any
	Outputs         []string  // names, in the order of the file
	StepNames       []string  // rest-api.md §3.2

	// Payload is the one-job workflow file for the runner (runner-protocol.md §7.1); only of jobs that get one.
	Payload []byte
}

// planner makes one plan.
type planner struct {
	*evaluator
	w      *Workflow
	ctx    PlanContext
	base   expr.Contexts
	plan   *Plan
	inputs *contextRewriter // for the payloads of a called file
	head   string
	size   int // bytes of all payloads so far

	sharedOf *Job // whose text is in shared
	shared   string
}

func (w *Workflow) planner(ctx PlanContext) *planner {
	p := &planner{evaluator: w.evaluator(ctx.Budget), w: w, ctx: ctx, plan: &Plan{}, base: baseContexts(ctx.GitHub, ctx.Inputs, ctx.Vars)}
	if ctx.Call {
		p.inputs = newContextRewriter("inputs", ctx.Inputs)
	} else {
		p.nameRun()
	}
	p.head = p.payloadHead()
	return p
}

// Plan expands the file into the jobs of a run: matrices, names, labels, limits, payloads. It evaluates
// everything that can be known at creation (execution-semantics.md §4.1). A job for which that is not enough, because
// its keys use the results of its needs, becomes one of kind ci.JobDeferred, for PlanJob. The error is an *Error.
func (w *Workflow) Plan(ctx PlanContext) (*Plan, error) {
	p := w.planner(ctx)
	p.plan.Concurrency = p.concurrency(w.concurrency, p.base)
	p.base["needs"] = map[string]any{}
	for _, j := range w.Jobs {
		full := false
		if j.late {
			full = p.addDeferred(j)
		} else {
			full = p.addCells(j)
		}
		if full {
			break
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.plan, nil
}

// PlanJob expands one job whose needs have ended, by their results: it returns what takes the place of a job of kind
// ci.JobDeferred. The error is an *Error.
func (w *Workflow) PlanJob(key string, ctx PlanContext) ([]PlannedJob, error) {
	j, err := w.job(key)
	if err != nil {
		return nil, err
	}
	p := w.planner(ctx)
	p.base["needs"] = resultsContext(ctx.Needs)
	p.addCells(j)
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.plan.Jobs, nil
}

func (p *planner) nameRun() {
	if name, ok := p.evalText(p.w.runName, p.base); ok {
		p.plan.RunName = shortName(name)
	}
}
