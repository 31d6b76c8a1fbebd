package client

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Error is an answer other than 2xx.
type Error struct {
	Status  int
	Message string
	// Request is what was asked: a method and a path.
	Request string
	// RetryAfter is how long the server wants to be left alone; 0 if it does not say.
	RetryAfter time.Duration
}

// Error says it in words first, as people read it.
func (e *Error) Error() string {
	return fmt.Sprintf("%s (status %d of %s)", e.Message, e.Status, e.Request)
}

// Unreachable is that nobody answered.
type Unreachable struct {
	URL string // of the server
	Err error
}

// Error names the server and not the request, which has nothing to do with it.
func (e *Unreachable) Error() string { return fmt.Sprintf("%s cannot be reached: %v", e.URL, e.Err) }

func (e *Unreachable) Unwrap() error { return e.Err }

// Refused tells an answer that will not change from a server that is away or overloaded.
func Refused(err error) bool {
	var answer *Error
	return errors.As(err, &answer) && answer.Status < http.StatusInternalServerError && answer.Status != http.StatusTooManyRequests
}

// maxPause bounds how long a server is left alone because it says so.
const maxPause = 5 * time.Minute

// PauseAfter is how long to wait before what has failed is asked again: at least least, and longer if the server wants it.
func PauseAfter(err error, least time.Duration) time.Duration {
	var answer *Error
	if errors.As(err, &answer) {
		return max(least, min(answer.RetryAfter, maxPause))
	}
	return least
}

// unreachable takes the request out of an error of net/http.
func (c *Client) unreachable(err error) error {
	var asked *url.Error
	if errors.As(err, &asked) {
		err = asked.Err
	}
	return &Unreachable{URL: c.URL, Err: err}
}

func readError(resp *http.Response) *Error {
	raw, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	var body struct{ Message string }
	if json.Unmarshal(raw, &body) != nil || body.Message == "" {
		body.Message = strings.TrimSpace(string(raw))
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return &Error{
		Status: resp.StatusCode, Message: cmp.Or(body.Message, http.StatusText(resp.StatusCode)),
		Request:    resp.Request.Method + " " + strings.TrimPrefix(resp.Request.URL.Path, apiPath),
		RetryAfter: time.Duration(min(max(seconds, 0), int(maxPause/time.Second))) * time.Second,
	}
}
