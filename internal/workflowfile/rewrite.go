package workflowfile

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/expr"
)

// contextRewriter writes a context that runners do not know into the payload of a job: the inputs of a call, of which a
// runner has those of its event only, and the place of a cell in its matrix. Each use of the context becomes
// fromJSON('…') of its value, which keeps the types.
type contextRewriter struct {
	context string
	values  map[string]any
	cached  map[string]string // by property
	room    int               // how many bytes more all that is written may take
}

func newContextRewriter(context string, values map[string]any) *contextRewriter {
	return &contextRewriter{context: context, values: values, cached: map[string]string{}, room: MaxPlanBytes}
}

// tree rewrites every expression in a value, also in keys. What needs no change is the same node afterwards.
func (r *contextRewriter) tree(n *node) *node {
	if n == nil {
		return nil
	}
	if n.isScalar() {
		return r.scalar(n, expr.ReplaceContext)
	}
	items, changed := r.each(n.items)
	keys, renamed := r.each(n.keys)
	if !changed && !renamed {
		return n
	}
	return &node{kind: n.kind, at: n.at, keys: keys, items: items}
}

func (r *contextRewriter) each(list []*node) (out []*node, changed bool) {
	out = make([]*node, len(list))
	for i, n := range list {
		out[i] = r.tree(n)
		changed = changed || out[i] != n
	}
	return out, changed
}

// job rewrites the keys of a job. The `if` of a step is an expression also without `${{ }}`.
func (r *contextRewriter) job(shared *node) *node {
	out := newMap()
	for i, k := range shared.keys {
		if k.text == "steps" {
			out.set(k.text, r.steps(shared.items[i]))
		} else {
			out.set(k.text, r.tree(shared.items[i]))
		}
	}
	return out
}

func (r *contextRewriter) steps(steps *node) *node {
	out := &node{kind: listNode}
	for _, step := range steps.items {
		rewritten := newMap()
		for i, k := range step.keys {
			if k.text == "if" {
				rewritten.set(k.text, r.scalar(step.items[i], expr.ReplaceContextInCondition))
			} else {
				rewritten.set(k.text, r.tree(step.items[i]))
			}
		}
		out.items = append(out.items, rewritten)
	}
	return out
}

type replacer func(text, context string, with func(expr.Name) string) (string, error)

func (r *contextRewriter) scalar(n *node, replace replacer) *node {
	if n.kind != stringNode || r.full() {
		return n
	}
	text, err := replace(n.text, r.context, r.literal)
	if err != nil || text == n.text {
		return n // what cannot be read was reported, or is a key that no runner can read either
	}
	return newString(text)
}

// full reports whether there would be too much to write; then the plan is refused, and the rest does not matter.
// Without a rewriter nothing is written.
func (r *contextRewriter) full() bool { return r != nil && r.room < 0 }

// literal is what stands for one use of the context: of a property that is asked for by its name, that one alone.
func (r *contextRewriter) literal(use expr.Name) string {
	if r.full() {
		return "null"
	}
	property := strings.ToLower(use.Property)
	text, ok := r.cached[property]
	if !ok {
		text = "fromJSON(" + expr.Quote(r.json(property)) + ")"
		r.cached[property] = text
	}
	r.room -= len(text)
	return text
}

// json writes the values so that no reader can take a part of them for the beginning or the end of an expression: not
// even one that, as in an `if`, looks for those before it looks for strings.
func (r *contextRewriter) json(property string) string {
	asked := r.values
	if property != "" {
		asked = map[string]any{}
		for name, v := range r.values {
			if strings.ToLower(name) == property {
				asked[name] = v
			}
		}
	}
	text, err := expr.MarshalJSON(asked)
	if err != nil {
		return "{}" // Call has refused inputs of such a size
	}
	return strings.NewReplacer("${{", `\u0024{{`, "}}", `\u007d\u007d`).Replace(string(text))
}
