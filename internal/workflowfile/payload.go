package workflowfile

import (
	"path"
	"strconv"

	"github.com/pawl-ci/pawl/internal/expr"
)

// The payload is a workflow file with one job, which is all that a runner gets to see (runner-protocol.md
// §7.1). Aliases and merge keys are written out, because the official runner does not follow them
// everywhere, and only keys of the right kind are in it, because that runner ends itself over others.

// payloadHead writes what stands above `jobs`, once for all payloads of a plan.
func (p *planner) payloadHead() string {
	var e emitter
	head := newMap()
	head.set("name", newString(p.rootName()))
	if p.plan.RunName != "" {
		head.set("run-name", newString(escapeTemplate(p.plan.RunName)))
	}
	head.set("on", p.w.On.node)
	head.set("env", p.rewritten(p.w.env))
	head.set("defaults", p.rewritten(p.w.defaults))
	head.set("permissions", p.w.permissions)
	e.mapping(head, 0)
	return e.out.String()
}

// rootName is what the runner shows as github.workflow: the name of the run's own file, also in those that it calls.
func (p *planner) rootName() string {
	if p.ctx.Root != "" {
		return p.ctx.Root
	}
	return p.w.displayName()
}

// rewritten is a part of the file as its runner gets it.
func (p *planner) rewritten(n *node) *node {
	if p.inputs == nil {
		return n
	}
	return p.inputs.tree(n)
}

// displayName is the workflow's name, or the name of its file.
func (w *Workflow) displayName() string {
	if w.Name != "" {
		return w.Name
	}
	return path.Base(w.Path)
}

// payload writes the file for one cell.
func (p *planner) payload(j *Job, s *strategyPlan, cell *expr.Object, planned *PlannedJob) []byte {
	if p.sharedOf != j || j.usesStrategy {
		p.sharedOf, p.shared = j, p.sharedText(j, s, planned.Index)
	}
	var e emitter
	e.out.Grow(len(p.head) + len(p.shared) + 512)
	e.out.WriteString(p.head)
	e.out.WriteString("jobs:\n  " + j.Key + ":\n")
	e.mapping(cellKeys(j, s, cell, planned), 4)
	e.out.WriteString(p.shared)
	return []byte(e.out.String())
}

// sharedText writes the part of a job that is the same in all cells, but for the `strategy` context: of that the runner
// does not know job-index and job-total.
func (p *planner) sharedText(j *Job, s *strategyPlan, index int) string {
	shared := j.shared
	if j.usesStrategy {
		shared = newContextRewriter("strategy", s.context(index)).job(shared)
	}
	if p.inputs != nil {
		shared = p.inputs.job(shared)
	}
	var e emitter
	e.mapping(shared, 4)
	return e.out.String()
}

// cellKeys are the keys of a job that the server has evaluated.
func cellKeys(j *Job, s *strategyPlan, cell *expr.Object, planned *PlannedJob) *node {
	n := newMap()
	n.set("name", newString(escapeTemplate(planned.Name)))
	// The server has decided that the job runs. Without an `if` the runner would decide again, by success()
	// over the direct needs, and skip a job that always() or failure() let through.
	n.set("if", newString("always()"))
	switch len(planned.RunsOn) {
	case 0:
	case 1:
		n.set("runs-on", newString(escapeTemplate(planned.RunsOn[0])))
	default:
		n.set("runs-on", newLabels(planned.RunsOn))
	}
	if j.strategy != nil {
		n.set("strategy", strategyNode(s, cell))
	}
	if j.continueOnError != nil {
		n.set("continue-on-error", &node{kind: boolNode, text: strconv.FormatBool(planned.ContinueOnError)})
	}
	if j.timeout != nil {
		n.set("timeout-minutes", newString(strconv.Itoa(planned.TimeoutMinutes)))
	}
	return n
}

func newLabels(labels []string) *node {
	escaped := make([]string, len(labels))
	for i, l := range labels {
		escaped[i] = escapeTemplate(l)
	}
	return newStrings(escaped)
}

// strategyNode writes the matrix with the cell's value as the only one of each key.
func strategyNode(s *strategyPlan, cell *expr.Object) *node {
	n := newMap()
	n.set("fail-fast", newString(strconv.FormatBool(s.failFast)))
	if s.maxParallel > 0 {
		n.set("max-parallel", newString(strconv.Itoa(s.maxParallel)))
	}
	if cell != nil {
		values := newMap()
		for i := range cell.Len() {
			key, v := cell.At(i)
			values.set(escapeTemplate(key), &node{kind: listNode, items: []*node{fromValue(v)}})
		}
		n.set("matrix", values)
	}
	return n
}
