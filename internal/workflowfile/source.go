package workflowfile

import (
	"strings"
	"unicode/utf8"
)

// source is the text of the file, for positions inside of values.
type source struct {
	file  string
	lines []string
}

// maxColumns is how far to the right places are told exactly.
const maxColumns = 20_000

func newSource(file string, src []byte) *source {
	return &source{file: file, lines: strings.Split(string(src), "\n")}
}

// line returns a line of the file, counted from 1; empty if there is none.
func (s *source) line(n int) string {
	if n < 1 || n > len(s.lines) {
		return ""
	}
	return strings.TrimSuffix(s.lines[n-1], "\r")
}

// position returns where the byte at offset of a scalar's text is in the file. Escapes and folded lines
// make that hard to tell; then the place is searched for, and at worst it is where the value begins.
func (s *source) position(n *node, offset int) Position {
	offset = min(max(offset, 0), len(n.text))
	if n.style == block {
		if at, ok := s.inBlock(n, offset); ok {
			return at
		}
	} else if at, ok := s.inLine(n, offset); ok {
		return at
	}
	return s.search(n, offset)
}

// inLine is for values that stand on one line as they are.
func (s *source) inLine(n *node, offset int) (Position, bool) {
	column := n.at.Column + utf8.RuneCountInString(n.text[:offset])
	if n.style == quoted {
		column++
	}
	rest, ok := cutColumns(s.line(n.at.Line), column-1)
	return Position{n.at.Line, column}, ok && !strings.Contains(n.text, "\n") && strings.HasPrefix(rest, n.text[offset:])
}

// inBlock is for literal blocks (`|`), whose lines stand as they are below the indicator.
func (s *source) inBlock(n *node, offset int) (Position, bool) {
	before := n.text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	text, _, _ := strings.Cut(n.text[start:], "\n")
	line := n.at.Line + 1 + strings.Count(before, "\n")
	indent, ok := strings.CutSuffix(s.line(line), text)
	return Position{line, 1 + utf8.RuneCountInString(indent) + utf8.RuneCountInString(before[start:])}, ok && strings.TrimSpace(indent) == ""
}

// standsAt is position for a part of a scalar's text, but only if all lines of the part stand in the file as they are.
func (s *source) standsAt(n *node, offset int, part string) (Position, bool) {
	if n.style != block {
		return s.inLine(n, offset)
	}
	at, ok := s.inBlock(n, offset)
	for i, line := range strings.Split(part, "\n") {
		ok = ok && strings.Contains(s.line(at.Line+i), strings.TrimSpace(line))
	}
	return at, ok
}

// search looks for the word at offset, from the beginning of the value on.
func (s *source) search(n *node, offset int) Position {
	word := n.text[offset:]
	if end := strings.IndexAny(word, " \n'\""); end > 0 {
		word = word[:end]
	}
	if word == "" || strings.IndexAny(word, " \n'\"") == 0 {
		return n.at
	}
	const near = 50 // lines; farther away it would be another value's
	for line := n.at.Line; line < n.at.Line+near && line <= len(s.lines); line++ {
		text := s.line(line)
		from := 0
		if line == n.at.Line {
			from = len(text) - len(afterColumns(text, n.at.Column-1))
		}
		if at := strings.Index(text[from:], word); at >= 0 {
			return Position{line, 1 + utf8.RuneCountInString(text[:from+at])}
		}
	}
	return n.at
}

// cutColumns takes a number of characters off the front of a line; false if it is shorter. In a file of a single line
// nobody counts columns, and counting them for many values would take long.
func cutColumns(line string, columns int) (string, bool) {
	if columns > maxColumns {
		return "", false
	}
	for ; columns > 0; columns-- {
		if line == "" {
			return "", false
		}
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
	}
	return line, true
}

func afterColumns(line string, columns int) string {
	rest, _ := cutColumns(line, columns)
	return rest
}
