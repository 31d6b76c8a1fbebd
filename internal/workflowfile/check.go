package workflowfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/expr"
)

// scope is which contexts the expressions of a key may use on the server (execution-semantics.md §4.1).
type scope struct {
	contexts []string
	status   bool // success() and the like are available
}

var (
	runScope      = scope{contexts: []string{"github", "gitea", "inputs", "vars"}}
	strategyScope = scope{contexts: append(slices.Clip(runScope.contexts), "needs")}
	cellScope     = scope{contexts: append(slices.Clip(strategyScope.contexts), "strategy", "matrix")}
	ifScope       = scope{contexts: cellScope.contexts, status: true}
	outputsScope  = scope{contexts: append(slices.Clip(runScope.contexts), "jobs")} // of on.workflow_call
)

// template checks a single value that the server evaluates, and returns it, or nil.
func (p *parser) template(n *node, what string, allowed scope) *node {
	n = p.scalar(n, what)
	if n != nil {
		p.checkTemplate(n, what, &allowed)
	}
	return n
}

// templates does the same for every value inside of n.
func (p *parser) templates(n *node, what string, allowed scope) {
	p.eachScalar(n, func(s *node) { p.checkTemplate(s, what, &allowed) })
}

// checkExpressions checks what only the runner evaluates: the expressions must be readable.
func (p *parser) checkExpressions(n *node, what string) {
	p.eachScalar(n, func(s *node) { p.checkTemplate(s, what, nil) })
}

func (p *parser) eachScalar(n *node, do func(*node)) {
	if n == nil {
		return
	}
	if n.isScalar() {
		do(n)
	}
	for _, item := range n.items {
		p.eachScalar(item, do)
	}
}

func (p *parser) checkTemplate(n *node, what string, allowed *scope) {
	if !isExpression(n) {
		return
	}
	t, err := expr.ParseTemplate(n.text)
	if err != nil {
		p.addAt(n, err)
		return
	}
	if allowed != nil {
		p.checkNames(n, what, t.Names(), *allowed)
	}
}

// condition checks an `if`, which may be an expression without `${{ }}` around it.
func (p *parser) condition(n *node, allowed *scope) *node {
	n = p.scalar(n, "if")
	if n == nil || n.kind == stringNode && strings.TrimSpace(n.text) == "" {
		return nil
	}
	c, err := expr.ParseCondition(n.text)
	if err != nil {
		p.addAt(n, err)
		return nil
	}
	if allowed != nil {
		p.checkNames(n, "if", c.Names(), *allowed)
	}
	return n
}

func (p *parser) checkNames(n *node, what string, names []expr.Name, allowed scope) {
	for _, name := range names {
		if p.full() {
			return
		}
		if fault := allowed.fault(what, name); fault != "" {
			p.add(p.source.position(n, name.Offset), "%s", fault)
		}
	}
}

// fault says why a name may not be used, or nothing.
func (s scope) fault(what string, name expr.Name) string {
	switch {
	case name.Call && name.Name == "hashfiles":
		return fmt.Sprintf("hashFiles() is not available in `%s`: it works on the runner only", what)
	case name.Call && !s.status && isStatusFunction(name.Name):
		return fmt.Sprintf("%s() is only available in an `if`", name.Name)
	case !name.Call && !slices.Contains(s.contexts, name.Name):
		return fmt.Sprintf("the context '%s' is not available in `%s`; there are: %s", name.Name, what, strings.Join(s.contexts, ", "))
	}
	return ""
}

func isStatusFunction(name string) bool {
	return name == "success" || name == "failure" || name == "cancelled" || name == "always"
}

// addExpression reports a fault of an expression at its place in the source.
func (p *problems) addExpression(s *source, n *node, err error) {
	if p.full() {
		return
	}
	offset := 0
	if fault, ok := err.(*expr.Error); ok {
		offset = fault.Offset
	}
	p.add(s.position(n, offset), "%s", err)
}

func (p *parser) addAt(n *node, err error) { p.addExpression(p.source, n, err) }
