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
	path := fmt.Sprintf("/repos/%s/actions/jobs/%d/logs/stream?from=%d", repo, job, from)
	resp, err := c.send(ctx, http.MethodGet, path, nil)
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
