package workflowfile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// Call is what a caller hands to the workflow that it calls.
type Call struct {
	// Inputs are typed: a boolean is a bool, a number a float64, the rest strings.
	Inputs  map[string]any
	Secrets ci.CallSecrets
}

// Call evaluates `with` and `secrets` of a caller for the workflow that it calls. The error is an *Error: a job that is
// no caller, a callee that may not be called, inputs or secrets that it does not declare or that are missing, values
// that do not fit.
func (w *Workflow) Call(key string, c JobContext, callee *Workflow) (*Call, error) {
	j, err := w.job(key)
	if err != nil {
		return nil, err
	}
	e := w.evaluator(c.Budget)
	if j.call == nil {
		e.add(j.Position, "job %q calls no workflow", key)
		return nil, e.err()
	}
	if !callee.Callable() {
		e.add(j.call.at.at, "the workflow %s cannot be called: it has no `on: workflow_call`", callee.Path)
		return nil, e.err()
	}
	b := binding{evaluator: e, call: j.call, caller: c, callee: callee, defaults: callee.evaluator(c.Budget)}
	call := &Call{Inputs: b.inputs(), Secrets: b.secrets()}
	e.list = append(e.list, b.defaults.list...)
	return call, e.err()
}

// binding brings a caller and a called workflow together.
type binding struct {
	*evaluator
	call     *caller
	caller   JobContext
	callee   *Workflow
	defaults *evaluator // faults of these are faults of the called file
}

func (b *binding) inputs() map[string]any {
	given := b.given()
	contexts := b.caller.contexts()
	inputs := map[string]any{}
	for _, in := range b.callee.On.Call.Inputs {
		v, found := b.givenValue(in, given[strings.ToLower(in.Name)], contexts)
		if !found {
			v = b.absent(in, inputs)
		}
		inputs[in.Name] = v
	}
	text, err := expr.MarshalJSON(inputs)
	if err != nil || len(text) > MaxCallInputBytes {
		b.add(b.call.at.at, "the inputs of the call have more than %d bytes together", MaxCallInputBytes)
	}
	return inputs
}

// given sorts `with` by the lower-case names of the inputs. Those that the called workflow has not are ignored
// (execution-semantics.md §10).
func (b *binding) given() map[string]*node {
	given := map[string]*node{}
	if b.call.with == nil {
		return given
	}
	for i, k := range b.call.with.keys {
		name := strings.ToLower(k.text)
		_, twice := given[name]
		switch {
		case twice:
			b.add(k.at, "the input %q is given twice; upper and lower case make no difference", k.text)
		case b.call.with.items[i].kind != nullNode:
			given[name] = b.call.with.items[i]
		}
	}
	return given
}

func lowerSet(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[strings.ToLower(name)] = true
	}
	return set
}

func thereAre(names []string) string {
	const some = 20
	switch {
	case len(names) == 0:
		return ": it has none"
	case len(names) > some:
		names = append(slices.Clip(names[:some]), "…")
	}
	return "; there are: " + strings.Join(names, ", ")
}

// givenValue evaluates an input that the caller gives. A boolean or number that comes to nothing counts as not given:
// so do inputs of the calling workflow that its event did not have.
func (b *binding) givenValue(in CallInput, n *node, contexts expr.Contexts) (v any, found bool) {
	if n == nil {
		return nil, false
	}
	v, ok := b.eval(n, contexts)
	if !ok {
		return nil, true
	}
	if v == nil && in.Type != "string" {
		return nil, false
	}
	v, fault := in.typed(v, n.text)
	if fault != "" {
		b.add(n.at, "the input %q of %s %s", in.Name, b.callee.Path, fault)
	}
	return v, true
}

// absent is the value of an input that is not given. Its default may use the inputs that are declared before it.
func (b *binding) absent(in CallInput, before map[string]any) any {
	if in.Required {
		b.add(b.call.at.at, "the input %q of %s is required", in.Name, b.callee.Path)
		return nil
	}
	v := any(nil)
	if in.fallback != nil {
		var ok bool
		if v, ok = b.defaults.eval(in.fallback, baseContexts(b.caller.GitHub, before, b.caller.Vars)); !ok {
			return nil
		}
	}
	if v == nil {
		return in.zero()
	}
	v, fault := in.typed(v, in.fallback.text)
	if fault != "" {
		b.defaults.add(in.fallback.at, "the default of the input %q %s", in.Name, fault)
	}
	return v
}

// zero is an input without a default.
func (in CallInput) zero() any {
	switch in.Type {
	case "boolean":
		return false
	case "number":
		return 0.0
	}
	return ""
}

// typed returns a value as the input's type, or what is wrong with it. text is how a value that is no expression is
// written: a string gets 1.10 as it stands there.
func (in CallInput) typed(v any, text string) (typed any, fault string) {
	switch in.Type {
	case "boolean":
		if v == "true" || v == "false" {
			return v == "true", ""
		}
		if _, ok := v.(bool); !ok {
			return nil, "must be true or false, not " + shown(v)
		}
		return v, ""
	case "number":
		f, ok := numberOf(v)
		if !ok {
			return nil, "must be a number, not " + shown(v)
		}
		return f, ""
	}
	if isCollection(v) {
		return nil, "must be a single value, not a list or a mapping"
	}
	if _, isText := v.(string); !isText && !strings.Contains(text, "${{") {
		return text, ""
	}
	return clean(expr.ToString(v)), ""
}

func (b *binding) secrets() ci.CallSecrets {
	given := b.call.handed
	if given.Inherit {
		return given
	}
	b.knownSecrets()
	for _, s := range b.callee.On.Call.Secrets {
		if _, ok := given.Names[strings.ToUpper(s.Name)]; s.Required && !ok {
			b.add(b.call.at.at, "the secret %q of %s is required", s.Name, b.callee.Path)
		}
	}
	return given
}

func (b *binding) knownSecrets() {
	if b.call.secrets == nil {
		return
	}
	var names []string
	for _, s := range b.callee.On.Call.Secrets {
		names = append(names, s.Name)
	}
	known := lowerSet(names)
	for _, k := range b.call.secrets.keys {
		if !known[strings.ToLower(k.text)] {
			b.add(k.at, "the workflow %s has no secret %q%s", b.callee.Path, k.text, thereAre(names))
		}
	}
}

// CallOutputs evaluates what a called workflow gives to its caller. jobs are the ends of its jobs by their keys; the
// inputs of c are those of the call. The error is an *Error.
func (w *Workflow) CallOutputs(c JobContext, jobs map[string]NeedResult) (map[string]string, error) {
	outputs := map[string]string{}
	if w.On.Call == nil {
		return outputs, nil
	}
	e := w.evaluator(c.Budget)
	contexts := baseContexts(c.GitHub, c.Inputs, c.Vars)
	contexts["jobs"] = resultsContext(jobs)
	total := 0
	for _, out := range w.On.Call.Outputs {
		text, _ := e.evalSingle(out.value, fmt.Sprintf("on.workflow_call.outputs.%s.value", out.Name), contexts)
		if total += len(text); total > ci.MaxCallOutputBytes {
			e.add(out.Position, "the outputs of the workflow have more than %d bytes together", ci.MaxCallOutputBytes)
			break
		}
		outputs[out.Name] = text
	}
	return outputs, e.err()
}
