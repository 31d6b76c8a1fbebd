package expr

import "strings"

// Quote writes a text as a string of the language.
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

// ReplaceContext puts other expressions in the place of a context (its name is in lower case), wherever the `${{ }}`
// of a text use it. Strings and properties that happen to have the same name are left as they are. with is given each
// use and must return a value in the sense of the grammar, such as a call. The error is an *Error.
func ReplaceContext(text, context string, with func(Name) string) (string, error) {
	t, err := ParseTemplate(text)
	if err != nil {
		return "", err
	}
	return replaceNames(text, t.Names(), context, with), nil
}

// ReplaceContextInCondition does the same for the text of an `if`, where `${{ }}` may be left out.
func ReplaceContextInCondition(text, context string, with func(Name) string) (string, error) {
	c, err := ParseCondition(text)
	if err != nil {
		return "", err
	}
	return replaceNames(text, c.Names(), context, with), nil
}

func replaceNames(text string, names []Name, context string, with func(Name) string) string {
	var out strings.Builder
	done := 0
	for _, n := range names {
		if n.Call || n.Name != context {
			continue
		}
		out.WriteString(text[done:n.Offset])
		out.WriteString(with(n))
		done = n.Offset + len(context)
	}
	out.WriteString(text[done:])
	return out.String()
}
