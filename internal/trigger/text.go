package trigger

import (
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/planrow"
)

// shorten cuts a title or name to the length that is stored, and removes what Postgres cannot hold.
func shorten(s string) string {
	s = planrow.Text(s)
	if runes := []rune(s); len(runes) > ci.MaxNameRunes {
		return string(runes[:ci.MaxNameRunes])
	}
	return s
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
