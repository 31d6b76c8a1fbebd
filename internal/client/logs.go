package client

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// LogLine is one row of a log.
type LogLine struct {
	Row  int64     `json:"row"`
	Time time.Time `json:"time"`
	Line string    `json:"line"`
}

// LogPage is a part of the log of a job or of one of its steps.
type LogPage struct {
	JobID    int64  `json:"job_id"`
	TaskID   int64  `json:"task_id"`
	Step     string `json:"step"`
	StepName string `json:"step_name"`
	// NextCursor is for the next call; nil when the cursor was none.
	NextCursor *int64    `json:"next_cursor"`
	Lines      []LogLine `json:"lines"`
	// Done: nothing will come after this page.
	Done      bool   `json:"done"`
	Expired   bool   `json:"expired"`
	Truncated bool   `json:"truncated"`
	Message   string `json:"message"`
}

// LogQuery says which part of a log is wanted.
type LogQuery struct {
	// Step is the number of a step, set-up or complete; empty is the whole log.
	Step string
	// Task is one of the tasks of the job; 0 is the latest.
	Task   int64
	Cursor int64
	// Limit is 0 for the server's default.
	Limit int
}

func (q LogQuery) values() url.Values {
	v := url.Values{"cursor": {strconv.FormatInt(q.Cursor, 10)}}
	if q.Step != "" {
		v.Set("step", q.Step)
	}
	if q.Task != 0 {
		v.Set("task", strconv.FormatInt(q.Task, 10))
	}
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// LogPage returns a page of the log of a job.
func (c *Client) LogPage(ctx context.Context, repo string, job int64, q LogQuery) (LogPage, error) {
	var out LogPage
	path := fmt.Sprintf("/repos/%s/actions/jobs/%d/logs?%s", repo, job, q.values().Encode())
	return out, c.call(ctx, http.MethodGet, path, nil, &out)
}

// RunLogs writes the zip with the logs of an attempt of a run to w; attempt 0 is the latest. After an error what was
// written is no whole zip.
func (c *Client) RunLogs(ctx context.Context, repo string, run int64, attempt int, w io.Writer) error {
	path := fmt.Sprintf("/repos/%s/actions/runs/%d/logs", repo, run)
	if attempt != 0 {
		path = fmt.Sprintf("/repos/%s/actions/runs/%d/attempts/%d/logs", repo, run, attempt)
	}
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(w, resp.Body)
	return err
}

// LogMatch is a line that holds what was searched for.
type LogMatch struct {
	JobID    int64     `json:"job_id"`
	Job      string    `json:"job"`
	TaskID   int64     `json:"task_id"`
	Step     string    `json:"step"`
	StepName string    `json:"step_name"`
	Row      int64     `json:"row"`
	Time     time.Time `json:"time"`
	Line     string    `json:"line"`
}

// LogSearch says what to look for in the logs of a run.
type LogSearch struct {
	Text       string
	IgnoreCase bool
	// Job and Attempt narrow the search; 0 is all jobs, and the latest attempt.
	Job     int64
	Attempt int
}

func (s LogSearch) values() url.Values {
	v := url.Values{"q": {s.Text}, "ignore_case": {strconv.FormatBool(s.IgnoreCase)}}
	if s.Job != 0 {
		v.Set("job", strconv.FormatInt(s.Job, 10))
	}
	if s.Attempt != 0 {
		v.Set("attempt", strconv.Itoa(s.Attempt))
	}
	return v
}

// SearchLogs calls found with each line of a run's logs that holds the text, until it returns false or all was searched.
func (c *Client) SearchLogs(ctx context.Context, repo string, run int64, s LogSearch, found func(LogMatch) bool) error {
	query := s.values()
	for {
		var out struct {
			Matches    []LogMatch `json:"matches"`
			NextCursor *string    `json:"next_cursor"`
		}
		path := fmt.Sprintf("/repos/%s/actions/runs/%d/logs/search?%s", repo, run, query.Encode())
		if err := c.call(ctx, http.MethodGet, path, nil, &out); err != nil {
			return err
		}
		for _, m := range out.Matches {
			if !found(m) {
				return nil
			}
		}
		if out.NextCursor == nil {
			return nil
		}
		query.Set("cursor", *out.NextCursor)
	}
}

// DeleteRun removes a run that has ended, with all that it owns.
func (c *Client) DeleteRun(ctx context.Context, repo string, run int64) error {
	return c.call(ctx, http.MethodDelete, fmt.Sprintf("/repos/%s/actions/runs/%d", repo, run), nil, nil)
}
