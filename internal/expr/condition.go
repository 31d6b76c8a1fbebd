package expr

import "strings"

// Condition is the text of an `if`: an expression, with or without `${{ }}` around it.
type Condition struct {
	bare     *Expression
	template *Template
}

// ParseCondition reads the text of an `if`. Text around a `${{ }}` makes the whole a string, which is true
// unless it is empty, as on GitHub. The error is an *Error.
func ParseCondition(text string) (*Condition, error) {
	if !strings.Contains(text, "${{") {
		e, err := Parse(text)
		return &Condition{bare: e}, err
	}
	t, err := ParseTemplate(text)
	return &Condition{template: t}, err
}

// Names returns every use of a context or function.
func (c *Condition) Names() []Name {
	if c.bare != nil {
		return c.bare.names
	}
	return c.template.Names()
}

// UsesStatusFunction reports whether the condition decides itself what a failed or skipped need means.
func (c *Condition) UsesStatusFunction() bool {
	for _, n := range c.Names() {
		if n.Call && isStatusFunction(n.Name) {
			return true
		}
	}
	return false
}

// Eval reports whether the condition holds. Without a status function it means `success() && (…)`: then
// nothing is evaluated unless success() is true. env.Status must be given.
func (c *Condition) Eval(env Env) (bool, error) {
	if env.Status != nil && !env.Status.Success && !c.UsesStatusFunction() {
		return false, nil
	}
	v, err := c.value(env)
	return err == nil && Truthy(v), err
}

func (c *Condition) value(env Env) (any, error) {
	if c.bare != nil {
		return c.bare.Eval(env)
	}
	return c.template.Eval(env)
}

// Unwrap takes the `${{ }}` off a text that is one expression and nothing else; any other text is returned
// as it is, without the white space around it.
func Unwrap(text string) string {
	text = strings.TrimSpace(text)
	inner, opened := strings.CutPrefix(text, "${{")
	if !opened {
		return text
	}
	if _, length, err := parsePrefix(inner); err == nil && inner[length:] == "}}" {
		return strings.TrimSpace(inner[:length])
	}
	return text
}
