package git

import (
	"bufio"
	"fmt"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

// response writes to the client, at once, and gives up when the client takes nothing for too long.
type response struct {
	w       http.ResponseWriter
	control *http.ResponseController
	idle    time.Duration
	started bool
}

func newResponse(w http.ResponseWriter, idle time.Duration) *response {
	return &response{w: w, control: http.NewResponseController(w), idle: idle}
}

// Deadlines are of the real clock, and a connection without them (in tests) works as well: their errors
// do not matter.

func (o *response) extendRead()  { _ = o.control.SetReadDeadline(time.Now().Add(o.idle)) }
func (o *response) extendWrite() { _ = o.control.SetWriteDeadline(time.Now().Add(o.idle)) }

// bodyRead lifts the read deadline, which would otherwise end the request when it passes: the server
// goes on reading to notice that the client went away.
func (o *response) bodyRead() { _ = o.control.SetReadDeadline(time.Time{}) }

// release leaves no write deadline of ours on a connection that is used again.
func (o *response) release() {
	if o.started {
		o.extendWrite()
		_ = o.control.Flush()
	}
	_ = o.control.SetWriteDeadline(time.Time{})
}

// header reads the header of a CGI reply and sends it on.
func (o *response) header(reply *bufio.Reader) error {
	fields, err := textproto.NewReader(reply).ReadMIMEHeader()
	if err != nil {
		return fmt.Errorf("read header of git http-backend: %w", err)
	}
	status := http.StatusOK
	if text := fields.Get("Status"); text != "" {
		code, _, _ := strings.Cut(text, " ")
		if status, err = strconv.Atoi(code); err != nil || status < 200 || status > 599 {
			return fmt.Errorf("git http-backend answered with status %q", text)
		}
		fields.Del("Status")
	}
	for key, values := range fields {
		o.w.Header()[key] = values
	}
	o.started = true
	o.w.WriteHeader(status)
	return nil
}

// Write sends p at once.
func (o *response) Write(p []byte) (int, error) {
	o.extendWrite()
	n, err := o.w.Write(p)
	if err != nil {
		return n, err
	}
	return n, o.control.Flush()
}

// refuse answers with an error, unless the answer has begun.
func (o *response) refuse(status int, text string) {
	if o.started {
		return
	}
	o.extendWrite()
	http.Error(o.w, text, status)
}
