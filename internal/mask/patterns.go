package mask

import (
	"encoding/base64"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
)

const (
	// minPattern is the shortest text that is hidden, as in the official runner: a secret of one character would hide nearly
	// everything, and say what it is.
	minPattern = 2
	// minEncoded is the shortest secret of which other forms are hidden.
	minEncoded = 4
)

// Forms are the forms of a secret that are hidden: its lines, as in the official runner, and the whole in the forms in
// which GitHub's looks for it.
func Forms(value string) []string {
	var forms []string
	for line := range strings.SplitSeq(value, "\n") {
		forms = append(forms, strings.TrimSpace(line))
	}
	if whole := strings.TrimSpace(value); len(whole) >= minEncoded {
		forms = append(forms, encodings(whole)...)
		forms = append(forms, base64Forms(value)...)
	}
	slices.Sort(forms)
	return slices.DeleteFunc(slices.Compact(forms), func(form string) bool { return len(form) < minPattern })
}

var (
	commandEscape    = strings.NewReplacer(`"`, `\"`)
	expressionEscape = strings.NewReplacer(`'`, `''`)
)

// encodings are the forms that a secret takes in URLs, JSON, XML, expressions and command lines.
func encodings(v string) []string {
	quoted, _ := json.Marshal(v) // a string never fails
	return []string{
		url.PathEscape(v), url.QueryEscape(v), string(quoted[1 : len(quoted)-1]), plainJSON(v), html.EscapeString(v),
		commandEscape.Replace(v), expressionEscape.Replace(v), strings.Trim(v, `"`),
	}
}

// plainJSON is JSON that leaves <, > and & as they are.
func plainJSON(v string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // a string never fails
	return strings.Trim(strings.TrimSuffix(b.String(), "\n"), `"`)
}

// base64Forms are what base64 makes of a secret, wherever in the encoded text it stands: the characters that depend on
// nothing but the secret, and with the last one where the text ends with it.
func base64Forms(v string) []string {
	var forms []string
	for _, encoding := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
		for before := range 3 {
			text := encoding.EncodeToString(append(make([]byte, before), v...))
			begin, end := (before*8+5)/6, (before+len(v))*8/6
			forms = append(forms, text[begin:end], text[begin:])
		}
	}
	return forms
}
