package expr

import (
	"fmt"
	"math"
	"strings"
)

// function is one entry of the table of functions.
type function struct {
	least, most int // number of arguments
	run         func(ev *evaluator, offset int, args []any) (any, error)
}

// arity says how many arguments a function takes, for an error message.
func (f *function) arity() string {
	switch {
	case f.least == f.most && f.least == 1:
		return "1 argument"
	case f.least == f.most:
		return fmt.Sprintf("%d arguments", f.least)
	case f.most == math.MaxInt:
		return fmt.Sprintf("at least %d", f.least)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}

// functions are all functions of the language, by lower-case name.
var functions = map[string]*function{
	"contains":   {2, 2, contains},
	"startswith": {2, 2, startsWith},
	"endswith":   {2, 2, endsWith},
	"format":     {1, math.MaxInt, format},
	"join":       {1, 2, join},
	"tojson":     {1, 1, toJSON},
	"fromjson":   {1, 1, fromJSON},
	"hashfiles":  {1, math.MaxInt, hashFiles},
	"always":     {0, 0, status("always", func(Status) bool { return true })},
	"success":    {0, 0, status("success", func(s Status) bool { return s.Success })},
	"failure":    {0, 0, status("failure", func(s Status) bool { return s.Failure })},
	"cancelled":  {0, 0, status("cancelled", func(s Status) bool { return s.Cancelled })},
}

func status(name string, fact func(Status) bool) func(*evaluator, int, []any) (any, error) {
	return func(ev *evaluator, offset int, _ []any) (any, error) {
		if ev.env.Status == nil {
			return nil, errorAt(offset, "%s() is only available in an `if`", name)
		}
		return fact(*ev.env.Status), nil
	}
}

// hashFiles needs the files of the job, which only its runner has.
func hashFiles(_ *evaluator, offset int, _ []any) (any, error) {
	return nil, errorAt(offset, "hashFiles() is not available here: it works on the runner only")
}

// contains looks for an element of a list, or for a part of a text.
func contains(ev *evaluator, offset int, args []any) (any, error) {
	if list, ok := listOf(args[0]); ok {
		for _, element := range list {
			element = normal(element)
			if err := ev.spend(offset, 1+stringLen(element)); err != nil {
				return nil, err
			}
			if looselyEqual(element, args[1]) {
				return true, nil
			}
		}
		return false, nil
	}
	return onText(ev, offset, args, foldedContains)
}

func startsWith(ev *evaluator, offset int, args []any) (any, error) {
	return onText(ev, offset, args, func(text, part string) bool {
		return strings.HasPrefix(strings.ToLower(text), strings.ToLower(part))
	})
}

func endsWith(ev *evaluator, offset int, args []any) (any, error) {
	return onText(ev, offset, args, func(text, part string) bool {
		return strings.HasSuffix(strings.ToLower(text), strings.ToLower(part))
	})
}

// onText compares two values as text; lists and objects have no text, so the answer for them is false.
func onText(ev *evaluator, offset int, args []any, holds func(text, part string) bool) (any, error) {
	if isCollection(args[0]) || isCollection(args[1]) {
		return false, nil
	}
	text, part := ToString(args[0]), ToString(args[1])
	if err := ev.spend(offset, len(text)+len(part)); err != nil {
		return nil, err
	}
	return holds(text, part), nil
}

func listOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case filtered:
		return v, true
	}
	return nil, false
}

// join puts the elements of a list into one text, with a comma or the given separator between them.
func join(ev *evaluator, offset int, args []any) (any, error) {
	separator := ","
	if len(args) == 2 {
		separator = ToString(args[1])
	}
	list, ok := listOf(args[0])
	if !ok {
		return ev.text(offset, ToString(args[0]))
	}
	var out strings.Builder
	for i, element := range list {
		if i > 0 {
			out.WriteString(separator)
		}
		out.WriteString(ToString(element))
		if out.Len() > MaxStringBytes {
			break
		}
	}
	return ev.text(offset, out.String())
}

// format fills `{0}`, `{1}` …; `{{` and `}}` stand for single braces.
func format(ev *evaluator, offset int, args []any) (any, error) {
	var out strings.Builder
	for rest := ToString(args[0]); rest != ""; {
		next := strings.IndexAny(rest, "{}")
		if next < 0 {
			next = len(rest)
		}
		out.WriteString(rest[:next])
		rest = rest[next:]
		if rest == "" || out.Len() > MaxStringBytes {
			break
		}
		text, used, err := placeholder(offset, rest, args[1:])
		if err != nil {
			return nil, err
		}
		out.WriteString(text)
		rest = rest[used:]
	}
	return ev.text(offset, out.String())
}

// placeholder reads what begins with a brace, and returns its text and how much of rest it takes.
func placeholder(offset int, rest string, args []any) (text string, used int, err error) {
	if strings.HasPrefix(rest, "{{") || strings.HasPrefix(rest, "}}") {
		return rest[:1], 2, nil
	}
	end := strings.IndexByte(rest, '}')
	if end < 2 {
		return "", 0, errorAt(offset, "the format string has a '%c' without its partner", rest[0])
	}
	n, ok := smallNumber(rest[1:end])
	if !ok {
		return "", 0, errorAt(offset, "the format string has '%s', which is no number", rest[1:end])
	}
	if n >= len(args) {
		return "", 0, errorAt(offset, "the format string asks for {%d}, but there are %d values", n, len(args))
	}
	return ToString(args[n]), end + 1, nil
}

func smallNumber(digits string) (n int, ok bool) {
	for _, c := range []byte(digits) {
		if !isDigit(c) || n > MaxNodes {
			return 0, false
		}
		n = 10*n + int(c-'0')
	}
	return n, true
}
