package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// printer writes results to a terminal or a file.
type printer struct{ *Terminal }

// json prints a value with indentation.
func (p printer) json(value any) error {
	encoder := json.NewEncoder(p.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// say prints one line.
func (p printer) say(format string, args ...any) { fmt.Fprintf(p.Out, format+"\n", args...) }

// cell is a piece of text with the colour that it has on a terminal.
type cell struct {
	text  string
	color color
}

func plain(text string) cell { return cell{text: clean(text)} }

// clean takes control characters out of what others have named, so that a title cannot move the cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || (r >= 0x80 && r < 0xa0) {
			return -1
		}
		return r
	}, text)
}

func (p printer) paint(c cell) string {
	if !p.Rich || c.color == "" || c.text == "" {
		return c.text
	}
	return "\x1b[" + string(c.color) + "m" + c.text + "\x1b[0m"
}

// table collects rows and prints them in columns.
type table struct {
	printer
	rows [][]cell
}

func (p printer) table(titles ...string) *table {
	head := make([]cell, len(titles))
	for i, title := range titles {
		head[i] = cell{text: title, color: gray}
	}
	return &table{printer: p, rows: [][]cell{head}}
}

func (t *table) row(cells ...cell) { t.rows = append(t.rows, cells) }

func (t *table) print() error {
	_, err := fmt.Fprint(t.Out, strings.Join(t.lines(), "\n")+"\n")
	return err
}

// lines are the rows with columns two spaces apart; the last column is not filled up.
func (t *table) lines() []string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, c := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	lines := make([]string, len(t.rows))
	for n, row := range t.rows {
		var line strings.Builder
		for i, c := range row {
			line.WriteString(t.paint(c))
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text)+2))
			}
		}
		lines[n] = strings.TrimRight(line.String(), " ")
	}
	return lines
}

// age is how long ago something was, for people; programs get the time itself.
func (p printer) age(at, now time.Time) cell {
	if !happened(at) {
		return cell{}
	}
	if p.Width == 0 {
		return plain(at.UTC().Format(time.RFC3339))
	}
	return cell{text: roughly(now.Sub(at)) + " ago", color: gray}
}

// happened tells real times from those that stand for none (rest-api.md §1.7).
func happened(at time.Time) bool { return at.Unix() > 0 }

func roughly(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}

// took is the time from start to end, or until now.
func took(start, end, now time.Time) string {
	if !happened(start) {
		return ""
	}
	if !happened(end) {
		end = now
	}
	return max(end.Sub(start), 0).Round(time.Second).String()
}
