package workflowfile

import (
	"regexp"
	"slices"

	"github.com/pawl-ci/pawl/internal/expr"
)

// identifier is what a job or step may be called.
var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// job reads one entry of `jobs`; nil if it is no job at all.
func (p *parser) job(key, n *node) *Job {
	if len(key.text) > MaxJobKeyBytes || !identifier.MatchString(key.text) {
		p.add(key.at, "%q cannot name a job: a name begins with a letter or _, goes on with letters, digits, - and _, and has at most %d characters", key.text, MaxJobKeyBytes)
		return nil
	}
	if n.kind != mapNode {
		p.wrongKind(n, "jobs."+key.text, "a mapping")
		return nil
	}
	j := &Job{Position: key.at, Key: key.text}
	j.Needs = unique(p.strings(n.get("needs"), "needs"))
	j.name = p.template(n.get("name"), "name", cellScope)
	p.jobCondition(j, n.get("if"))
	j.strategy = p.strategy(n.get("strategy"))
	j.concurrency = p.concurrency(n.get("concurrency"), cellScope)
	j.priority = p.priority(n.get("priority"))
	p.body(j, key, n)
	j.late = len(j.Needs) > 0 && j.plansWith("needs")
	return j
}

// plansWith reports whether anything that a plan evaluates uses a context.
func (j *Job) plansWith(context string) bool {
	planned := [...]*node{j.name, j.runsOn, j.timeout, j.continueOnError, j.priority, j.strategy}
	return slices.ContainsFunc(planned[:], func(n *node) bool { return uses(n, context) })
}

// evaluated checks the expressions of a value that the server evaluates, and returns the value.
func (p *parser) evaluated(n *node, what string, allowed scope) *node {
	p.templates(n, what, allowed)
	return n
}

func (p *parser) jobCondition(j *Job, n *node) {
	j.condition = p.condition(n, &ifScope)
	if j.condition == nil {
		return
	}
	j.ifText = expr.Unwrap(j.condition.text)
	j.ifAt = p.source.ifPlace(j.condition, j.ifText)
	if c, err := expr.ParseCondition(j.ifText); err == nil {
		j.ifMatrix = namesAny(c.Names(), []string{"matrix", "strategy"})
	}
}

// body reads what the job does: steps, or the call of a reusable workflow.
func (p *parser) body(j *Job, key, n *node) {
	uses, steps := n.get("uses"), n.get("steps")
	switch {
	case uses != nil && steps != nil:
		p.add(uses.at, "job %q has both `uses` and `steps`", j.Key)
	case uses != nil:
		p.caller(j, n)
	default:
		if steps == nil {
			p.add(key.at, "job %q has neither `steps` nor `uses`", j.Key)
		}
		p.stepsJob(j, n)
	}
}

// stepsJob reads a job that a runner gets.
func (p *parser) stepsJob(j *Job, n *node) {
	j.runsOn = p.runsOn(n.get("runs-on"))
	j.continueOnError = p.evaluated(p.boolOrExpression(n.get("continue-on-error"), "continue-on-error"), "continue-on-error", cellScope)
	j.timeout = p.evaluated(p.numberOrExpression(n.get("timeout-minutes"), "timeout-minutes"), "timeout-minutes", cellScope)
	j.environment = p.environment(n.get("environment"))
	j.retry = p.retry(n.get("retry"))
	j.shared = p.sharedKeys(n)
	if list := p.steps(j, n.get("steps")); list != nil {
		j.shared.set("steps", list)
	}
	j.usesStrategy = uses(j.shared, "strategy")
	if outputs := j.shared.get("outputs"); outputs != nil {
		for _, k := range outputs.keys {
			j.outputs = append(j.outputs, k.text)
		}
	}
}

// sharedKeys reads what the server passes on to the runner as it is, the same for every cell.
func (p *parser) sharedKeys(n *node) *node {
	shared := newMap()
	shared.set("env", p.scalarsOrExpression(n.get("env"), "env"))
	shared.set("defaults", p.defaults(n.get("defaults")))
	shared.set("permissions", p.permissions(n.get("permissions")))
	shared.set("container", p.container(n.get("container"), "container"))
	shared.set("services", p.services(n.get("services")))
	shared.set("outputs", p.scalars(n.get("outputs"), "outputs"))
	p.checkExpressions(shared, "")
	return shared
}

// runsOn checks the labels: one, a list, or `{group, labels}`.
func (p *parser) runsOn(n *node) *node {
	if n == nil {
		return nil
	}
	if n.kind == mapNode {
		p.scalar(n.get("group"), "runs-on.group")
		p.strings(n.get("labels"), "runs-on.labels")
	} else {
		p.strings(n, "runs-on")
	}
	return p.evaluated(n, "runs-on", cellScope)
}

func (p *parser) strategy(n *node) *node {
	if p.mapping(n, "strategy") == nil {
		return nil
	}
	p.templates(p.boolOrExpression(n.get("fail-fast"), "strategy.fail-fast"), "strategy.fail-fast", strategyScope)
	p.templates(p.numberOrExpression(n.get("max-parallel"), "strategy.max-parallel"), "strategy.max-parallel", strategyScope)
	m := n.get("matrix")
	if m != nil && m.kind != mapNode && !isExpression(m) {
		p.wrongKind(m, "strategy.matrix", "a mapping or an expression")
		return nil
	}
	p.templates(m, "strategy.matrix", strategyScope)
	return n
}

// unique drops repeated entries.
func unique(list []string) []string {
	var out []string
	seen := make(map[string]bool, len(list))
	for _, s := range list {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out
}
