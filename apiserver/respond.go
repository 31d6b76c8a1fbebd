package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"sync"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/observability"
)

const jsonType = "application/json;charset=utf-8"

// json answers with a value.
func (c *call) json(status int, value any) error {
	buffer := answers.Get().(*bytes.Buffer)
	defer reuse(buffer)
	if err := json.NewEncoder(buffer).Encode(value); err != nil {
		return fmt.Errorf("encode reply: %w", err)
	}
	body := buffer.Bytes()
	if status == http.StatusCreated {
		c.noteMade(body)
	}
	if c.unchanged(status, body) {
		return c.empty(http.StatusNotModified)
	}
	writeJSON(c.w, status, body)
	return nil
}

// answers are used again, because a long list takes a quarter of a megabyte.
var answers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// reusedAnswer is the size in bytes above which a buffer is left to the collector.
const reusedAnswer = 1 << 20

func reuse(b *bytes.Buffer) {
	if b.Cap() <= reusedAnswer {
		b.Reset()
		answers.Put(b)
	}
}

// empty answers without a body.
func (c *call) empty(status int) error {
	c.w.WriteHeader(status)
	return nil
}

// writeJSON answers with what is encoded already, and ends with a line end.
func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", jsonType)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that nobody listens any more
}

// errorBody is rest-api.md §1.5, and the id by which the logs and the audit log know the request.
type errorBody struct {
	Message   string `json:"message"`
	URL       string `json:"url"`
	RequestID string `json:"request_id,omitempty"`
}

func writeError(w http.ResponseWriter, root string, status int, text string) {
	body, err := json.Marshal(errorBody{
		Message: text, URL: root + "/api/swagger", RequestID: w.Header().Get(observability.RequestIDHeader),
	})
	if err != nil { // strings always encode
		body = []byte("{}")
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	writeJSON(w, status, append(body, '\n'))
}

// fail answers with an error.
func (c *call) fail(err error) {
	found := c.explain(err)
	writeError(c.w, c.server.rootURL(c.r), found.Code.HTTPStatus(), found.Text())
}

// explain turns any error into a fault, and notes it where it belongs: for the audit log, and those that are ours in the log.
func (c *call) explain(err error) *fault.Error {
	found := fault.From(err)
	if found.Code == fault.CodeInternal && (errors.Is(err, db.ErrNotFound) || errors.Is(err, git.ErrNotFound)) {
		found = fault.NotFound("not found")
	}
	if c.record != nil {
		c.record.err = found
	}
	if found.Code == fault.CodeTooManyRequests {
		retrySoon(c.w.Header())
	}
	if status := found.Code.HTTPStatus(); status >= http.StatusInternalServerError {
		c.server.Logger.ErrorContext(c.ctx(), "request failed", "method", c.r.Method, "route", routeTemplate(c.r),
			"status", status, "error", err)
	}
	return found
}
