package expr

import (
	"math"
	"strings"
)

// Context gives the values of contexts such as `github`. Names are asked for in lower case; ok is false
// for a context that is not available here.
type Context interface {
	Lookup(name string) (value any, ok bool)
}

// Contexts is the simplest Context: values by lower-case name.
type Contexts map[string]any

// Lookup returns the context with this name.
func (c Contexts) Lookup(name string) (any, bool) {
	v, ok := c[name]
	return v, ok
}

// Status holds what the status functions return. always() is true wherever there is a Status.
type Status struct {
	Success, Failure, Cancelled bool
}

// Env is everything that an evaluation may look at. Without a Status the status functions are errors,
// because outside of an `if` they have no meaning.
type Env struct {
	Context Context
	Status  *Status
	// Budget, if there is one, is what this evaluation may cost together with others.
	Budget *Budget
}

// Eval evaluates the expression. The error is an *Error.
func (e *Expression) Eval(env Env) (any, error) {
	v, err := newEvaluator(env).whole(e)
	if err != nil {
		return nil, err
	}
	if f, ok := v.(filtered); ok {
		return []any(f), nil
	}
	return v, nil
}

// evaluator is one evaluation.
type evaluator struct {
	env  Env
	work int
}

func newEvaluator(env Env) *evaluator { return &evaluator{env: env} }

// whole evaluates an expression; each of its parts costs something even if it makes no text.
func (ev *evaluator) whole(e *Expression) (any, error) {
	if err := ev.spend(0, workPerNode*e.nodes); err != nil {
		return nil, err
	}
	return ev.value(e.root)
}

// value evaluates n and reads the result as one of the kinds of the language.
func (ev *evaluator) value(n node) (any, error) {
	v, err := n.eval(ev)
	if err != nil {
		return nil, err
	}
	return normal(v), nil
}

// spend counts bytes that are read or written, so that no expression can keep a server busy.
func (ev *evaluator) spend(offset, bytes int) error {
	ev.work += bytes
	if ev.work > MaxWork {
		return errorAt(offset, "the expression takes too much work")
	}
	if !ev.env.Budget.Spend(bytes) {
		return errorAt(offset, "the expressions take too much work together")
	}
	return nil
}

// text checks the length of a string that was made.
func (ev *evaluator) text(offset int, s string) (any, error) {
	if len(s) > MaxStringBytes {
		return nil, errorAt(offset, "the result is longer than %d bytes", MaxStringBytes)
	}
	return s, ev.spend(offset, len(s))
}

func (l literal) eval(*evaluator) (any, error) { return l.value, nil }

func (v *variable) eval(ev *evaluator) (any, error) {
	if ev.env.Context != nil {
		if value, ok := ev.env.Context.Lookup(v.name); ok {
			return value, nil
		}
	}
	return nil, errorAt(v.offset, "the context '%s' is not available here", v.name)
}

func (n *not) eval(ev *evaluator) (any, error) {
	v, err := ev.value(n.of)
	return !Truthy(v), err
}

// eval returns one of the two values, not a bool, and does not look at the right one when the left decides.
func (l *logical) eval(ev *evaluator) (any, error) {
	left, err := ev.value(l.left)
	if err != nil || Truthy(left) != l.and {
		return left, err
	}
	return ev.value(l.right)
}

func (c *comparison) eval(ev *evaluator) (any, error) {
	left, err := ev.value(c.left)
	if err != nil {
		return nil, err
	}
	right, err := ev.value(c.right)
	if err != nil {
		return nil, err
	}
	if err := ev.spend(c.offset, stringLen(left)+stringLen(right)); err != nil {
		return nil, err
	}
	return compare(c.operator, left, right), nil
}

func stringLen(v any) int {
	s, _ := v.(string)
	return len(s)
}

func (c *call) eval(ev *evaluator) (any, error) {
	args := make([]any, len(c.args))
	for i, a := range c.args {
		v, err := ev.value(a)
		if err != nil {
			return nil, err
		}
		args[i] = v
	}
	return c.function.run(ev, c.offset, args)
}

// filtered is the result of `.*`: a following `.name` goes to every element.
type filtered []any

func (s *star) eval(ev *evaluator) (any, error) {
	of, err := ev.value(s.of)
	if err != nil {
		return nil, err
	}
	var out filtered
	if f, ok := of.(filtered); ok {
		for _, inner := range f {
			out = append(out, elements(normal(inner))...)
		}
	} else {
		out = append(filtered{}, elements(of)...)
	}
	return out, ev.spend(s.offset, 16*len(out))
}

// elements returns the values of a list or object; anything else has none.
func elements(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case *Object:
		return v.values
	case map[string]any:
		list := make([]any, 0, len(v))
		for _, k := range sortedKeys(v) {
			list = append(list, v[k])
		}
		return list
	}
	return nil
}

func (x *index) eval(ev *evaluator) (any, error) {
	of, err := ev.value(x.of)
	if err != nil {
		return nil, err
	}
	key, err := ev.value(x.key)
	if err != nil {
		return nil, err
	}
	list, ok := of.(filtered)
	if !ok {
		v, _ := member(of, key)
		return v, ev.spend(x.offset, stringLen(key))
	}
	out := filtered{}
	for _, element := range list {
		if v, ok := member(normal(element), key); ok {
			out = append(out, v)
		}
	}
	return out, ev.spend(x.offset, 16*len(list))
}

// member returns what stands under key; false if there is nothing.
func member(of, key any) (any, bool) {
	switch of := of.(type) {
	case []any:
		return element(of, toNumber(key))
	case *Object:
		if isCollection(key) {
			return nil, false
		}
		return of.Get(ToString(key))
	case map[string]any:
		if isCollection(key) {
			return nil, false
		}
		return lookup(of, ToString(key))
	}
	return nil, false
}

func element(list []any, at float64) (any, bool) {
	at = math.Floor(at)
	if !(at >= 0 && at < float64(len(list))) { // also false for NaN
		return nil, false
	}
	return list[int(at)], true
}

// foldedContains reports whether text holds part, without regard to case.
func foldedContains(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}
