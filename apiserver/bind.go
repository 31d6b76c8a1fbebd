package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

// bind reads a JSON body into target, a pointer to a struct. Unknown fields are ignored and no body is {}. Faults:
// 413 for one that is too large, 400 for one that does not arrive, 422 for one that does not fit (rest-api.md §1.5).
func (c *call) bind(target any) error {
	body, err := c.body()
	if err != nil || len(bytes.TrimSpace(body)) == 0 {
		return err
	}
	if err := json.Unmarshal(body, target); err != nil {
		return bindingFault(err)
	}
	return checkStrings(body)
}

// body reads the whole body within its limits of size and time.
func (c *call) body() ([]byte, error) {
	control := http.NewResponseController(c.w)
	// Not every writer has deadlines (tests), and without one the time limits of the server in front hold.
	_ = control.SetReadDeadline(time.Now().Add(c.server.BodyTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, c.server.MaxBodyBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		// After a failure the deadline stays, because net/http waits for the rest of the body before it answers.
		_ = control.SetReadDeadline(time.Time{})
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fault.Wrap(fault.CodeBadRequest, err, "the body did not arrive in time")
	default:
		return nil, fault.Wrap(fault.CodeBadRequest, err, "the body could not be read")
	}
}

// bindingFault says which field does not fit, or where the text is no JSON.
func bindingFault(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		value, _, _ := strings.Cut(kind.Value, " ") // of a number its digits follow
		return fault.Unprocessable("[%s]: %s does not fit here", fieldName(kind.Field), withArticle(value))
	}
	return fault.Unprocessable("[]: %s", err.Error())
}

func withArticle(word string) string {
	if strings.ContainsAny(word[:min(1, len(word))], "aeiou") {
		return "an " + word
	}
	return "a " + word
}

// fieldName is the name of a field as messages have it: default_branch is DefaultBranch.
func fieldName(key string) string {
	var name strings.Builder
	for word := range strings.SplitSeq(key, "_") {
		if word != "" {
			name.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return name.String()
}

// checkStrings refuses a NUL in any string, which JSON can write and Postgres cannot hold. (Bytes that are not UTF-8
// have been replaced by the decoder.)
func checkStrings(body []byte) error {
	if !bytes.Contains(body, []byte(`\u0000`)) {
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		next, err := decoder.Token()
		if err != nil {
			return nil // the end: the text has been decoded before
		}
		if text, ok := next.(string); ok && strings.ContainsRune(text, 0) {
			return fault.Unprocessable("[]: invalid character '\\x00' in a string")
		}
	}
}

// optional is a field that may be absent, null, or a value.
type optional[T any] struct {
	// Given: the field is there. Value is nil when it is null.
	Given bool
	Value *T
}

// UnmarshalJSON is called for fields that are there.
func (o *optional[T]) UnmarshalJSON(data []byte) error {
	o.Given = true
	return json.Unmarshal(data, &o.Value)
}

// required is the fault for a field that must be there.
func required(field string) error { return fault.Unprocessable("Required").In(field) }

// maxFormParts bounds what is kept of a multipart form.
const maxFormParts = 1000

// isForm tells whether the body is a form, as old clients and HTML send it.
func (c *call) isForm() bool {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
}

// form reads a form of either encoding. Faults as of bind.
func (c *call) form() (url.Values, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	values, err := c.parseForm(body)
	if err != nil {
		return nil, fault.Unprocessable("[]: %s", err.Error())
	}
	if len(values) > maxFormParts {
		return nil, fault.Unprocessable("[]: too many fields")
	}
	for name, list := range values {
		if !accounts.ValidText(name + strings.Join(list, "")) {
			return nil, fault.Unprocessable("[]: a field is not valid text")
		}
	}
	return values, nil
}

func (c *call) parseForm(body []byte) (url.Values, error) {
	kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if kind == "application/x-www-form-urlencoded" {
		return url.ParseQuery(string(body))
	}
	c.r.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.r.ParseMultipartForm(c.server.MaxBodyBytes); err != nil {
		return nil, fmt.Errorf("form: %w", err)
	}
	return c.r.MultipartForm.Value, nil
}
