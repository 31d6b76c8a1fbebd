package workflowfile

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// addDeferred adds the one job that stands for the cells of a job until its needs have ended. It reports whether the
// plan has grown too large to go on.
func (p *planner) addDeferred(j *Job) (full bool) {
	if p.tooManyJobs(j, 1) {
		return true
	}
	p.addPlanned(PlannedJob{
		Key: j.Key, Kind: ci.JobDeferred, Name: p.earlyName(j), Needs: j.Needs, Uses: j.Uses,
		If: j.ifText, IfAt: j.ifAt, IfMatrix: j.ifMatrix, Total: 1, FailFast: true, TimeoutMinutes: ci.DefaultTimeoutMinutes,
		Outputs: j.outputs, StepNames: j.stepNames,
	})
	return false
}

// earlyName is the name of a job before its needs have ended: the one it will have, if that is known, or its key.
func (p *planner) earlyName(j *Job) string {
	name := j.Key
	if !uses(j.name, "needs", "matrix", "strategy") {
		if text, ok := p.evalText(j.name, p.base); ok && strings.TrimSpace(text) != "" {
			name = text
		}
	}
	return shortName(name)
}

func shortName(name string) string {
	return cutRunes(strings.TrimSpace(clean(name)), ci.MaxNameRunes)
}

// addCells adds all cells of a job. It reports whether the plan has grown too large to go on.
func (p *planner) addCells(j *Job) (full bool) {
	s, ok := p.planStrategy(j)
	if !ok {
		return false
	}
	if p.tooManyJobs(j, len(s.cells)) {
		return true
	}
	for i := range s.cells {
		planned, ok := p.planCell(j, s, i)
		if !ok {
			return false
		}
		if p.tooLarge(j, planned) {
			return true
		}
		p.addPlanned(planned)
	}
	return false
}

// tooLarge counts what is written for a cell, and what that has cost.
func (p *planner) tooLarge(j *Job, planned PlannedJob) bool {
	p.size += len(planned.Payload) + len(planned.MatrixJSON) + len(planned.If) + len(planned.Uses)
	work := len(planned.Payload)
	if j.usesStrategy {
		work *= workPerRewritten
	}
	switch {
	case p.size > MaxPlanBytes || p.inputs.full():
		p.add(j.Position, "the jobs of the run have more than %d bytes together", MaxPlanBytes)
		return true
	case !p.budget.Spend(work):
		p.add(j.Position, "the expressions and payloads of the run take too much work together")
		return true
	}
	return false
}

func (p *planner) tooManyJobs(j *Job, more int) bool {
	total := len(p.plan.Jobs) + more
	if total > ci.MaxJobsPerRun {
		p.add(j.Position, "with job %q the run has %d jobs; the limit is %d", j.Key, total, ci.MaxJobsPerRun)
	}
	return total > ci.MaxJobsPerRun
}

func (p *planner) addPlanned(planned PlannedJob) {
	p.plan.NeedsFiles = p.plan.NeedsFiles || planned.Kind != ci.JobTask || planned.Gated
	p.plan.Jobs = append(p.plan.Jobs, planned)
}

// planCell evaluates one cell. On a fault it reports a problem, and the other cells, which would most likely
// have the same one, are left out.
func (p *planner) planCell(j *Job, s *strategyPlan, i int) (PlannedJob, bool) {
	cell := s.cells[i]
	c := cellPlan{planner: p, job: j, contexts: p.cellContexts(s, i)}
	planned := PlannedJob{
		Key: j.Key, Kind: ci.JobTask, Needs: j.Needs, If: j.ifText, IfAt: j.ifAt, IfMatrix: j.ifMatrix,
		Gated: j.concurrency != nil || j.environment != nil || j.call != nil,
		Index: i, Total: len(s.cells), FailFast: s.failFast, MaxParallel: s.maxParallel,
		Retry: j.retry, Outputs: j.outputs, StepNames: j.stepNames,
	}
	planned.Name = c.name(cell)
	planned.RunsOn = c.runsOn()
	planned.ContinueOnError = c.continueOnError()
	planned.TimeoutMinutes = c.timeout()
	planned.Priority = c.priority()
	c.setMatrix(&planned, cell)
	switch {
	case c.failed:
		return planned, false
	case j.call != nil:
		planned.Kind, planned.Uses = ci.JobCall, j.Uses
	default:
		planned.Payload = p.payload(j, s, cell, &planned)
	}
	return planned, true
}

func (p *planner) cellContexts(s *strategyPlan, i int) expr.Contexts {
	all := expr.Contexts{"strategy": s.context(i), "matrix": matrixContext(s.cells[i])}
	for name, v := range p.base {
		all[name] = v
	}
	return all
}

func matrixContext(cell *expr.Object) any {
	if cell == nil {
		return expr.NewObject()
	}
	return cell
}
