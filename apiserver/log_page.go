package apiserver

import (
	"net/http"
	"strconv"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Bounds of a page of a log.
const (
	defaultLogLines = 1000
	maxLogLines     = 5000
	maxLogPageBytes = 1 << 20
)

const textLogsExpired = "logs have been cleaned up"

// apiLogPage is a part of a job's log, or of the log of one of its steps. A cursor counts lines from 0, from the first line
// of what was asked for; NextCursor is Cursor and the lines returned, so that it stands still when nothing is new. Both are
// null when the cursor was none.
type apiLogPage struct {
	JobID      int64    `json:"job_id"`
	TaskID     int64    `json:"task_id"`
	Step       string   `json:"step,omitempty"`
	StepName   string   `json:"step_name,omitempty"`
	Cursor     *int64   `json:"cursor"`
	NextCursor *int64   `json:"next_cursor"`
	Lines      []logRow `json:"lines"`
	// Done: nothing will come after this page.
	Done    bool `json:"done"`
	Expired bool `json:"expired"`
	// Truncated: the log has reached its size limit, and what followed was not stored.
	Truncated bool `json:"truncated"`
	// Message says why there are no lines, where that is not plain.
	Message string `json:"message,omitempty"`
}

// wantsLogPage tells whether a page is asked for, and not the log as a file.
func (c *call) wantsLogPage() bool {
	return c.values.Has("step") || c.values.Has("cursor") || c.values.Has("limit")
}

// pageLog answers with a page of the log of a task. An expired log and a cursor that is none are said so, and are no
// errors: who polls a log has nothing to mend.
func (c *call) pageLog(v *db.JobView, t *db.Task) error {
	log, err := c.server.DB.TaskLog(c.ctx(), t.ID)
	if err != nil {
		return logFault(err)
	}
	part, err := c.partOfLog(v.Job, t, log)
	if err != nil {
		return err
	}
	page := apiLogPage{
		JobID: v.Job.ID, TaskID: t.ID, Step: part.key, StepName: part.name, Lines: []logRow{}, Truncated: log.IsTruncated,
	}
	if err := c.fillPage(&page, part, log); err != nil {
		return err
	}
	return c.json(http.StatusOK, page)
}

// partOfLog is the step that the query asks for, or else the whole log.
func (c *call) partOfLog(j *db.Job, t *db.Task, log *db.TaskLog) (logStep, error) {
	steps, whole := c.logParts(j, t, log)
	if !c.values.Has("step") {
		return whole, nil
	}
	for _, s := range steps {
		if s.key == c.values.Get("step") {
			return s, nil
		}
	}
	return whole, fault.NotFound("this job has no step %.100q", c.values.Get("step"))
}

func (c *call) fillPage(page *apiLogPage, part logStep, log *db.TaskLog) error {
	cursor, valid := c.logCursor()
	if !valid {
		page.Message = "invalid cursor"
		return nil
	}
	page.Cursor, page.NextCursor = &cursor, &cursor
	if !log.ExpiredAt.IsZero() {
		page.Expired, page.Done, page.Message = true, true, textLogsExpired
		return nil
	}
	rows, next, err := c.readStep(page.TaskID, part, cursor, &logBudget{lines: c.logLimit(), bytes: maxLogPageBytes})
	if err != nil {
		return err
	}
	page.Lines = append(page.Lines, rows...)
	page.NextCursor = &next
	page.Done = part.settled && next >= part.lines()
	return nil
}

// logCursor is the cursor of the query, 0 if there is none.
func (c *call) logCursor() (cursor int64, valid bool) {
	text := c.values.Get("cursor")
	if text == "" {
		return 0, true
	}
	cursor, err := strconv.ParseInt(text, 10, 64)
	return cursor, err == nil && cursor >= 0
}

func (c *call) logLimit() int {
	if limit := c.number("limit"); limit > 0 {
		return min(limit, maxLogLines)
	}
	return defaultLogLines
}
