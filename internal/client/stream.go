package client

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
)

// Event is one server-sent event.
type Event struct {
	Name, ID, Data string
}

// maxEvent bounds the length of one line of a stream.
const maxEvent = 1 << 20

// StreamLog follows the log of a job from a row on, and hands each event to fn until the job ends, fn returns false, or
// ctx is over.
func (c *Client) StreamLog(ctx context.Context, repo string, job, from int64, fn func(Event) bool) error {
	return c.stream(ctx, fmt.Sprintf("/repos/%s/actions/jobs/%d/logs/stream?from=%d", repo, job, from), "", fn)
}

// stream hands the events of a stream to fn until it breaks off or fn returns false. last is the id of the event after
// which it is to begin; empty: at its beginning.
func (c *Client) stream(ctx context.Context, path, last string, fn func(Event) bool) error {
	req, err := c.request(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := c.exchange(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, maxEvent)
	var e Event
	for lines.Scan() {
		if line := lines.Text(); line != "" {
			e.add(line)
			continue
		}
		if (e.Data != "" || e.Name != "") && !fn(e) {
			return nil
		}
		e = Event{}
	}
	return lines.Err()
}

// add takes one line of an event in; comments are left out.
func (e *Event) add(line string) {
	field, value, _ := strings.Cut(line, ":")
	value = strings.TrimPrefix(value, " ")
	switch field {
	case "event":
		e.Name = value
	case "id":
		e.ID = value
	case "data":
		if e.Data != "" {
			e.Data += "\n"
		}
		e.Data += value
	}
}
