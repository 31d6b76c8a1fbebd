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
	var out strings.Builder
	out.WriteString(`(?s)\A(?:`)
	depth := 0
	for rest := filter; rest != ""; {
		size := 1
		switch c := rest[0]; {
		case c == '\\' && len(rest) > 1:
			out.WriteString(regexp.QuoteMeta(rest[1:2]))
			size = 2
		case c == '*':
			out.WriteString(`.*`)
		case c == '?':
			out.WriteString(`.`)
		case c == '{':
			depth++
			out.WriteString(`(?:`)
		case c == '}' && depth > 0:
			depth--
			out.WriteString(`)`)
		case c == ',' && depth > 0:
			out.WriteString(`|`)
		case c == '[':
			set, length := charSet(rest)
			if length == 0 {
				return nil, errors.New("a [ is not closed")
			}
			out.WriteString(set)
			size = length
		default:
			out.WriteString(regexp.QuoteMeta(rest[:1]))
		}
		rest = rest[size:]
	}
	if depth > 0 {
		return nil, errors.New("a { is not closed")
	}
	out.WriteString(`)\z`)
	return regexp.Compile(out.String())
}

// charSet is the set that rest begins with as a regular expression, and its length; 0 when it does not end.
func charSet(rest string) (set string, length int) {
	end := strings.IndexByte(rest[1:], ']')
	if end <= 0 {
		return "", 0
	}
	inner, not := rest[1:1+end], ""
	if inner[0] == '!' || inner[0] == '^' {
		inner, not = inner[1:], "^"
	}
	return "[" + not + strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(inner) + "]", end + 2
}
