package workflowfile

import "strings"

// environment reads the name of a job's environment, from a name or `{name, url}`. The url may use what only the
// runner knows.
func (p *parser) environment(n *node) *node {
	switch {
	case n == nil:
		return nil
	case n.isScalar():
		return p.environmentName(n, "environment")
	case n.kind != mapNode:
		p.wrongKind(n, "environment", "a name or a mapping")
		return nil
	case n.get("name") == nil:
		p.add(n.at, "`environment` must have a `name`")
		return nil
	}
	p.checkExpressions(p.scalar(n.get("url"), "environment.url"), "environment.url")
	return p.environmentName(n.get("name"), "environment.name")
}

func (p *parser) environmentName(n *node, what string) *node {
	n = p.template(n, what, cellScope)
	if n != nil && !isExpression(n) {
		p.checkEnvironment(n, strings.TrimSpace(n.text))
	}
	return n
}

func (p *problems) checkEnvironment(n *node, name string) {
	if len(name) > MaxEnvironmentBytes {
		p.add(n.at, "the name of the `environment` has %d bytes; the limit is %d", len(name), MaxEnvironmentBytes)
	}
}

// JobEnvironment evaluates the name of a job's environment; empty when it has none. The error is an *Error.
func (w *Workflow) JobEnvironment(key string, c JobContext) (string, error) {
	j, err := w.job(key)
	if err != nil || j.environment == nil {
		return "", err
	}
	e := w.evaluator(c.Budget)
	name, _ := e.evalSingle(j.environment, "environment", c.contexts())
	name = strings.TrimSpace(name)
	e.checkEnvironment(j.environment, name)
	return name, e.err()
}
