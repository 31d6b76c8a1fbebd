package workflowfile

import (
	"strconv"
	"strings"
)

// The readers here take a value that may be nil (the key is absent), report what is wrong with it, and
// return what can be used of it.

func (p *parser) wrongKind(n *node, what, want string) {
	p.add(n.at, "`%s` must be %s, not %s", what, want, n.kind)
}

// text reads a single value as it is written.
func (p *parser) text(n *node, what string) string {
	if n == nil {
		return ""
	}
	if !n.isScalar() {
		p.wrongKind(n, what, "a single value")
		return ""
	}
	return n.text
}

// scalar checks a single value and returns it, or nil.
func (p *parser) scalar(n *node, what string) *node {
	if n == nil || n.isScalar() {
		return n
	}
	p.wrongKind(n, what, "a single value")
	return nil
}

// strings reads a list of single values, or one of them. nil means that the key is absent.
func (p *parser) strings(n *node, what string) []string {
	if n == nil {
		return nil
	}
	list := []string{}
	if n.kind == mapNode {
		p.wrongKind(n, what, "a string or a list of strings")
		return list
	}
	if n.kind == listNode {
		p.onlyScalars(n, what)
	}
	for _, item := range listed(n) {
		list = append(list, item.text)
	}
	return list
}

func (p *parser) onlyScalars(n *node, what string) {
	for _, item := range n.items {
		if !item.isScalar() {
			p.wrongKind(item, what, "a list of single values")
		}
	}
}

// list checks a list of single values and returns it, or nil.
func (p *parser) list(n *node, what string) *node {
	if n == nil {
		return nil
	}
	if n.kind != listNode {
		p.wrongKind(n, what, "a list")
		return nil
	}
	p.onlyScalars(n, what)
	return n
}

// scalars checks a mapping whose values are single, such as `env`, and returns it, or nil.
func (p *parser) scalars(n *node, what string) *node {
	if n == nil {
		return nil
	}
	if n.kind != mapNode {
		p.wrongKind(n, what, "a mapping")
		return nil
	}
	for i, item := range n.items {
		if !item.isScalar() {
			p.add(item.at, "`%s.%s` must be a single value, not %s", what, n.keys[i].text, item.kind)
		}
	}
	return n
}

// mapping checks that a value is a mapping and returns it, or nil.
func (p *parser) mapping(n *node, what string) *node {
	if n == nil || n.kind == mapNode {
		return n
	}
	p.wrongKind(n, what, "a mapping")
	return nil
}

// flag reads true or false.
func (p *parser) flag(n *node, what string) bool {
	if n == nil {
		return false
	}
	if n.kind != boolNode {
		p.wrongKind(n, what, "true or false")
	}
	return n.text == "true"
}

// scalarsOrExpression is for `env` of jobs and steps, which may be an expression that gives a mapping.
func (p *parser) scalarsOrExpression(n *node, what string) *node {
	if isExpression(n) {
		return n
	}
	return p.scalars(n, what)
}

// boolOrExpression checks a boolean, or an expression that gives one, and returns it, or nil. A boolean in
// quotes is one too.
func (p *parser) boolOrExpression(n *node, what string) *node {
	if n == nil || n.kind == boolNode || isExpression(n) || n.kind == stringNode && (n.text == "true" || n.text == "false") {
		return n
	}
	p.wrongKind(n, what, "true, false or an expression")
	return nil
}

// numberOrExpression checks a number, or an expression that gives one, and returns it, or nil. A number in
// quotes is one too.
func (p *parser) numberOrExpression(n *node, what string) *node {
	if n == nil || n.kind == numberNode || isExpression(n) {
		return n
	}
	if n.kind == stringNode {
		if _, err := strconv.ParseFloat(n.text, 64); err == nil {
			return n
		}
	}
	p.wrongKind(n, what, "a number or an expression")
	return nil
}

func isExpression(n *node) bool {
	return n != nil && n.kind == stringNode && strings.Contains(n.text, "${{")
}

// pick returns a mapping that holds only these keys, in their order. Payloads leave out what the runner
// does not know.
func pick(n *node, keys ...string) *node {
	out := newMap()
	for _, k := range keys {
		out.set(k, n.get(k))
	}
	return out
}
