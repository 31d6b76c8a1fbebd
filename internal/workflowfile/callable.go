package workflowfile

import (
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
)

// CallTrigger is `on: workflow_call`: how other workflows may call this one.
type CallTrigger struct {
	Position
	Inputs  []CallInput // in the order of the file, as are the others
	Secrets []CallSecret
	Outputs []CallOutput
}

// CallInput is one declared input of a called workflow.
type CallInput struct {
	Position
	Name     string
	Type     string // string, boolean or number
	Required bool

	fallback *node // the default; may be an expression
}

// CallSecret is one declared secret of a called workflow.
type CallSecret struct {
	Position
	Name     string
	Required bool
}

// CallOutput is one output that a called workflow gives to its caller.
type CallOutput struct {
	Position
	Name  string
	value *node
}

// Callable reports whether other workflows may call this one.
func (w *Workflow) Callable() bool { return w.On.Call != nil }

// callTrigger reads `on: workflow_call`, and returns also what of it the runner gets to see. A value of a wrong kind
// there ends the whole runner, not only the job.
func (p *parser) callTrigger(name, n *node) (*CallTrigger, *node) {
	t := &CallTrigger{Position: name.at}
	visible := newMap()
	p.callEntries(visible, n, "inputs", func(k, entry *node, what string) *node {
		t.Inputs = append(t.Inputs, p.callInput(k, entry, what))
		return pick(entry, "description", "required", "default", "type")
	})
	p.callEntries(visible, n, "outputs", func(k, entry *node, what string) *node {
		t.Outputs = append(t.Outputs, p.callOutput(k, entry, what))
		return pick(entry, "description", "value")
	})
	p.callEntries(visible, n, "secrets", func(k, entry *node, what string) *node {
		t.Secrets = append(t.Secrets, p.callSecret(k, entry, what))
		return pick(entry, "description", "required")
	})
	return t, visible
}

// callEntries reads one of the mappings of `on: workflow_call`. Names that differ only in case would be one name in
// expressions.
func (p *parser) callEntries(into, n *node, part string, read func(k, entry *node, what string) *node) {
	what := "on.workflow_call." + part
	n = p.mapping(n.get(part), what)
	switch {
	case n == nil:
		return
	case len(n.keys) > MaxCallEntries:
		p.add(n.at, "`%s` has %d entries; the limit is %d", what, len(n.keys), MaxCallEntries)
		return
	}
	out := newMap()
	taken := map[string]bool{}
	for i, k := range n.keys {
		entry := n.items[i]
		if entry.kind == nullNode {
			entry = &node{kind: mapNode, at: k.at}
		}
		if entry = p.callEntry(k, entry, what, taken); entry != nil {
			out.set(k.text, read(k, entry, what+"."+k.text))
		}
	}
	into.set(part, out)
}

func (p *parser) callEntry(k, entry *node, what string, taken map[string]bool) *node {
	lower := strings.ToLower(k.text)
	if len(k.text) > ci.MaxOutputKeyBytes || !identifier.MatchString(k.text) {
		p.add(k.at, "%q cannot be a name in `%s`: a name begins with a letter or _, and goes on with letters, digits, - and _", k.text, what)
	}
	if taken[lower] {
		p.add(k.at, "the name %q is already there in `%s`; upper and lower case make no difference", k.text, what)
	}
	taken[lower] = true
	return p.scalars(entry, what+"."+k.text)
}

var callInputTypes = []string{"string", "boolean", "number"}

func (p *parser) callInput(k, entry *node, what string) CallInput {
	in := CallInput{Position: k.at, Name: k.text, Type: "string", Required: p.flag(entry.get("required"), what+".required")}
	if t := entry.get("type"); t != nil {
		in.Type = p.text(t, what+".type")
		if !slices.Contains(callInputTypes, in.Type) {
			p.add(t.at, "`%s.type` is %q; there are: %s", what, in.Type, strings.Join(callInputTypes, ", "))
		}
	}
	in.fallback = p.template(entry.get("default"), what+".default", runScope)
	if d := in.fallback; d != nil && !isExpression(d) {
		if _, fault := in.typed(literal(d), d.text); fault != "" {
			p.add(d.at, "`%s.default` %s", what, fault)
		}
	}
	return in
}

func (p *parser) callSecret(k, entry *node, what string) CallSecret {
	if reservedSecret(k.text) {
		p.add(k.at, "the secret %s is there always, and cannot be declared", k.text)
	}
	return CallSecret{Position: k.at, Name: k.text, Required: p.flag(entry.get("required"), what+".required")}
}

func reservedSecret(name string) bool {
	return strings.EqualFold(name, "GITHUB_TOKEN") || strings.EqualFold(name, "GITEA_TOKEN")
}

func (p *parser) callOutput(k, entry *node, what string) CallOutput {
	value := entry.get("value")
	if value == nil {
		p.add(k.at, "`%s` must have `value`", what)
	}
	return CallOutput{Position: k.at, Name: k.text, value: p.template(value, what+".value", outputsScope)}
}
