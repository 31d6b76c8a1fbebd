package expr

import (
	"strings"
)

// Template is a text with any number of `${{ … }}` in it.
type Template struct {
	parts []part
}

// part is either literal text or an expression, which begins at offset.
type part struct {
	text   string
	expr   *Expression
	offset int
}

// ParseTemplate reads a text. `}}` inside a quoted string does not end an expression. The error is an
// *Error whose offset counts from the start of the text.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{}
	for pos := 0; pos < len(text); {
		open := strings.Index(text[pos:], "${{")
		if open < 0 {
			t.literal(text[pos:])
			break
		}
		t.literal(text[pos : pos+open])
		start := pos + open + len("${{")
		e, length, err := parsePrefix(text[start:])
		if err != nil {
			return nil, shift(err, start)
		}
		if start+length == len(text) {
			return nil, errorAt(pos+open, "the expression that begins here has no closing }}")
		}
		t.parts = append(t.parts, part{expr: e, offset: start})
		pos = start + length + len("}}")
	}
	return t, nil
}

func (t *Template) literal(text string) {
	if text != "" {
		t.parts = append(t.parts, part{text: text})
	}
}

// HasExpression reports whether there is anything to evaluate.
func (t *Template) HasExpression() bool {
	for _, p := range t.parts {
		if p.expr != nil {
			return true
		}
	}
	return false
}

// single returns the only expression, if there is nothing around it but white space.
func (t *Template) single() *part {
	var found *part
	for i := range t.parts {
		p := &t.parts[i]
		if p.expr != nil && found != nil || p.expr == nil && strings.TrimSpace(p.text) != "" {
			return nil
		}
		if p.expr != nil {
			found = p
		}
	}
	return found
}

// Names returns every use of a context or function; the offsets count from the start of the text.
func (t *Template) Names() []Name {
	var all []Name
	for _, p := range t.parts {
		if p.expr == nil {
			continue
		}
		for _, n := range p.expr.names {
			n.Offset += p.offset
			all = append(all, n)
		}
	}
	return all
}

// Eval fills the template in. A single expression with nothing around it gives its value as it is; else
// the result is a string. The error is an *Error.
func (t *Template) Eval(env Env) (any, error) {
	if p := t.single(); p != nil {
		v, err := p.expr.Eval(env)
		return v, shift(err, p.offset)
	}
	return t.EvalString(env)
}

// EvalString fills the template in as text.
func (t *Template) EvalString(env Env) (string, error) {
	var out strings.Builder
	ev := newEvaluator(env)
	for _, p := range t.parts {
		text := p.text
		if p.expr != nil {
			v, err := ev.whole(p.expr)
			if err != nil {
				return "", shift(err, p.offset)
			}
			text = ToString(v)
		}
		if out.Len()+len(text) > MaxStringBytes {
			return "", errorAt(p.offset, "the result is longer than %d bytes", MaxStringBytes)
		}
		out.WriteString(text)
	}
	return out.String(), nil
}

// Interpolate reads a text and fills it in, as Template.Eval does.
func Interpolate(text string, env Env) (any, error) {
	t, err := ParseTemplate(text)
	if err != nil {
		return nil, err
	}
	return t.Eval(env)
}
