package workflowfile

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/expr"
)

// inputsRewriter writes the inputs of a call into the payload of a called workflow's job. A runner knows the inputs of
// its event only, not those of a call: so each use of the `inputs` context becomes fromJSON('…') of the call's inputs,
// which keeps their types.
type inputsRewriter struct {
	inputs map[string]any
	cached map[string]string // by property
	room   int               // how many bytes more all that is written may take
}

func newInputsRewriter(inputs map[string]any) *inputsRewriter {
	return &inputsRewriter{inputs: inputs, cached: map[string]string{}, room: MaxPlanBytes}
}

// tree rewrites every expression in a value, also in keys. What needs no change is the same node afterwards.
func (r *inputsRewriter) tree(n *node) *node {
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

func (r *inputsRewriter) each(list []*node) (out []*node, changed bool) {
	out = make([]*node, len(list))
	for i, n := range list {
		out[i] = r.tree(n)
		changed = changed || out[i] != n
	}
	return out, changed
}

// job rewrites the keys of a job. The `if` of a step is an expression also without `${{ }}`.
func (r *inputsRewriter) job(shared *node) *node {
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

func (r *inputsRewriter) steps(steps *node) *node {
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

func (r *inputsRewriter) scalar(n *node, replace replacer) *node {
	if n.kind != stringNode || r.full() {
		return n
	}
	text, err := replace(n.text, "inputs", r.literal)
	if err != nil || text == n.text {
		return n // what cannot be read was reported, or is a key that no runner can read either
	}
	return newString(text)
}

// full reports whether there would be too much to write; then the plan is refused, and the rest does not matter.
// Without a rewriter nothing is written.
func (r *inputsRewriter) full() bool { return r != nil && r.room < 0 }

// literal is what stands for one use of the context: of a property that is asked for by its name, that one alone.
func (r *inputsRewriter) literal(use expr.Name) string {
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

// json writes the inputs so that no reader can take a part of them for the beginning or the end of an expression: not
// even one that, as in an `if`, looks for those before it looks for strings.
func (r *inputsRewriter) json(property string) string {
	asked := r.inputs
	if property != "" {
		asked = map[string]any{}
		for name, v := range r.inputs {
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
