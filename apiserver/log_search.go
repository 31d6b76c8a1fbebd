package apiserver

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/logchunk"
)

// Bounds of one search. What is not reached is left to the next call, by the cursor.
const (
	maxSearchText    = 256      // bytes of what is searched for
	maxSearchMatches = 200      // in one answer
	maxSearchBytes   = 64 << 20 // of logs
	maxSearchTime    = 3 * time.Second
)

// apiLogMatch is a line that holds what was searched for.
type apiLogMatch struct {
	JobID  int64  `json:"job_id"`
	Job    string `json:"job"`
	TaskID int64  `json:"task_id"`
	// Step is how the step is asked for with ?step=; absent where no step has the row yet.
	Step     string `json:"step,omitempty"`
	StepName string `json:"step_name,omitempty"`
	Row      int64  `json:"row"`
	Time     string `json:"time"`
	Line     string `json:"line"`
}

// apiLogSearch is an answer to a search. NextCursor is null when all was searched; it may be set where no match is, because
// a call looks at no more than it can in a moment.
type apiLogSearch struct {
	Matches    []apiLogMatch `json:"matches"`
	NextCursor *string       `json:"next_cursor"`
	Message    string        `json:"message,omitempty"`
}

// searchRunLogs looks for a text in the logs of the latest attempt of a run, or of that in ?attempt=, job by job.
func searchRunLogs(c *call) error {
	s, err := c.newSearch()
	if err != nil {
		return err
	}
	v, err := c.queriedAttempt()
	if err != nil {
		return err
	}
	logs, err := c.logsOfRun(v)
	if err != nil {
		return err
	}
	if logs, err = c.searchedLogs(logs); err != nil {
		return err
	}
	leave, err := c.enterScan()
	if err != nil {
		return err
	}
	defer leave()
	logs, row, valid := resumeSearch(logs, c.values.Get("cursor"))
	if !valid {
		return c.json(http.StatusOK, apiLogSearch{Matches: s.matches, Message: "invalid cursor"})
	}
	next, err := s.run(logs, row)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, apiLogSearch{Matches: s.matches, NextCursor: next})
}

// searchedLogs leaves the log of the job in the query, if there is one.
func (c *call) searchedLogs(logs []taskLog) ([]taskLog, error) {
	text := c.values.Get("job")
	if text == "" {
		return logs, nil
	}
	for _, l := range logs {
		if strconv.FormatInt(l.job.ID, 10) == text {
			return []taskLog{l}, nil
		}
	}
	return nil, fault.NotFound("no log of job %.40q", text)
}

// searchCursor is <job>.<row>: where to go on.
func searchCursor(job, row int64) *string {
	text := strconv.FormatInt(job, 10) + "." + strconv.FormatInt(row, 10)
	return &text
}

// resumeSearch leaves the logs from the cursor on, and says with which row of the first to begin.
func resumeSearch(logs []taskLog, cursor string) (rest []taskLog, row int64, valid bool) {
	if cursor == "" {
		return logs, 0, true
	}
	jobText, rowText, _ := strings.Cut(cursor, ".")
	row, err := strconv.ParseInt(rowText, 10, 64)
	if err != nil || row < 0 {
		return nil, 0, false
	}
	for i, l := range logs {
		if strconv.FormatInt(l.job.ID, 10) == jobText {
			return logs[i:], row, true
		}
	}
	return nil, 0, false
}

// search is one call.
type search struct {
	call    *call
	text    []byte // in lower case when case is ignored
	ignore  bool
	budget  logBudget // of the answer
	left    int       // bytes of logs that may still be looked at
	until   time.Time
	matches []apiLogMatch
}

func (c *call) newSearch() (*search, error) {
	text := c.values.Get("q")
	if text == "" || len(text) > maxSearchText {
		return nil, fault.BadRequest("q must have from 1 to %d bytes", maxSearchText)
	}
	s := &search{
		call: c, text: []byte(text), ignore: c.isSet("ignore_case"), left: maxSearchBytes, until: time.Now().Add(maxSearchTime),
		budget: logBudget{lines: c.page().Limit, bytes: maxLogPageBytes}, matches: []apiLogMatch{},
	}
	if limit := c.number("limit"); limit > 0 {
		s.budget.lines = min(limit, maxSearchMatches)
	}
	if s.ignore {
		s.text = bytes.ToLower(s.text)
	}
	return s, nil
}

// run searches one log after the other, and returns the cursor of where it has stopped.
func (s *search) run(logs []taskLog, row int64) (next *string, err error) {
	for _, l := range logs {
		stopped, at, err := s.log(l, row)
		if err != nil {
			return nil, err
		}
		if stopped {
			return searchCursor(l.job.ID, at), nil
		}
		row = 0
	}
	return nil, nil
}

// log searches one log from a row on. stopped means that the call has done enough, and is to go on with row next.
func (s *search) log(l taskLog, row int64) (stopped bool, next int64, err error) {
	steps, _ := s.call.logParts(l.job, l.job.Task, l.log)
	var text []byte
	for chunk, err := range s.call.server.DB.LogChunks(s.call.ctx(), l.job.Task.ID, row, l.log.RowCount) {
		if err != nil {
			return false, 0, err
		}
		// Every call looks at something, so that whoever calls again comes to an end.
		if s.left < maxSearchBytes && (s.left <= 0 || time.Now().After(s.until)) {
			return true, max(row, chunk.FirstRow), nil
		}
		if text, err = s.call.server.codec.Text(text[:0], chunk.Data); err != nil {
			return false, 0, err
		}
		s.left -= len(text)
		first := max(row, chunk.FirstRow)
		if full, at := s.rows(l, steps, first, logchunk.Rows(text, first-chunk.FirstRow, l.log.RowCount-first)); full {
			return true, at, nil
		}
	}
	return false, 0, nil
}

// rows looks at consecutive rows. full means that the answer has no room for the match in row at.
func (s *search) rows(l taskLog, steps []logStep, row int64, text []byte) (full bool, at int64) {
	folded := text
	if s.ignore {
		folded = bytes.ToLower(text) // which never makes or takes a line end
	}
	if !bytes.Contains(folded, s.text) {
		return false, 0
	}
	for line := range bytes.Lines(text) {
		end := bytes.IndexByte(folded, '\n') + 1
		_, content, _ := bytes.Cut(bytes.TrimSuffix(folded[:end], []byte("\n")), []byte(" "))
		folded = folded[end:]
		if bytes.Contains(content, s.text) {
			if !s.budget.takes(line, len(s.matches) == 0) {
				return true, row
			}
			s.matches = append(s.matches, matchOf(l, steps, rowOf(row, line)))
		}
		row++
	}
	return false, 0
}

func matchOf(l taskLog, steps []logStep, r logRow) apiLogMatch {
	m := apiLogMatch{JobID: l.job.ID, Job: l.job.Name, TaskID: l.job.Task.ID, Row: r.Row, Time: r.Time, Line: r.Line}
	for _, s := range steps {
		if s.holds(r.Row) {
			m.Step, m.StepName = s.key, s.name
			break
		}
	}
	return m
}
