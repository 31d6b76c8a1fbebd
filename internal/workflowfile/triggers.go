package workflowfile

import "github.com/pawl-ci/pawl/internal/ci"

// triggers reads `on` in its three forms: one event, a list of events, a mapping with their filters.
func (p *parser) triggers(root *node) Triggers {
	n := root.get("on")
	t := Triggers{node: newMap()}
	switch {
	case n == nil:
		p.add(root.at, "the workflow has no `on`: no event starts it")
	case n.kind == mapNode:
		for i, k := range n.keys {
			p.event(&t, k, n.items[i])
		}
	case n.kind == listNode:
		for _, item := range n.items {
			p.namedEvent(&t, item)
		}
	default:
		p.namedEvent(&t, n)
	}
	if n != nil && len(t.Events) == 0 && len(p.problems.list) == 0 {
		p.add(n.at, "`on` names no event: nothing starts the workflow")
	}
	return t
}

func (p *parser) namedEvent(t *Triggers, n *node) {
	if n.kind != stringNode {
		p.wrongKind(n, "on", "the name of an event, a list of names, or a mapping")
		return
	}
	if !t.Has(n.text) {
		p.event(t, n, &node{kind: nullNode, at: n.at})
	}
}

// event reads one event. Filters stand under the same names for every event that has them.
func (p *parser) event(t *Triggers, name, n *node) {
	e := Event{Position: name.at, Name: name.text}
	switch {
	case name.text == "schedule":
		e.Schedules = p.schedules(name, n)
	case n.kind == mapNode:
		p.filters(&e, n)
	case n.kind != nullNode:
		p.wrongKind(n, "on."+name.text, "a mapping")
	}
	body := n
	switch name.text {
	case "push":
		t.Push = &PushTrigger{Position: name.at, Filter: e.Filter}
	case "workflow_dispatch":
		t.Dispatch = &DispatchTrigger{Position: name.at, Inputs: p.inputs(n)}
		body = dispatchNode(t.Dispatch.Inputs)
	case "workflow_call":
		t.Call, body = p.callTrigger(name, n)
	}
	t.Events = append(t.Events, e)
	t.node.set(name.text, body)
}

func (p *parser) filters(e *Event, n *node) {
	list := func(key string) []string { return p.strings(n.get(key), "on."+e.Name+"."+key) }
	e.Types = list("types")
	e.Workflows = list("workflows")
	e.Filter = ci.PushFilter{
		Branches: list("branches"), BranchesIgnore: list("branches-ignore"),
		Tags: list("tags"), TagsIgnore: list("tags-ignore"),
		Paths: list("paths"), PathsIgnore: list("paths-ignore"),
	}
}

func (p *parser) schedules(name, n *node) []Schedule {
	if n.kind != listNode {
		p.add(n.at, "`on.schedule` must be a list of `- cron: …`, not %s", n.kind)
		return nil
	}
	var list []Schedule
	for _, item := range n.items {
		cron := item.get("cron")
		if item.kind != mapNode || cron == nil {
			p.add(item.at, "an entry of `on.schedule` must have `cron`")
			continue
		}
		list = append(list, Schedule{
			Position: cron.at, Cron: p.text(cron, "on.schedule.cron"), Timezone: p.text(item.get("timezone"), "on.schedule.timezone"),
		})
	}
	return list
}
