package workflowfile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/internal/expr"
)

// evaluator evaluates the values of one file. Like the parser it collects problems and goes on. It is made for one
// plan or question, and all its evaluations together may cost MaxEvalWork, or what is left of the budget of its context.
type evaluator struct {
	problems
	source *source
	budget *expr.Budget
	parsed map[*node]*expr.Template
}

// evaluator makes one; without a budget it has one of its own.
func (w *Workflow) evaluator(budget *expr.Budget) *evaluator {
	if budget == nil {
		budget = NewBudget()
	}
	return &evaluator{problems: problems{file: w.Path}, source: w.source, budget: budget, parsed: map[*node]*expr.Template{}}
}

// NewBudget is MaxEvalWork, for a PlanContext and JobContexts that are evaluated in one go.
func NewBudget() *expr.Budget { return expr.NewBudget(MaxEvalWork) }

// eval returns the value of a scalar: that of its expression, or what is written. It reports a fault and
// returns false.
func (e *evaluator) eval(n *node, contexts expr.Contexts) (any, bool) {
	if !isExpression(n) {
		return literal(n), true
	}
	t, err := e.template(n)
	var v any
	if err == nil {
		v, err = t.Eval(expr.Env{Context: contexts, Budget: e.budget})
	}
	if err != nil {
		e.addExpression(e.source, n, err)
		return nil, false
	}
	return v, true
}

// template parses the text of a scalar once, however many cells evaluate it.
func (e *evaluator) template(n *node) (*expr.Template, error) {
	if t, ok := e.parsed[n]; ok {
		return t, nil
	}
	t, err := expr.ParseTemplate(n.text)
	if err == nil {
		e.parsed[n] = t
	}
	return t, err
}

// evalText is eval for keys whose value is a text. An absent key is empty.
func (e *evaluator) evalText(n *node, contexts expr.Contexts) (string, bool) {
	if n == nil || !isExpression(n) {
		return textOf(n), true
	}
	v, ok := e.eval(n, contexts)
	return expr.ToString(v), ok
}

// evalSingle is evalText for what goes by its name, where "Object" would be a bad one.
func (e *evaluator) evalSingle(n *node, what string, contexts expr.Contexts) (string, bool) {
	if n == nil || !isExpression(n) {
		return textOf(n), true
	}
	v, ok := e.eval(n, contexts)
	if ok && isCollection(v) {
		e.add(n.at, "`%s` must be a single value, not a list or a mapping", what)
		return "", false
	}
	return clean(expr.ToString(v)), ok
}

func isCollection(v any) bool {
	switch v.(type) {
	case []any, []string, *expr.Object, map[string]any, map[string]string:
		return true
	}
	return false
}

// clean replaces what no database takes as text. YAML has none of it, but fromJSON and events may.
func clean(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD")
}

// evalBool evaluates true or false, also as the text that an expression may give.
func (e *evaluator) evalBool(n *node, what string, absent bool, contexts expr.Contexts) bool {
	if n == nil {
		return absent
	}
	v, ok := e.eval(n, contexts)
	if !ok {
		return absent
	}
	switch v {
	case true, "true":
		return true
	case false, "false", nil, "":
		return false
	}
	e.add(n.at, "`%s` must be true or false, not %s", what, shown(v))
	return absent
}

// evalNumber evaluates a number, also as the text that an expression may give.
func (e *evaluator) evalNumber(n *node, what string, contexts expr.Contexts) (float64, bool) {
	v, ok := e.eval(n, contexts)
	if !ok {
		return 0, false
	}
	f, ok := numberOf(v)
	if !ok {
		e.add(n.at, "`%s` must be a number, not %s", what, shown(v))
	}
	return f, ok
}

// numberOf reads a value as a finite number; a text that is one counts.
func numberOf(v any) (float64, bool) {
	switch v := v.(type) {
	case float64:
		return v, !math.IsNaN(v) && !math.IsInf(v, 0)
	case string:
		f, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
		return f, err == nil && !math.IsNaN(f) && !math.IsInf(f, 0)
	}
	return 0, false
}

// shown writes a value for a message.
func shown(v any) string { return fmt.Sprintf("%q", cutRunes(expr.ToString(v), 100)) }

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
func (e *evaluator) evalTree(n *node, contexts expr.Contexts) (any, bool) {
	switch n.kind {
	case listNode:
		return e.evalList(n, contexts)
	case mapNode:
		return e.evalMap(n, contexts)
	}
	return e.eval(n, contexts)
}

func (e *evaluator) evalList(n *node, contexts expr.Contexts) (any, bool) {
	list := []any{}
	for _, item := range n.items {
		v, ok := e.evalTree(item, contexts)
		if !ok {
			return nil, false
		}
		inner, isList := v.([]any)
		if !isList || !item.isScalar() {
			inner = []any{v}
		}
		if !e.budget.Spend(workPerValue * len(inner)) {
			e.add(item.at, "the list becomes too long")
			return nil, false
		}
		list = append(list, inner...)
	}
	return list, true
}

func (e *evaluator) evalMap(n *node, contexts expr.Contexts) (any, bool) {
	object := expr.NewObject()
	for i, k := range n.keys {
		v, ok := e.evalTree(n.items[i], contexts)
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

// uses reports whether an expression anywhere inside of n uses one of these contexts.
func uses(n *node, contexts ...string) bool {
	if n == nil {
		return false
	}
	for _, item := range n.items {
		if uses(item, contexts...) {
			return true
		}
	}
	if !isExpression(n) {
		return false
	}
	t, err := expr.ParseTemplate(n.text)
	return err == nil && namesAny(t.Names(), contexts)
}

func namesAny(names []expr.Name, contexts []string) bool {
	return slices.ContainsFunc(names, func(n expr.Name) bool { return !n.Call && slices.Contains(contexts, n.Name) })
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
