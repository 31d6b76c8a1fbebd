package workflowfile

import (
	"math"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

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

func (p *planner) planStrategy(j *Job) (*strategyPlan, bool) {
	s := &strategyPlan{cells: []*expr.Object{nil}, failFast: true}
	if j.strategy == nil {
		return s, true
	}
	before := len(p.list)
	s.failFast = p.evalBool(j.strategy.get("fail-fast"), "strategy.fail-fast", true, p.base)
	s.maxParallel = p.planMaxParallel(j.strategy.get("max-parallel"))
	if m := j.strategy.get("matrix"); m != nil {
		s.cells = p.expand(m)
	}
	return s, len(p.list) == before && len(s.cells) > 0
}

func (p *planner) planMaxParallel(n *node) int {
	if n == nil {
		return 0
	}
	f, ok := p.evalNumber(n, "strategy.max-parallel", p.base)
	if ok && (f < 1 || f != math.Trunc(f)) {
		p.add(n.at, "`strategy.max-parallel` must be a whole number above 0, not %s", expr.FormatNumber(f))
	}
	return int(min(f, ci.MaxJobsPerRun)) // more is no limit either
}

// expand evaluates a matrix and returns its cells; one nil cell when the matrix is empty (§5, S27), none on a fault.
func (p *planner) expand(n *node) []*expr.Object {
	v, ok := p.evalTree(n, p.base)
	if !ok {
		return nil
	}
	m, fault := newMatrix(v, p.budget)
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
		if v := n.get(a.key); v != nil && hasExpression(v) && len(a.values) == 0 {
			p.add(n.place(a.key), "the matrix key %q has no values", a.key)
			return nil
		}
	}
	if v := n.get("include"); v != nil && hasExpression(v) && len(m.axes) == 0 {
		p.add(v.at, "the matrix is empty")
		return nil
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
