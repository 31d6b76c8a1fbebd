package workflowfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in the file: line and column from 1, the column in characters.
type Position struct{ Line, Column int }

// Problem is one fault of a file. Column is 1 where only the line is known.
type Problem struct {
	File         string
	Line, Column int
	Message      string
}

// String returns `file:line:column: message`.
func (p Problem) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Error is what all functions of this package return for a faulty file. It holds at least one and at most MaxProblems
// problems, in the order of the file.
type Error struct{ Problems []Problem }

// Error returns one line per problem.
func (e *Error) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.String()
	}
	return strings.Join(lines, "\n")
}

// problems collects faults, so that a user sees all of them at once.
type problems struct {
	file string
	list []Problem
}

// full reports whether further problems would be left out; then nothing need be done to find their places.
func (p *problems) full() bool { return len(p.list) >= MaxProblems }

func (p *problems) add(at Position, format string, args ...any) {
	if !p.full() {
		p.list = append(p.list, Problem{p.file, max(1, at.Line), max(1, at.Column), fmt.Sprintf(format, args...)})
	}
}

// err returns nil when nothing was found.
func (p *problems) err() error {
	if len(p.list) == 0 {
		return nil
	}
	slices.SortStableFunc(p.list, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{Problems: p.list}
}
