package workflowfile

import (
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/expr"
)

// planner makes one plan. Like the parser it collects problems and goes on.
type planner struct {
	problems
	w    *Workflow
	base expr.Contexts
	plan *Plan
	head string
	size int // bytes of all payloads so far

	sharedOf *Job // whose text is in shared
	shared   string
}

// contexts adds contexts to the ones that every key may use.
func (p *planner) contexts(more map[string]any) expr.Contexts {
	all := expr.Contexts{}
	for k, v := range p.base {
		all[k] = v
	}
	for k, v := range more {
		all[k] = v
	}
	return all
}

// eval returns the value of a scalar: that of its expression, or what is written. It reports a fault and
// returns false.
func (p *planner) eval(n *node, contexts expr.Contexts) (any, bool) {
	if !isExpression(n) {
		return literal(n), true
	}
	v, err := expr.Interpolate(n.text, expr.Env{Context: contexts})
	if err != nil {
		p.addExpression(p.w.source, n, err)
		return nil, false
	}
	return v, true
}

// evalText is eval for keys whose value is a text. An absent key is empty.
func (p *planner) evalText(n *node, contexts expr.Contexts) (string, bool) {
	if n == nil || !isExpression(n) {
		return textOf(n), true
	}
	v, ok := p.eval(n, contexts)
	return expr.ToString(v), ok
}

func textOf(n *node) string {
	if n == nil {
		return ""
	}
	return n.text
}

// literal is the value of a scalar without expressions.
func literal(n *node) any {
	switch n.kind {
	case nullNode:
		return nil
	case boolNode:
		return n.text == "true"
	case numberNode:
		return n.num
	}
	return n.text
}

// evalTree evaluates lists and mappings as well. A list that comes out of an expression inside of a list
// is put in its place element by element.
func (p *planner) evalTree(n *node, contexts expr.Contexts) (any, bool) {
	switch n.kind {
	case listNode:
		return p.evalList(n, contexts)
	case mapNode:
		return p.evalMap(n, contexts)
	}
	return p.eval(n, contexts)
}

func (p *planner) evalList(n *node, contexts expr.Contexts) (any, bool) {
	list := []any{}
	for _, item := range n.items {
		v, ok := p.evalTree(item, contexts)
		if !ok {
			return nil, false
		}
		if inner, isList := v.([]any); isList && item.isScalar() {
			list = append(list, inner...)
		} else {
			list = append(list, v)
		}
	}
	return list, true
}

func (p *planner) evalMap(n *node, contexts expr.Contexts) (any, bool) {
	object := expr.NewObject()
	for i, k := range n.keys {
		v, ok := p.evalTree(n.items[i], contexts)
		if !ok {
			return nil, false
		}
		object.Set(k.text, v)
	}
	return object, true
}

// hasExpression reports whether there is an expression anywhere inside of n.
func hasExpression(n *node) bool {
	return isExpression(n) || slices.ContainsFunc(n.items, hasExpression)
}

// uses reports whether an expression anywhere inside of n uses a context.
func uses(n *node, context string) bool {
	if n == nil {
		return false
	}
	for _, item := range n.items {
		if uses(item, context) {
			return true
		}
	}
	if !isExpression(n) {
		return false
	}
	t, err := expr.ParseTemplate(n.text)
	if err != nil {
		return false
	}
	for _, name := range t.Names() {
		if !name.Call && name.Name == context {
			return true
		}
	}
	return false
}

// escapeTemplate writes a text that was evaluated here so that the runner, which evaluates once more, gets
// the text itself and not what an expression in it would give.
func escapeTemplate(text string) string {
	return strings.ReplaceAll(text, "${{", "${{ '${{' }}")
}

// numberFrom writes a number so that YAML reads the same one.
func numberFrom(f float64) *node {
	switch {
	case math.IsNaN(f):
		return &node{kind: numberNode, text: ".nan"}
	case math.IsInf(f, 1):
		return &node{kind: numberNode, text: ".inf"}
	case math.IsInf(f, -1):
		return &node{kind: numberNode, text: "-.inf"}
	}
	return &node{kind: numberNode, text: expr.FormatNumber(f)}
}

// fromValue makes the node of a value that was evaluated here.
func fromValue(v any) *node {
	switch v := v.(type) {
	case nil:
		return &node{kind: nullNode}
	case bool:
		return &node{kind: boolNode, text: expr.ToString(v)}
	case float64:
		return numberFrom(v)
	case []any:
		list := &node{kind: listNode}
		for _, item := range v {
			list.items = append(list.items, fromValue(item))
		}
		return list
	case *expr.Object:
		m := newMap()
		for i := range v.Len() {
			key, item := v.At(i)
			m.set(escapeTemplate(key), fromValue(item))
		}
		return m
	case map[string]any:
		m := newMap()
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m.set(escapeTemplate(key), fromValue(v[key]))
		}
		return m
	}
	return newString(escapeTemplate(expr.ToString(v)))
}
