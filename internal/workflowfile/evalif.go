package workflowfile

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/internal/expr"
)

// EvalIf decides a job's `if` as PlannedJob carries it; at is its IfAt. A text without a status function means
// `success() && (…)`. An empty text means success().
//
// The error begins with the place of the fault. The same input gives the same error, so it must not be retried:
// the job fails (execution-semantics.md §4.2).
func EvalIf(raw, at string, c JobContext) (bool, error) {
	if raw == "" {
		return c.Facts.Success, nil
	}
	condition, err := expr.ParseCondition(raw)
	if err != nil {
		return false, ifError(raw, at, err)
	}
	facts := expr.Status{Success: c.Facts.Success, Failure: c.Facts.Failure, Cancelled: c.Facts.Cancelled}
	holds, err := condition.Eval(expr.Env{Context: c.contexts(), Status: &facts, Budget: c.Budget})
	if err != nil {
		return false, ifError(raw, at, err)
	}
	return holds, nil
}

// ifPlace writes where the text of an `if` begins that EvalIf will be given, so that it can count on from there.
// Column 1, where no such text can begin, says that the text does not stand in the file as it is: it is folded, or has
// escapes in it. Then only the line is known.
func (s *source) ifPlace(n *node, unwrapped string) string {
	begin := strings.Index(n.text, unwrapped)
	at, exact := s.standsAt(n, begin, unwrapped)
	if !exact {
		at = Position{n.at.Line, 1}
	}
	return fmt.Sprintf("%s:%d:%d", s.file, at.Line, at.Column)
}

func ifError(raw, at string, err error) error {
	fault, ok := err.(*expr.Error)
	if !ok {
		return fmt.Errorf("%s: %w", at, err)
	}
	file, begin, ok := splitPlace(at)
	if !ok { // a job that was planned before places were kept
		return fmt.Errorf("if: character %d: %w", fault.Offset+1, err)
	}
	p := problems{file: file}
	p.add(begin.plus(raw[:min(fault.Offset, len(raw))]), "%s", fault.Message)
	return p.err()
}

// plus returns the place behind a text that begins here. Below its first line only the line is known, as the text has
// lost its indentation.
func (p Position) plus(text string) Position {
	if p.Column <= 1 {
		return p
	}
	if lines := strings.Count(text, "\n"); lines > 0 {
		return Position{p.Line + lines, 1}
	}
	return Position{p.Line, p.Column + utf8.RuneCountInString(text)}
}

// splitPlace reads `file:line:column`.
func splitPlace(at string) (file string, p Position, ok bool) {
	rest, column, found := cutLast(at)
	file, line, alsoFound := cutLast(rest)
	p.Line, p.Column = line, column
	return file, p, found && alsoFound
}

func cutLast(text string) (before string, number int, ok bool) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return "", 0, false
	}
	number, err := strconv.Atoi(text[i+1:])
	return text[:i], number, err == nil
}
