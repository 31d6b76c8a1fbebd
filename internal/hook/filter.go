package hook

import (
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// The events that are sent. Others may be asked for, and never come.
const (
	EventRun  = "workflow_run"
	EventJob  = "workflow_job"
	EventPing = "ping" // of a test
)

// maxFilter bounds a branch filter, in bytes.
const maxFilter = 1024

// messageOf is the event and the action of a change of status (rest-api.md §11). ok is false when nobody is told: a run
// is requested once in each attempt, and a job that was passed through from an earlier attempt ends there and not again.
func messageOf(e db.StatusEvent) (event, action string, ok bool) {
	status, _ := e.Status.API()
	if e.JobID != 0 {
		return EventJob, status, !e.First || !e.Status.Terminal()
	}
	switch {
	case e.Status.Terminal():
		return EventRun, "completed", true
	case e.Status == ci.StatusRunning:
		return EventRun, "in_progress", true
	default:
		return EventRun, "requested", e.First
	}
}

// wants tells whether a hook asked for an event. The words of Gitea that stand for several events are none of ours.
func wants(h *db.Hook, event string) bool {
	return slices.Contains(h.Events, event) || slices.Contains(h.Events, "*")
}

// CheckBranchFilter refuses a filter that is no pattern.
func CheckBranchFilter(filter string) error {
	_, err := compileFilter(filter)
	return err
}

// onBranch tells whether the filter of a hook lets a run pass. Tags and pull requests are no branches and always pass, as
// in Gitea.
func onBranch(h *db.Hook, ref string) bool {
	branch, kind := ci.ShortRef(ref)
	if h.BranchFilter == "" || h.BranchFilter == "*" || kind != "branch" {
		return true
	}
	filter, err := compileFilter(h.BranchFilter)
	return err == nil && filter.MatchString(branch)
}

// compileFilter reads a glob as Gitea does: * and ** are any text, ? is a character, [a-z] a set, {a,b} a choice.
func compileFilter(filter string) (*regexp.Regexp, error) {
	if len(filter) > maxFilter {
		return nil, errors.New("it is too long")
	}
	g := glob{rest: filter}
	g.out.WriteString(`(?s)\A(?:`)
	for g.rest != "" {
		if err := g.step(); err != nil {
			return nil, err
		}
	}
	if g.depth > 0 {
		return nil, errors.New("a { is not closed")
	}
	g.out.WriteString(`)\z`)
	return regexp.Compile(g.out.String())
}

// glob is a pattern that is being written as a regular expression.
type glob struct {
	rest  string
	depth int // of choices
	out   strings.Builder
}

// take writes an expression for the next n bytes.
func (g *glob) take(n int, expression string) {
	g.out.WriteString(expression)
	g.rest = g.rest[n:]
}

func (g *glob) step() error {
	switch c := g.rest[0]; {
	case c == '\\' && len(g.rest) > 1:
		g.take(2, regexp.QuoteMeta(g.rest[1:2]))
	case c == '*':
		g.take(1, `.*`)
	case c == '?':
		g.take(1, `.`)
	case c == '[':
		return g.set()
	case c == '{':
		g.depth++
		g.take(1, `(?:`)
	case c == '}' && g.depth > 0:
		g.depth--
		g.take(1, `)`)
	case c == ',' && g.depth > 0:
		g.take(1, `|`)
	default:
		g.take(1, regexp.QuoteMeta(g.rest[:1]))
	}
	return nil
}

// set takes characters in brackets; ! or ^ at their beginning means all others.
func (g *glob) set() error {
	end := strings.IndexByte(g.rest[1:], ']')
	if end <= 0 {
		return errors.New("a [ is not closed")
	}
	inner, not := g.rest[1:1+end], ""
	if inner[0] == '!' || inner[0] == '^' {
		inner, not = inner[1:], "^"
	}
	g.take(end+2, "["+not+strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(inner)+"]")
	return nil
}
