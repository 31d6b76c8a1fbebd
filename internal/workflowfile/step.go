package workflowfile

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
)

// steps reads the steps of a job and returns them for the payload.
func (p *parser) steps(j *Job, n *node) *node {
	if n == nil {
		return nil
	}
	switch {
	case n.kind != listNode:
		p.wrongKind(n, "steps", "a list of steps")
		return nil
	case len(n.items) == 0:
		p.add(n.at, "job %q has no steps", j.Key)
		return nil
	case len(n.items) > MaxStepsPerJob:
		p.add(n.at, "job %q has %d steps; the limit is %d", j.Key, len(n.items), MaxStepsPerJob)
		return nil
	}
	out := &node{kind: listNode}
	ids := map[string]bool{}
	for _, item := range n.items {
		out.items = append(out.items, p.step(item, ids))
		j.stepNames = append(j.stepNames, stepName(item))
	}
	return out
}

func (p *parser) step(n *node, ids map[string]bool) *node {
	if n.kind != mapNode {
		p.wrongKind(n, "steps", "a list of mappings with `run` or `uses`")
		return newMap()
	}
	p.stepBody(n)
	p.stepID(n.get("id"), ids)
	for _, key := range [...]string{"name", "working-directory", "shell"} {
		p.scalar(n.get(key), key)
	}
	p.condition(n.get("if"), nil)
	p.scalarsOrExpression(n.get("env"), "env")
	p.scalars(n.get("with"), "with")
	p.boolOrExpression(n.get("continue-on-error"), "continue-on-error")
	p.numberOrExpression(n.get("timeout-minutes"), "timeout-minutes")
	out := pick(n, "id", "if", "name", "uses", "run", "working-directory", "shell", "env", "with", "continue-on-error", "timeout-minutes")
	for i, k := range out.keys {
		if k.text != "if" {
			p.checkExpressions(out.items[i], k.text)
		}
	}
	return out
}

// stepBody holds that a step has exactly one of `run` and `uses`.
func (p *parser) stepBody(n *node) {
	run, uses := p.scalar(n.get("run"), "run"), p.scalar(n.get("uses"), "uses")
	switch {
	case run != nil && uses != nil:
		p.add(uses.at, "a step has either `run` or `uses`, not both")
	case n.get("run") == nil && n.get("uses") == nil:
		p.add(n.at, "a step needs `run` or `uses`")
	case uses != nil && strings.TrimSpace(uses.text) == "":
		p.add(uses.at, "`uses` is empty")
	case run != nil && strings.TrimSpace(run.text) == "":
		p.add(run.at, "`run` is empty")
	}
}

func (p *parser) stepID(n *node, ids map[string]bool) {
	id := p.text(n, "id")
	switch {
	case id == "":
	case !identifier.MatchString(id):
		p.add(n.at, "%q cannot be the id of a step: it begins with a letter or _, and goes on with letters, digits, - and _", id)
	case ids[strings.ToLower(id)]:
		p.add(n.at, "two steps of the job have the id %q", id)
	}
	ids[strings.ToLower(id)] = true
}

// stepName is what the API shows for a step (rest-api.md §3.2).
func stepName(n *node) string {
	if name := scalarText(n, "name"); name != "" {
		return cutRunes(name, ci.MaxNameRunes)
	}
	text := scalarText(n, "run")
	if text == "" {
		text = scalarText(n, "uses")
	}
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return cutRunes("Run "+strings.TrimSuffix(first, "\r"), ci.MaxNameRunes)
}

func scalarText(n *node, key string) string {
	if v := n.get(key); v != nil && v.isScalar() {
		return v.text
	}
	return ""
}

// cutRunes shortens a text to a number of characters.
func cutRunes(s string, limit int) string {
	count := 0
	for i := range s {
		if count == limit {
			return s[:i]
		}
		count++
	}
	return s
}
