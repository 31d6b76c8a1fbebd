package workflowfile

import (
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
)

var inputTypes = []string{"string", "boolean", "number", "choice", "environment"}

// inputs reads the inputs that `on: workflow_dispatch` declares.
func (p *parser) inputs(n *node) []Input {
	declared := p.mapping(n.get("inputs"), "on.workflow_dispatch.inputs")
	if declared == nil {
		return nil
	}
	if len(declared.keys) > ci.MaxInputs {
		p.add(declared.at, "`on.workflow_dispatch` declares %d inputs; the limit is %d", len(declared.keys), ci.MaxInputs)
		return nil
	}
	var list []Input
	for i, k := range declared.keys {
		body := declared.items[i]
		if body.kind == nullNode {
			body = &node{kind: mapNode, at: k.at}
		}
		list = append(list, p.input(k, body))
	}
	return list
}

func (p *parser) input(key, n *node) Input {
	what := "on.workflow_dispatch.inputs." + key.text
	in := Input{Position: key.at, Name: key.text, Type: "string"}
	if p.mapping(n, what) == nil {
		return in
	}
	in.Description = p.text(n.get("description"), what+".description")
	in.Required = p.flag(n.get("required"), what+".required")
	in.Options = p.strings(n.get("options"), what+".options")
	if t := n.get("type"); t != nil {
		in.Type = p.text(t, what+".type")
		p.checkInputType(in, t, what)
	}
	if d := n.get("default"); d != nil {
		in.HasDefault, in.Default = true, p.text(d, what+".default")
		if fault := in.check(in.Default); fault != "" && d.isScalar() {
			p.add(d.at, "`%s.default` %s", what, fault)
		}
	}
	return in
}

func (p *parser) checkInputType(in Input, t *node, what string) {
	if !slices.Contains(inputTypes, in.Type) {
		p.add(t.at, "`%s.type` is %q; there are: %s", what, in.Type, strings.Join(inputTypes, ", "))
	}
	if in.Type == "choice" && len(in.Options) == 0 {
		p.add(t.at, "`%s` is a choice without `options`", what)
	}
}

// dispatchNode writes the inputs for the payload, where the runner finds their types and defaults. They are
// written anew, because the runner ends itself over a value whose kind it does not expect.
func dispatchNode(inputs []Input) *node {
	body := newMap()
	list := newMap()
	for _, in := range inputs {
		list.set(in.Name, in.node())
	}
	if len(inputs) > 0 {
		body.set("inputs", list)
	}
	return body
}

func (in Input) node() *node {
	n := newMap()
	if in.Description != "" {
		n.set("description", newString(in.Description))
	}
	if in.Required {
		n.set("required", &node{kind: boolNode, text: "true"})
	}
	if in.HasDefault {
		n.set("default", newString(in.Default))
	}
	n.set("type", newString(in.Type))
	if in.Options != nil {
		n.set("options", newStrings(in.Options))
	}
	return n
}
