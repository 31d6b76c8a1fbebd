package apiserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

const (
	// eventBuffer is how much is collected before it is written.
	eventBuffer = 64 << 10
	// eventTimeout is how long a client may take to accept what is written.
	eventTimeout = 30 * time.Second
)

// eventWriter writes server-sent events to a client that must keep taking them. It is not safe for concurrent use.
type eventWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	buffer  bytes.Buffer
	last    time.Time // of the latest write
}

func newEventWriter(w http.ResponseWriter) *eventWriter {
	return &eventWriter{w: w, control: http.NewResponseController(w)}
}

// start sends the header, so that the client knows at once that it is connected.
func (e *eventWriter) start() error {
	h := e.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-cache")
	h.Set("X-Accel-Buffering", "no") // nginx would keep events back
	e.w.WriteHeader(http.StatusOK)
	e.buffer.WriteString("retry: 1000\n\n")
	return e.flush()
}

// event adds one event; an empty id leaves that of the client as it is. It is sent with the next flush, or when much
// has been collected.
func (e *eventWriter) event(name, id string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	if id != "" {
		e.buffer.WriteString("id: " + id + "\n")
	}
	e.buffer.WriteString("event: " + name + "\ndata: ")
	e.buffer.Write(text)
	e.buffer.WriteString("\n\n")
	if e.buffer.Len() < eventBuffer && name == "log" {
		return nil
	}
	return e.flush()
}

// comment shows proxies and the client that the stream lives.
func (e *eventWriter) comment() error {
	e.buffer.WriteString(": still here\n\n")
	return e.flush()
}

func (e *eventWriter) quietFor(d time.Duration) bool { return time.Since(e.last) >= d }

// flush sends what has been collected.
func (e *eventWriter) flush() error {
	if e.buffer.Len() == 0 {
		return nil
	}
	e.last = time.Now()
	// Not every writer has deadlines (tests); then that of the server in front holds.
	_ = e.control.SetWriteDeadline(e.last.Add(eventTimeout))
	if _, err := e.w.Write(e.buffer.Bytes()); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	e.buffer.Reset()
	if err := e.control.Flush(); err != nil {
		return fmt.Errorf("write events: %w", err)
	}
	return nil
}

// close gives the connection back without a deadline.
func (e *eventWriter) close() { _ = e.control.SetWriteDeadline(time.Time{}) }
