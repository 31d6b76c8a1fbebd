package apiserver

import (
	"bytes"

	"github.com/pawl-ci/pawl/internal/logchunk"
)

// logBudget is how much of logs one answer may still carry.
type logBudget struct {
	lines int
	bytes int
}

// takes tells whether a line may be added, and counts it. The first line of an answer is always taken, so that whoever
// pages comes further.
func (b *logBudget) takes(line []byte, first bool) bool {
	if !first && (b.lines <= 0 || b.bytes < len(line)) {
		return false
	}
	b.lines--
	b.bytes -= len(line)
	return true
}

// logRow is a row of a log that was read.
type logRow = logEvent

// readRows reads rows from (included) to to (excluded) of a task's log, as many as the budget has room for. It reads no
// chunk that holds none of them. next is the row to go on with. Rows that were dropped because of the size limit are
// passed over.
func (c *call) readRows(task, from, to int64, b *logBudget) (rows []logRow, next int64, err error) {
	if b.lines <= 0 || b.bytes <= 0 || from >= to {
		return nil, from, nil
	}
	end := to
	to = min(to, from+int64(b.lines))
	row := from
	var text []byte
	for chunk, err := range c.server.DB.LogChunks(c.ctx(), task, from, to) {
		if err != nil {
			return nil, from, err
		}
		if text, err = c.server.codec.Text(text[:0], chunk.Data); err != nil {
			return nil, from, err
		}
		row = max(from, chunk.FirstRow)
		for line := range bytes.Lines(logchunk.Rows(text, row-chunk.FirstRow, to-row)) {
			if !b.takes(line, len(rows) == 0) {
				return rows, row, nil
			}
			rows = append(rows, rowOf(row, line))
			row++
		}
	}
	if row < to {
		return rows, end, nil // the rest was dropped
	}
	return rows, to, nil
}

// readStep reads lines of a step, beginning with line cursor of it. next is the cursor to go on with; where there is nothing
// to read, it is the one that was given.
func (c *call) readStep(task int64, s logStep, cursor int64, b *logBudget) (rows []logRow, next int64, err error) {
	next = cursor
	if cursor < s.length {
		if rows, next, err = c.readRows(task, s.first+cursor, s.end(), b); err != nil {
			return nil, cursor, err
		}
		next -= s.first
	}
	if s.added != "" && next == s.length && b.takes([]byte(s.added), false) {
		rows, next = append(rows, rowOf(s.end(), []byte(s.added))), next+1
	}
	return rows, next, nil
}

// rowOf takes a stored line apart.
func rowOf(row int64, line []byte) logRow {
	at, content, _ := bytes.Cut(bytes.TrimSuffix(line, []byte("\n")), []byte(" "))
	return logRow{Row: row, Time: string(at), Line: string(content)}
}
