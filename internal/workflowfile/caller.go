package workflowfile

import (
	"regexp"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
)

// notOfCallers are the keys of a job that has a runner. A caller has none. Two of them are only checked, and mean nothing:
// `runs-on`, which callers needed as long as Gitea gave them to runners, and `env`, which is not passed on
// (execution-semantics.md §10).
var notOfCallers = []string{
	"timeout-minutes", "continue-on-error", "container", "services", "defaults", "outputs", "environment", "retry",
}

// caller is what only a job with `uses` has.
type caller struct {
	at      *node // `uses`
	with    *node
	secrets *node // a mapping; nil with `inherit`
	handed  ci.CallSecrets
}

// caller reads a job that calls a reusable workflow (execution-semantics.md §10).
func (p *parser) caller(j *Job, n *node) {
	for _, key := range notOfCallers {
		if v := n.get(key); v != nil {
			p.add(v.at, "a job with `uses` cannot have `%s`: the called workflow has its own", key)
		}
	}
	p.runsOn(n.get("runs-on"))
	p.checkExpressions(p.scalarsOrExpression(n.get("env"), "env"), "env")
	uses := n.get("uses")
	j.call = &caller{at: uses}
	if j.Uses = p.text(uses, "uses"); uses.isScalar() {
		if _, err := ParseUses(j.Uses); err != nil {
			p.add(uses.at, "%s", err)
		}
	}
	if j.call.with = p.scalars(n.get("with"), "with"); j.call.with != nil {
		p.templates(j.call.with, "with", cellScope)
	}
	p.callerSecrets(j.call, n.get("secrets"))
	p.permissions(n.get("permissions"))
}

// handedSecret is the only form that a secret may be handed on in: its value is not known here, and must not be.
var handedSecret = regexp.MustCompile(`^\s*\$\{\{\s*(?i:secrets)\.([A-Za-z_][A-Za-z0-9_-]*)\s*\}\}\s*$`)

func (p *parser) callerSecrets(c *caller, n *node) {
	switch {
	case n == nil:
		return
	case n.kind == stringNode && n.text == "inherit":
		c.handed.Inherit = true
		return
	case n.kind != mapNode:
		p.wrongKind(n, "secrets", "`inherit` or a mapping")
		return
	}
	c.secrets, c.handed.Names = n, map[string]string{}
	for i, k := range n.keys {
		m := handedSecret.FindStringSubmatch(n.items[i].text)
		if m == nil {
			p.add(n.items[i].at, "`secrets.%s` must be exactly ${{ secrets.NAME }}", k.text)
			continue
		}
		c.handed.Names[strings.ToUpper(k.text)] = strings.ToUpper(m[1])
	}
}

// CallSite is a job that calls a reusable workflow.
type CallSite struct {
	Key, Uses string
	At        Position // of `uses`
}

// Calls returns the jobs of the file that call another, in its order.
func (w *Workflow) Calls() []CallSite {
	var sites []CallSite
	for _, j := range w.Jobs {
		if j.call != nil {
			sites = append(sites, CallSite{j.Key, j.Uses, j.call.at.at})
		}
	}
	return sites
}
