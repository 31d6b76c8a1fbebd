package cli

import "github.com/pawl-ci/pawl/internal/client"

// color is an SGR parameter of ECMA-48; empty is the terminal's own.
type color string

const (
	red    color = "31"
	green  color = "32"
	yellow color = "33"
	blue   color = "34"
	gray   color = "90"
)

// state is the one word that says how a run, job or step stands: its conclusion, or its status while it has none.
func state(status, conclusion string) cell {
	word := conclusion
	if status != "completed" || word == "" {
		word = status
	}
	return cell{text: word, color: map[string]color{
		"success": green, "failure": red, "cancelled": gray, "skipped": gray,
		"in_progress": blue, "queued": yellow, "waiting": yellow,
	}[word]}
}

// mark is a sign for the state, for people.
func mark(status, conclusion string) cell {
	s := state(status, conclusion)
	sign, known := map[string]string{
		"success": "✓", "failure": "✗", "cancelled": "⊘", "skipped": "-", "in_progress": "●", "queued": "○", "waiting": "◌",
	}[s.text]
	if !known {
		sign = "?"
	}
	return cell{text: sign, color: s.color}
}

// why is the reason for the state of a run or job, if there is something to say.
func why(pending, reason string) string {
	if pending != "" {
		return pending
	}
	return reason
}

func runWhy(r client.Run) string { return why(r.PendingReason, r.Reason) }
func jobWhy(j client.Job) string { return why(j.PendingReason, j.Reason) }
