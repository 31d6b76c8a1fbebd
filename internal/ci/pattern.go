package ci

import (
	"errors"
	"regexp"
	"strings"
)

// pattern is one line of a filter, compiled. Go's regular expressions take time in proportion to pattern
// and input, so no pattern can blow up.
type pattern struct {
	negative bool
	match    *regexp.Regexp
}

// compilePatterns leaves out what does not compile: such a pattern matches nothing
// (execution-semantics.md §9.3).
func compilePatterns(lines []string) []pattern {
	compiled := make([]pattern, 0, len(lines))
	for _, line := range lines {
		if p, err := compilePattern(line); err == nil {
			compiled = append(compiled, p)
		}
	}
	return compiled
}

func compilePattern(line string) (pattern, error) {
	if len(line) > MaxPatternBytes {
		return pattern{}, errors.New("pattern is too long")
	}
	body, negative := strings.CutPrefix(line, "!")
	source, err := translate(body)
	if err != nil {
		return pattern{}, err
	}
	match, err := regexp.Compile(source)
	return pattern{negative: negative, match: match}, err
}

// included reports whether the last pattern that matches the input is a positive one.
func included(patterns []pattern, input string) bool {
	for i := len(patterns) - 1; i >= 0; i-- {
		if patterns[i].match.MatchString(input) {
			return !patterns[i].negative
		}
	}
	return false
}

// translate writes a pattern as a regular expression for the whole string.
func translate(body string) (string, error) {
	t := translator{rest: body}
	t.out.WriteString(`(?s)\A`)
	for t.rest != "" {
		if err := t.step(); err != nil {
			return "", err
		}
	}
	t.out.WriteString(`\z`)
	return t.out.String(), nil
}

type translator struct {
	rest string
	out  strings.Builder
	any  bool // something was written that `?` and `+` can repeat
}

// take moves past n bytes of input and writes the expression for them.
func (t *translator) take(n int, expression string) {
	t.rest = t.rest[n:]
	t.out.WriteString(expression)
	t.any = true
}

func (t *translator) step() error {
	switch {
	case strings.HasPrefix(t.rest, "**/"):
		t.take(3, `(?:.+/)?`)
	case strings.HasPrefix(t.rest, "**"):
		t.take(2, `.*`)
	case t.rest[0] == '*':
		t.take(1, `[^/]*`)
	case t.any && (t.rest[0] == '?' || t.rest[0] == '+'):
		t.take(1, t.rest[:1])
	case t.rest[0] == '[':
		return t.set()
	case t.rest[0] == '\\':
		return t.escape()
	default:
		first := firstRune(t.rest)
		t.take(len(first), regexp.QuoteMeta(first))
	}
	return nil
}

func (t *translator) escape() error {
	escaped := firstRune(t.rest[1:])
	if escaped == "" {
		return errors.New("nothing after \\")
	}
	t.take(1+len(escaped), regexp.QuoteMeta(escaped))
	return nil
}

// set translates `[a-z0-9_]`. Only ASCII letters, digits, and the signs between `A` and `z` may be inside.
func (t *translator) set() error {
	end := strings.IndexByte(t.rest, ']')
	if end < 0 {
		return errors.New("missing ] after [")
	}
	inside := t.rest[1:end]
	if !setBody.MatchString(inside) {
		return errors.New("a set holds letters, digits and ranges of them")
	}
	t.take(end+1, "["+strings.NewReplacer(`\`, `\\`, `[`, `\[`, `^`, `\^`).Replace(inside)+"]")
	return nil
}

var setBody = regexp.MustCompile("^(?:[0-9]-[0-9]|[A-z]-[A-z]|[0-9A-z])+$")

// firstRune returns the first character of s as it stands, also when it is not valid UTF-8.
func firstRune(s string) string {
	for i := range s {
		if i > 0 {
			return s[:i]
		}
	}
	return s
}
