package workflowfile

import "regexp"

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
	j.condition = p.condition(n.get("if"), &ifScope)
	j.runsOn = p.runsOn(n.get("runs-on"))
	j.continueOnError = p.evaluated(p.boolOrExpression(n.get("continue-on-error"), "continue-on-error"), "continue-on-error", cellScope)
	j.timeout = p.evaluated(p.numberOrExpression(n.get("timeout-minutes"), "timeout-minutes"), "timeout-minutes", cellScope)
	j.strategy = p.strategy(n.get("strategy"))
	p.body(j, key, n)
	return j
}

// evaluated checks the expressions of a value that the server evaluates, and returns the value.
func (p *parser) evaluated(n *node, what string, allowed scope) *node {
	p.templates(n, what, allowed)
	return n
}

// body reads what the job does: steps, or the call of a reusable workflow.
func (p *parser) body(j *Job, key, n *node) {
	uses, steps := n.get("uses"), n.get("steps")
	switch {
	case uses != nil && steps != nil:
		p.add(uses.at, "job %q has both `uses` and `steps`", j.Key)
	case uses != nil:
		j.Uses, j.usesNode = p.text(uses, "uses"), uses
		p.call(n)
	case steps == nil:
		p.add(key.at, "job %q has neither `steps` nor `uses`", j.Key)
	}
	j.shared = p.sharedKeys(n)
	if list := p.steps(j, steps); list != nil {
		j.shared.set("steps", list)
	}
	if outputs := j.shared.get("outputs"); outputs != nil {
		for _, k := range outputs.keys {
			j.outputs = append(j.outputs, k.text)
		}
	}
}

// call checks what only jobs with `uses` have.
func (p *parser) call(n *node) {
	p.mapping(n.get("with"), "with")
	if s := n.get("secrets"); s != nil && s.text != "inherit" {
		p.scalars(s, "secrets")
	}
	p.checkExpressions(n.get("with"), "with")
	p.checkExpressions(n.get("secrets"), "secrets")
}

// sharedKeys reads what the server passes on to the runner as it is, the same for every cell.
func (p *parser) sharedKeys(n *node) *node {
	shared := newMap()
	shared.set("env", p.scalarsOrExpression(n.get("env"), "env"))
	shared.set("defaults", p.defaults(n.get("defaults")))
	shared.set("permissions", p.permissions(n.get("permissions")))
	shared.set("concurrency", p.concurrency(n.get("concurrency")))
	shared.set("container", p.container(n.get("container"), "container"))
	shared.set("services", p.services(n.get("services")))
	shared.set("outputs", p.scalars(n.get("outputs"), "outputs"))
	p.checkExpressions(shared, "")
	if e := n.get("environment"); e != nil && e.kind == listNode {
		p.wrongKind(e, "environment", "a name or a mapping")
	}
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
