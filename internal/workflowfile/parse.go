package workflowfile

import "github.com/pawl-ci/pawl/internal/ci"

// Parse reads a workflow file. The path is only used in messages and as the name of a workflow without
// one. The error is an *Error with every problem that was found.
//
// Keys that the server does not know are tolerated everywhere, and so are unknown events: they never fire.
func Parse(path string, src []byte) (*Workflow, error) {
	root, problem := readTree(path, src)
	if problem != nil {
		return nil, &Error{Problems: []Problem{*problem}}
	}
	p := &parser{problems: problems{file: path}, source: newSource(path, src)}
	w := p.workflow(path, root)
	if err := p.err(); err != nil {
		return nil, err
	}
	return w, nil
}

// parser checks one file and collects its problems. Its methods return something usable also when they
// report a problem, so that one fault does not hide the next.
type parser struct {
	problems
	source *source
}

func (p *parser) workflow(path string, root *node) *Workflow {
	if root.kind != mapNode {
		p.add(root.at, "a workflow file is a mapping with the keys `on` and `jobs`, not %s", root.kind)
		return nil
	}
	w := &Workflow{Path: path, Name: p.text(root.get("name"), "name"), source: p.source}
	w.On = p.triggers(root)
	w.runName = p.template(root.get("run-name"), "run-name", runScope)
	w.env = p.scalars(root.get("env"), "env")
	w.defaults = p.defaults(root.get("defaults"))
	w.permissions = p.permissions(root.get("permissions"))
	w.concurrency = p.concurrency(root.get("concurrency"), runScope)
	p.checkExpressions(w.env, "env")
	p.checkExpressions(w.defaults, "defaults")
	w.Jobs = p.jobs(root)
	return w
}

func (p *parser) jobs(root *node) []*Job {
	n := root.get("jobs")
	switch {
	case n == nil:
		p.add(root.at, "the workflow has no `jobs`")
		return nil
	case n.kind != mapNode:
		p.wrongKind(n, "jobs", "a mapping of jobs")
		return nil
	case len(n.keys) == 0:
		p.add(n.at, "the workflow has no jobs")
		return nil
	case len(n.keys) > ci.MaxJobsPerRun:
		p.add(n.at, "the workflow has %d jobs; the limit is %d", len(n.keys), ci.MaxJobsPerRun)
		return nil
	}
	var jobs []*Job
	for i, k := range n.keys {
		if j := p.job(k, n.items[i]); j != nil {
			jobs = append(jobs, j)
		}
	}
	p.checkNeeds(n)
	return jobs
}

// checkNeeds reports unknown needs and cycles at the entry of `needs` that is to blame.
func (p *parser) checkNeeds(jobs *node) {
	graph := make([]ci.KeyNeeds, len(jobs.keys))
	entries := map[[2]string]*node{}
	total := 0
	for i, k := range jobs.keys {
		graph[i].Key = k.text
		needs := listed(jobs.items[i].get("needs"))
		if total += len(needs); total > ci.MaxNeedsPerRun {
			p.add(k.at, "the needs of all jobs together have more than %d entries", ci.MaxNeedsPerRun)
			return
		}
		for _, need := range needs {
			graph[i].Needs = append(graph[i].Needs, need.text)
			entries[[2]string{k.text, need.text}] = need
		}
	}
	for _, wrong := range ci.CheckNeeds(graph) {
		p.add(entries[[2]string{wrong.Key, wrong.Need}].at, "%s", wrong.Message)
	}
}

// listed returns the scalars of a value that may be one or a list of them; anything else counts as none,
// because it was reported already.
func listed(n *node) []*node {
	if n == nil {
		return nil
	}
	if n.isScalar() {
		return []*node{n}
	}
	var list []*node
	if n.kind == listNode {
		for _, item := range n.items {
			if item.isScalar() {
				list = append(list, item)
			}
		}
	}
	return list
}
