package workflowfile

import (
	"fmt"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// PlanContext is what a plan depends on besides the file.
type PlanContext struct {
	// GitHub is the `github` context of the event (runner-protocol.md §7.2), without secrets.
	GitHub map[string]any
	// Inputs are the typed inputs (ResolveInputs).
	Inputs map[string]any
	Vars   map[string]string
}

// Plan is what a run consists of.
type Plan struct {
	// RunName is the evaluated `run-name`, at most ci.MaxNameRunes long; empty if there is none, and then
	// the run is called by its commit.
	RunName string
	// Jobs are in the order of the file, and the cells of a matrix in the order of §5.
	Jobs []PlannedJob
}

// PlannedJob is one job of the run: one cell of a matrix, or a job without one.
type PlannedJob struct {
	Key    string
	Name   string // at most ci.MaxNameRunes
	Needs  []string
	RunsOn []string // labels; none match every runner

	// If is the text of the job's `if` without `${{ }}`, for EvalIf; empty if it has none. IfAt is where it
	// stands in the file.
	If   string
	IfAt Position

	// Matrix holds the values of the cell, MatrixJSON the same as an object in declaration order. Both are
	// empty without a matrix.
	Matrix     map[string]any
	MatrixJSON string

	// Index and Total are strategy.job-index (from 0) and strategy.job-total.
	Index, Total int
	FailFast     bool
	MaxParallel  int // 0: no limit

	ContinueOnError bool
	TimeoutMinutes  int      // 1 to ci.MaxTimeoutMinutes
	Outputs         []string // names, in the order of the file
	StepNames       []string // rest-api.md §3.2

	// Payload is the one-job workflow file for the runner (runner-protocol.md §7.1).
	Payload []byte
}

// Plan expands the file into the jobs of a run: matrices, names, labels, limits, payloads. It evaluates
// everything that can be known at creation (execution-semantics.md §4.1); `needs` is empty in these
// expressions. The error is an *Error.
func (w *Workflow) Plan(ctx PlanContext) (*Plan, error) {
	p := &planner{problems: problems{file: w.Path}, w: w, plan: &Plan{}, base: expr.Contexts{
		"github": ctx.GitHub, "gitea": ctx.GitHub, "inputs": ctx.Inputs, "vars": ctx.Vars,
	}}
	p.nameRun()
	p.head = p.payloadHead()
	p.base["needs"] = map[string]any{}
	for _, j := range w.Jobs {
		if full := p.addJob(j); full {
			break
		}
	}
	if err := p.err(); err != nil {
		return nil, err
	}
	return p.plan, nil
}

func (p *planner) nameRun() {
	if name, ok := p.evalText(p.w.runName, p.base); ok {
		p.plan.RunName = cutRunes(strings.TrimSpace(name), ci.MaxNameRunes)
	}
}

// addJob adds all cells of a job. It reports whether the plan has grown too large to go on.
func (p *planner) addJob(j *Job) (full bool) {
	if j.Uses != "" {
		p.add(j.usesNode.at, "reusable workflows are not supported yet")
		return false
	}
	s, ok := p.planStrategy(j)
	if !ok {
		return false
	}
	if len(p.plan.Jobs)+len(s.cells) > ci.MaxJobsPerRun {
		p.add(j.Position, "with job %q the run has %d jobs; the limit is %d", j.Key, len(p.plan.Jobs)+len(s.cells), ci.MaxJobsPerRun)
		return true
	}
	for i := range s.cells {
		planned, ok := p.planCell(j, s, i)
		if !ok {
			return false
		}
		p.size += len(planned.Payload) + len(planned.MatrixJSON)
		if p.size > MaxPlanBytes {
			p.add(j.Position, "the jobs of the run have more than %d bytes together", MaxPlanBytes)
			return true
		}
		p.plan.Jobs = append(p.plan.Jobs, planned)
	}
	return false
}

// planCell evaluates one cell. On a fault it reports a problem, and the other cells, which would most likely
// have the same one, are left out.
func (p *planner) planCell(j *Job, s *strategyPlan, i int) (PlannedJob, bool) {
	cell := s.cells[i]
	c := cellPlan{planner: p, job: j, contexts: p.contexts(map[string]any{"strategy": s.context(i), "matrix": matrixContext(cell)})}
	planned := PlannedJob{
		Key: j.Key, Needs: j.Needs, Index: i, Total: len(s.cells), FailFast: s.failFast, MaxParallel: s.maxParallel,
		Outputs: j.outputs, StepNames: j.stepNames,
	}
	if j.condition != nil {
		planned.If, planned.IfAt = expr.Unwrap(j.condition.text), j.condition.at
	}
	planned.Name = c.name(cell)
	planned.RunsOn = c.runsOn()
	planned.ContinueOnError = c.continueOnError()
	planned.TimeoutMinutes = c.timeout()
	c.setMatrix(&planned, cell)
	if c.failed {
		return planned, false
	}
	planned.Payload = p.payload(j, s, cell, &planned)
	return planned, true
}

func matrixContext(cell *expr.Object) any {
	if cell == nil {
		return expr.NewObject()
	}
	return cell
}

// strategyPlan is a job's `strategy` after it was evaluated. A job without a matrix has one nil cell.
type strategyPlan struct {
	cells       []*expr.Object
	failFast    bool
	maxParallel int
}

// context is the `strategy` context of one cell.
func (s *strategyPlan) context(i int) map[string]any {
	return strategyContext(s.failFast, s.maxParallel, i, len(s.cells))
}

// strategyContext builds the `strategy` context. Without a limit, max-parallel is the number of jobs.
func strategyContext(failFast bool, maxParallel, index, total int) map[string]any {
	if maxParallel == 0 {
		maxParallel = total
	}
	return map[string]any{"fail-fast": failFast, "max-parallel": maxParallel, "job-index": index, "job-total": total}
}

func (p *planner) planStrategy(j *Job) (*strategyPlan, bool) {
	s := &strategyPlan{cells: []*expr.Object{nil}, failFast: true}
	if j.strategy == nil {
		return s, true
	}
	before := len(p.list)
	s.failFast = p.evalBool(j.strategy.get("fail-fast"), "strategy.fail-fast", true)
	s.maxParallel = p.planMaxParallel(j.strategy.get("max-parallel"))
	if m := j.strategy.get("matrix"); m != nil {
		s.cells = p.expand(m)
	}
	return s, len(p.list) == before
}

func (p *planner) planMaxParallel(n *node) int {
	if n == nil {
		return 0
	}
	f, ok := p.evalNumber(n, "strategy.max-parallel", p.base)
	if ok && (f < 1 || f != float64(int(f))) {
		p.add(n.at, "`strategy.max-parallel` must be a whole number above 0, not %s", expr.FormatNumber(f))
	}
	return int(f)
}

// expand evaluates a matrix and returns its cells; one nil cell when the matrix is empty (§5, S27).
func (p *planner) expand(n *node) []*expr.Object {
	if uses(n, "needs") {
		p.add(n.at, "dynamic matrix from needs outputs is not supported yet")
		return nil
	}
	v, ok := p.evalTree(n, p.base)
	if !ok {
		return nil
	}
	object, ok := v.(*expr.Object)
	if !ok {
		p.add(n.at, "`strategy.matrix` must be a mapping")
		return nil
	}
	m, fault := newMatrix(object)
	var cells []*expr.Object
	if fault == nil {
		cells, fault = m.cells()
	}
	if fault != nil {
		p.add(n.place(fault.key), "%s", fault.message)
		return nil
	}
	if len(cells) == 0 {
		return p.emptyMatrix(n, m)
	}
	return cells
}

// emptyMatrix decides what a matrix without cells means. Written out in the file it is one job without a
// matrix (S27); when an expression gave it, most likely nobody meant that, so it is a problem.
func (p *planner) emptyMatrix(n *node, m *matrix) []*expr.Object {
	if isExpression(n) {
		p.add(n.at, "the matrix is empty")
		return nil
	}
	for _, a := range m.axes {
		if isExpression(n.get(a.key)) && len(a.values) == 0 {
			p.add(n.place(a.key), "the matrix key %q has no values", a.key)
			return nil
		}
	}
	return []*expr.Object{nil}
}

// place returns where the value of a key stands, or where n begins.
func (n *node) place(key string) Position {
	if v := n.get(key); v != nil {
		return v.at
	}
	return n.at
}

// evalBool evaluates true or false, also as the text that an expression may give.
func (p *planner) evalBool(n *node, what string, absent bool) bool {
	return p.evalBoolIn(n, what, absent, p.base)
}

func (p *planner) evalBoolIn(n *node, what string, absent bool, contexts expr.Contexts) bool {
	if n == nil {
		return absent
	}
	v, ok := p.eval(n, contexts)
	if !ok {
		return absent
	}
	switch v {
	case true, "true":
		return true
	case false, "false", nil, "":
		return false
	}
	p.add(n.at, "`%s` must be true or false, not %s", what, shown(v))
	return absent
}

// shown writes a value for a message.
func shown(v any) string { return fmt.Sprintf("%q", cutRunes(expr.ToString(v), 100)) }
