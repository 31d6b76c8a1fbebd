package workflowfile

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// retry reads Pawl's own key: a number of attempts, or `{max-attempts, on, backoff}`. No other server reads it, so
// that, unlike elsewhere, a key that is not known must be a mistake.
func (p *parser) retry(n *node) *ci.Retry {
	if n == nil {
		return nil
	}
	r := &ci.Retry{OnFailure: true, OnTimeout: true, OnLost: true, Backoff: ci.DefaultRetryBackoff}
	switch {
	case n.kind == numberNode:
		r.MaxAttempts = p.attempts(n, "retry")
	case n.kind != mapNode:
		p.wrongKind(n, "retry", "a number or a mapping")
	case n.get("max-attempts") == nil:
		p.add(n.at, "`retry` must have `max-attempts`")
	default:
		p.onlyKeys(n, "retry", "max-attempts", "on", "backoff")
		r.MaxAttempts = p.attempts(n.get("max-attempts"), "retry.max-attempts")
		p.retryOn(r, n.get("on"))
		p.backoff(r, n.get("backoff"))
	}
	return r
}

func (p *parser) onlyKeys(n *node, what string, known ...string) {
	for _, k := range n.keys {
		if !slices.Contains(known, k.text) {
			p.add(k.at, "`%s` has no key %q; there are: %s", what, k.text, strings.Join(known, ", "))
		}
	}
}

func (p *parser) attempts(n *node, what string) int {
	return p.whole(n, what, 1, ci.MaxRetryAttempts)
}

// whole reads a whole number within bounds.
func (p *parser) whole(n *node, what string, least, most int) int {
	if n.kind != numberNode {
		p.wrongKind(n, what, "a whole number")
		return least
	}
	return p.checkWhole(n, what, n.num, least, most)
}

func (p *problems) checkWhole(n *node, what string, f float64, least, most int) int {
	if f != math.Trunc(f) || f < float64(least) || f > float64(most) || math.IsNaN(f) {
		p.add(n.at, "`%s` must be a whole number from %d to %d, not %s", what, least, most, expr.FormatNumber(f))
		return least
	}
	return int(f)
}

func (p *parser) retryOn(r *ci.Retry, n *node) {
	if n == nil {
		return
	}
	p.strings(n, "retry.on")
	r.OnFailure, r.OnTimeout, r.OnLost = false, false, false
	for _, item := range listed(n) {
		switch item.text {
		case "failure":
			r.OnFailure = true
		case "timeout":
			r.OnTimeout = true
		case "lost":
			r.OnLost = true
		default:
			p.add(item.at, "`retry.on` knows failure, timeout and lost, not %s", shown(item.text))
		}
	}
}

// backoff reads seconds, or a duration such as 30s or 5m.
func (p *parser) backoff(r *ci.Retry, n *node) {
	if n == nil {
		return
	}
	pause, ok := duration(n)
	switch {
	case !n.isScalar() || !ok:
		p.wrongKind(n, "retry.backoff", "a number of seconds or a duration such as 30s or 5m")
	case pause < 0 || pause > ci.MaxRetryPause:
		p.add(n.at, "`retry.backoff` must be from 0 to %d seconds, not %s", int(ci.MaxRetryPause.Seconds()), shown(n.text))
	default:
		r.Backoff = pause
	}
}

func duration(n *node) (time.Duration, bool) {
	if n.kind == numberNode {
		seconds := min(max(n.num, -1), ci.MaxRetryPause.Seconds()+1) // what is out of bounds stays so
		return time.Duration(seconds * float64(time.Second)), !math.IsNaN(n.num)
	}
	pause, err := time.ParseDuration(n.text)
	return pause, n.kind == stringNode && err == nil
}

// priority checks a job's `priority`, which may be an expression.
func (p *parser) priority(n *node) *node {
	n = p.evaluated(p.numberOrExpression(n, "priority"), "priority", cellScope)
	if n != nil && n.kind == numberNode {
		p.checkWhole(n, "priority", n.num, ci.MinPriority, ci.MaxPriority)
	}
	return n
}
