package workflowfile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/internal/ci"
)

// InputError says which input of a dispatch is wrong. Input is empty when it is about all of them.
type InputError struct{ Input, Message string }

// Error names the input.
func (e *InputError) Error() string {
	if e.Input == "" {
		return e.Message
	}
	return fmt.Sprintf("input %q %s", e.Input, e.Message)
}

// ResolveInputs checks the inputs of a dispatch against the declared ones and fills in the defaults
// (execution-semantics.md §9.5, GH). values are typed for expressions: a boolean is a bool (false when
// nothing is given), a number a float64 (null when nothing is given), the rest strings. texts are the same
// as the event carries them. Inputs that the file does not declare are dropped (rest-api.md §5.1).
//
// The error is an *InputError: too many or too long inputs, a required one missing, a value that does not
// fit its type or is not among the options.
func (w *Workflow) ResolveInputs(given map[string]string) (values map[string]any, texts map[string]string, err error) {
	if err := CheckInputSize(given); err != nil {
		return nil, nil, err
	}
	values, texts = map[string]any{}, map[string]string{}
	if w.On.Dispatch == nil {
		return values, texts, nil
	}
	for _, in := range w.On.Dispatch.Inputs {
		text, err := in.resolve(given)
		if err != nil {
			return nil, nil, err
		}
		values[in.Name], texts[in.Name] = in.typed(text), text
	}
	return values, texts, nil
}

// CheckInputSize returns an *InputError for too many or too long inputs, whatever the file declares (ci.MaxInputs,
// ci.MaxInputChars).
func CheckInputSize(given map[string]string) error {
	if len(given) > ci.MaxInputs {
		return &InputError{Message: fmt.Sprintf("there are %d inputs; the limit is %d", len(given), ci.MaxInputs)}
	}
	chars := 0
	for _, v := range given {
		chars += utf8.RuneCountInString(v)
	}
	if chars > ci.MaxInputChars {
		return &InputError{Message: fmt.Sprintf("the inputs have %d characters; the limit is %d", chars, ci.MaxInputChars)}
	}
	return nil
}

// resolve returns the text of one input.
func (in Input) resolve(given map[string]string) (string, error) {
	text, there := in.find(given)
	if !there {
		text = in.Default
	}
	switch {
	case text == "" && in.Required:
		return "", &InputError{in.Name, "is required"}
	case text == "" && in.Type == "boolean":
		return "false", nil
	case text == "":
		return "", nil
	}
	if fault := in.check(text); fault != "" {
		return "", &InputError{in.Name, fault}
	}
	return text, nil
}

// find looks an input up by its name; upper and lower case do not matter if there is no exact match.
func (in Input) find(given map[string]string) (string, bool) {
	if text, ok := given[in.Name]; ok {
		return text, true
	}
	var same []string
	for name := range given {
		if strings.EqualFold(name, in.Name) {
			same = append(same, name)
		}
	}
	if len(same) == 0 {
		return "", false
	}
	return given[slices.Min(same)], true
}

// check returns what is wrong with a text for this input, or nothing.
func (in Input) check(text string) string {
	switch in.Type {
	case "boolean":
		if text != "true" && text != "false" {
			return fmt.Sprintf("must be true or false, not %q", text)
		}
	case "number":
		if f, err := strconv.ParseFloat(text, 64); err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprintf("must be a number, not %q", text)
		}
	case "choice":
		if len(in.Options) > 0 && !slices.Contains(in.Options, text) {
			return fmt.Sprintf("must be one of %s, not %q", strings.Join(in.Options, ", "), text)
		}
	}
	return ""
}

// typed turns a text that was checked into the value that expressions see.
func (in Input) typed(text string) any {
	switch in.Type {
	case "boolean":
		return text == "true"
	case "number":
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil // nothing was given
		}
		return f
	}
	return text
}
