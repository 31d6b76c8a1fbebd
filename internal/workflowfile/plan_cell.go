package workflowfile

import (
	"math"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// cellPlan evaluates the keys of a job for one cell.
type cellPlan struct {
	*planner
	job      *Job
	contexts expr.Contexts
	failed   bool
}

func (c *cellPlan) fail(at Position, format string, args ...any) {
	c.failed = true
	c.add(at, format, args...)
}

// name follows execution-semantics.md §5: `<job> (v1, v2)`, but the evaluated name alone when it has an
// expression. An empty name counts as none.
func (c *cellPlan) name(cell *expr.Object) string {
	name, ok := c.evalText(c.job.name, c.contexts)
	c.failed = c.failed || !ok
	evaluated := isExpression(c.job.name) && strings.TrimSpace(name) != ""
	if strings.TrimSpace(name) == "" {
		name = c.job.Key
	}
	if cell != nil && !evaluated {
		name += " " + cellName(cell)
	}
	return shortName(name)
}

// runsOn evaluates the labels. A group counts as one more label (runner-protocol.md §4). No `runs-on`, or an
// empty one, is an empty list, which every runner matches (§3); but when an expression gave nothing, any
// runner is surely not what was meant.
func (c *cellPlan) runsOn() []string {
	n := c.job.runsOn
	if n == nil {
		return nil
	}
	labels := c.labels(n)
	if n.kind == mapNode {
		labels = append(c.labels(n.get("labels")), c.labels(n.get("group"))...)
	}
	switch {
	case c.failed, len(labels) == 0 && !hasExpression(n):
	case len(labels) == 0:
		c.fail(n.at, "`runs-on` gives no label")
	case len(labels) > MaxLabels:
		c.fail(n.at, "`runs-on` gives %d labels; the limit is %d", len(labels), MaxLabels)
	case len(strings.Join(labels, "")) > MaxLabelsBytes:
		c.fail(n.at, "the labels of `runs-on` have more than %d bytes together", MaxLabelsBytes)
	}
	return unique(labels)
}

// labels evaluates one label or a list of them, where an expression may give a list. Empty ones are left
// out.
func (c *cellPlan) labels(n *node) []string {
	var out []string
	for _, item := range listed(n) {
		v, ok := c.eval(item, c.contexts)
		c.failed = c.failed || !ok
		list, isList := v.([]any)
		if !isList {
			list = []any{v}
		}
		for _, label := range list {
			out = append(out, c.label(item, label)...)
		}
	}
	return out
}

func (c *cellPlan) label(n *node, v any) []string {
	switch v.(type) {
	case []any, *expr.Object, map[string]any:
		c.fail(n.at, "a label of `runs-on` must be a single value")
		return nil
	}
	text := strings.TrimSpace(clean(expr.ToString(v)))
	if len(text) > MaxLabelBytes {
		c.fail(n.at, "a label of `runs-on` is longer than %d bytes", MaxLabelBytes)
	}
	if text == "" {
		return nil
	}
	return []string{text}
}

func (c *cellPlan) continueOnError() bool {
	before := len(c.list)
	v := c.evalBool(c.job.continueOnError, "continue-on-error", false, c.contexts)
	c.failed = c.failed || len(c.list) > before
	return v
}

// timeout evaluates `timeout-minutes`; a part of a minute counts as a whole one.
func (c *cellPlan) timeout() int {
	n := c.job.timeout
	if n == nil {
		return ci.DefaultTimeoutMinutes
	}
	minutes, ok := c.evalNumber(n, "timeout-minutes", c.contexts)
	if !ok || !(minutes > 0) {
		if ok {
			c.add(n.at, "`timeout-minutes` must be above 0, not %s", expr.FormatNumber(minutes))
		}
		c.failed = true
		return ci.DefaultTimeoutMinutes
	}
	return int(math.Ceil(math.Min(minutes, ci.MaxTimeoutMinutes)))
}

// priority evaluates `priority`.
func (c *cellPlan) priority() int {
	n := c.job.priority
	if n == nil {
		return c.ctx.Priority
	}
	before := len(c.list)
	f, ok := c.evalNumber(n, "priority", c.contexts)
	if ok {
		f = float64(c.checkWhole(n, "priority", f, ci.MinPriority, ci.MaxPriority))
	}
	c.failed = c.failed || !ok || len(c.list) > before
	return int(f)
}

func (c *cellPlan) setMatrix(planned *PlannedJob, cell *expr.Object) {
	if cell == nil {
		return
	}
	text, err := expr.MarshalJSON(cell)
	if err != nil {
		c.fail(c.job.strategy.place("matrix"), "the matrix: %s", err)
		return
	}
	planned.Matrix, _ = expr.Native(cell).(map[string]any)
	planned.MatrixJSON = string(text)
}
