package workflowfile

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// emitter writes nodes as YAML in block style. It writes far less than a general YAML library could, which
// makes it easy to see that what the runner reads is what was meant: a string is plain only if it is a
// harmless word, a literal block only if it stands for itself, and quoted with escapes otherwise.
type emitter struct{ out strings.Builder }

// mapping writes `key: value` lines, each behind indent spaces.
func (e *emitter) mapping(n *node, indent int) {
	for i, k := range n.keys {
		e.entry(k.text, n.items[i], indent)
	}
}

func (e *emitter) entry(key string, value *node, indent int) {
	e.pad(indent)
	e.out.WriteString(word(key))
	e.out.WriteByte(':')
	e.value(value, indent)
}

// value writes what stands behind `key:` or `-`, and ends the line.
func (e *emitter) value(n *node, indent int) {
	switch {
	case n.kind == listNode && len(n.items) > 0:
		e.out.WriteByte('\n')
		for _, item := range n.items {
			e.pad(indent + 2)
			e.out.WriteByte('-')
			e.value(item, indent+2)
		}
	case n.kind == mapNode && len(n.items) > 0:
		e.out.WriteByte('\n')
		e.mapping(n, indent+2)
	case n.kind == stringNode && standsForItself(n.text):
		e.block(n.text, indent+2)
	default:
		e.out.WriteByte(' ')
		e.out.WriteString(single(n))
		e.out.WriteByte('\n')
	}
}

func (e *emitter) pad(indent int) {
	for range indent {
		e.out.WriteByte(' ')
	}
}

// block writes a text of several lines as a literal block.
func (e *emitter) block(text string, indent int) {
	body, ends := strings.CutSuffix(text, "\n")
	if ends {
		e.out.WriteString(" |\n")
	} else {
		e.out.WriteString(" |-\n")
	}
	for line := range strings.SplitSeq(body, "\n") {
		if line != "" {
			e.pad(indent)
		}
		e.out.WriteString(line)
		e.out.WriteByte('\n')
	}
}

// single writes a value that fits on its line.
func single(n *node) string {
	switch n.kind {
	case nullNode:
		return "null"
	case boolNode, numberNode:
		return n.text
	case listNode:
		return "[]"
	case mapNode:
		return "{}"
	}
	return word(n.text)
}

// harmless is text that no YAML version reads as anything but the string that it is, once the reserved
// words are taken out.
var harmless = regexp.MustCompile(`^[A-Za-z_/][A-Za-z0-9_./@+-]*(?: [A-Za-z0-9_./@+-]+)*$`)

func word(text string) string {
	if len(text) < 200 && harmless.MatchString(text) && !reserved(text) {
		return text
	}
	return quote(text)
}

func reserved(text string) bool {
	switch strings.ToLower(text) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return true
	}
	return false
}

// quote writes a string in double quotes; everything that is not plainly printable is escaped.
func quote(text string) string {
	var out strings.Builder
	out.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			out.WriteByte('\\')
			out.WriteRune(r)
		case r == '\n':
			out.WriteString(`\n`)
		case r == '\t':
			out.WriteString(`\t`)
		case printable(r):
			out.WriteRune(r)
		case r <= 0xFFFF:
			fmt.Fprintf(&out, `\u%04X`, r)
		default:
			fmt.Fprintf(&out, `\U%08X`, r)
		}
	}
	out.WriteByte('"')
	return out.String()
}

// printable reports whether a character may stand in YAML as it is, on one line.
func printable(r rune) bool {
	switch {
	case r >= 0x20 && r < 0x7F, r >= 0xA0 && r < 0x2028, r > 0x2029 && r < 0xD800, r >= 0xE000 && r < 0xFEFF, r > 0xFEFF && r < 0xFFFD:
		return true
	}
	return r >= 0x1_0000
}

// standsForItself reports whether a literal block gives back exactly this text: several lines, the first of
// them neither empty nor indented, at most one line end behind the last one, and nothing to escape.
func standsForItself(text string) bool {
	body := strings.TrimSuffix(text, "\n")
	if !strings.Contains(text, "\n") || body == "" || !utf8.ValidString(text) {
		return false
	}
	for i, line := range strings.Split(body, "\n") {
		blank := strings.Trim(line, " ") == ""
		if line != "" && blank || i == 0 && (blank || line[0] == ' ') {
			return false
		}
	}
	if strings.HasSuffix(body, "\n") {
		return false
	}
	return strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !printable(r) }) < 0
}
