package workflowfile

import (
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// concurrency is a `concurrency` of the file or of a job, as it is written (execution-semantics.md §6).
type concurrency struct{ group, cancelInProgress, queue *node }

const queueSingle, queueMax = "single", "max"

// concurrency reads a name, or `{group, cancel-in-progress, queue}`.
func (p *parser) concurrency(n *node, allowed scope) *concurrency {
	switch {
	case n == nil:
		return nil
	case n.isScalar():
		return p.checkedConcurrency(&concurrency{group: p.template(n, "concurrency", allowed)})
	case n.kind != mapNode:
		p.wrongKind(n, "concurrency", "the name of a group or a mapping")
		return nil
	case n.get("group") == nil:
		p.add(n.at, "`concurrency` must have a `group`")
		return nil
	}
	return p.checkedConcurrency(&concurrency{
		group: p.template(n.get("group"), "concurrency.group", allowed),
		cancelInProgress: p.evaluated(
			p.boolOrExpression(n.get("cancel-in-progress"), "concurrency.cancel-in-progress"), "concurrency.cancel-in-progress", allowed),
		queue: p.template(n.get("queue"), "concurrency.queue", allowed),
	})
}

// checkedConcurrency checks what is written out: no event is needed to see that it is wrong.
func (p *parser) checkedConcurrency(c *concurrency) *concurrency {
	if c.group != nil && !isExpression(c.group) {
		p.checkGroup(c.group, strings.TrimSpace(c.group.text))
	}
	if c.queue != nil && !isExpression(c.queue) {
		p.checkQueue(c.queue, c.queue.text)
	}
	if !isExpression(c.queue) && !isExpression(c.cancelInProgress) {
		p.checkBoth(c, textOf(c.queue), textOf(c.cancelInProgress))
	}
	return c
}

func (p *problems) checkGroup(n *node, group string) {
	if len(group) > ci.MaxGroupBytes {
		p.add(n.at, "the name of the `concurrency` group has %d bytes; the limit is %d", len(group), ci.MaxGroupBytes)
	}
}

func (p *problems) checkQueue(n *node, queue string) {
	if queue != queueSingle && queue != queueMax {
		p.add(n.at, "`concurrency.queue` must be single or max, not %s", shown(queue))
	}
}

// checkBoth: members that cancel each other have no queue to stand in.
func (p *problems) checkBoth(c *concurrency, queue, cancel string) {
	if queue == queueMax && cancel == "true" {
		p.add(c.queue.at, "`concurrency` cannot have both `queue: max` and `cancel-in-progress: true`")
	}
}

// concurrency evaluates; nil when there is none, or its group is empty.
func (e *evaluator) concurrency(c *concurrency, contexts expr.Contexts) *ci.Concurrency {
	if c == nil {
		return nil
	}
	group, _ := e.evalSingle(c.group, "concurrency.group", contexts)
	group = strings.TrimSpace(group)
	cancel, _ := e.evalText(c.cancelInProgress, contexts) // only true means true
	queue := e.queue(c.queue, contexts)
	if c.group != nil {
		e.checkGroup(c.group, group)
	}
	e.checkBoth(c, queue, cancel)
	if group == "" {
		return nil
	}
	return &ci.Concurrency{Group: group, CancelInProgress: cancel == "true", QueueAll: queue == queueMax}
}

func (e *evaluator) queue(n *node, contexts expr.Contexts) string {
	queue, ok := e.evalText(n, contexts)
	if queue == "" {
		return queueSingle
	}
	if ok {
		e.checkQueue(n, queue)
	}
	return queue
}

// JobConcurrency evaluates a job's `concurrency`; nil when it has none, or its group is empty. The error is an *Error.
func (w *Workflow) JobConcurrency(key string, c JobContext) (*ci.Concurrency, error) {
	j, err := w.job(key)
	if err != nil {
		return nil, err
	}
	e := w.evaluator(c.Budget)
	concurrency := e.concurrency(j.concurrency, c.contexts())
	return concurrency, e.err()
}

// HasConcurrency tells whether the file itself has a `concurrency`.
func (w *Workflow) HasConcurrency() bool { return w.concurrency != nil }

// CallConcurrency evaluates the `concurrency` of the file itself, for one that is called: with the inputs of the call, and
// none of what the caller knows besides. It is nil when the file has none, or its group is empty. The error is an *Error.
func (w *Workflow) CallConcurrency(c JobContext) (*ci.Concurrency, error) {
	e := w.evaluator(c.Budget)
	concurrency := e.concurrency(w.concurrency, baseContexts(c.GitHub, c.Inputs, c.Vars))
	return concurrency, e.err()
}
