package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/pacing"
)

type runLogs struct {
	oneRun
	Job     string `short:"j" help:"Only of the job with this id or name."`
	Step    string `short:"s" help:"Only of the step with this number or name, or set-up or complete; of one job."`
	Failed  bool   `help:"Only of jobs that failed."`
	Attempt int    `help:"Of this attempt; else the latest."`
	Follow  bool   `short:"f" help:"Go on until the run ends."`
	Times   bool   `help:"Print the time of each line."`
}

// Run prints the logs, job after job; each line has the name of its job before it when there are several.
func (c *runLogs) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		if c.Step != "" {
			return c.printStep(ctx, s, repo)
		}
		return c.printJobs(ctx, s, repo)
	})
}

func (c *runLogs) printJobs(ctx context.Context, s *session, repo string) error {
	done := map[int64]bool{}
	for {
		var shown shownRun
		err := patiently(ctx, func() (answered bool, err error) {
			shown, err = s.readRun(ctx, repo, c.ID, c.Attempt)
			return err == nil || !c.Follow, err
		})
		if err != nil {
			return err
		}
		jobs := c.choose(shown.Jobs)
		if len(jobs) == 0 && c.Job != "" {
			return fmt.Errorf("run %d has no job %q", c.ID, c.Job)
		}
		if err := c.printNew(ctx, s, repo, jobs, done); err != nil {
			return err
		}
		if !c.Follow || shown.Done() {
			return nil
		}
		if err := pacing.Pause(ctx, minInterval); err != nil {
			return err
		}
	}
}

// choose leaves the jobs whose logs are wanted.
func (c *runLogs) choose(jobs []client.Job) []client.Job {
	var wanted []client.Job
	for _, j := range jobs {
		if c.Job != "" && !isJob(j, c.Job) {
			continue
		}
		if c.Failed && j.Conclusion != "failure" {
			continue
		}
		wanted = append(wanted, j)
	}
	return wanted
}

// isJob tells whether a job is meant by its id or name.
func isJob(j client.Job, wanted string) bool {
	return wanted == j.Name || wanted == strconv.FormatInt(j.ID, 10)
}

// printNew prints the logs of jobs that have begun and were not printed yet.
func (c *runLogs) printNew(ctx context.Context, s *session, repo string, jobs []client.Job, done map[int64]bool) error {
	for _, j := range jobs {
		if done[j.ID] || !happened(j.StartedAt) || j.Kind == "call" {
			continue
		}
		done[j.ID] = true
		line := c.liner(s, j, len(jobs) > 1)
		var err error
		if c.Follow {
			err = followLog(ctx, s.Client, repo, j.ID, line)
		} else {
			err = wholeLog(ctx, s.Client, repo, j.ID, line)
		}
		if client.IsNotFound(err) {
			fmt.Fprintf(s.Err, "%s: no log: %v\n", clean(j.Name), err)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// liner prints the lines of one job. Each comes with a time and a space before it.
func (c *runLogs) liner(s *session, j client.Job, named bool) func(string) error {
	if c.JSON {
		return jsonLiner(s, j)
	}
	before := ""
	if named {
		before = s.paint(cell{text: clean(j.Name), color: gray}) + "\t"
	}
	return func(line string) error {
		if !c.Times && len(line) > timeLength {
			line = line[timeLength:]
		}
		_, err := fmt.Fprintln(s.Out, before+line)
		return err
	}
}

// jsonLiner prints an object a line: a log that is followed has no end, and so is no list.
func jsonLiner(s *session, j client.Job) func(string) error {
	out := json.NewEncoder(s.Out)
	out.SetEscapeHTML(false)
	return func(line string) error {
		at, text, _ := strings.Cut(line, " ")
		return out.Encode(struct {
			JobID int64  `json:"job_id"`
			Job   string `json:"job"`
			Time  string `json:"time"`
			Line  string `json:"line"`
		}{j.ID, j.Name, at, text})
	}
}

// Each line of a log begins with a time and a space (rest-api.md §3.3).
const (
	logTime    = "2006-01-02T15:04:05.0000000Z"
	timeLength = len(logTime) + 1
)

// maxLine bounds a line of a log: 64 KiB of content, its time, and room for escapes.
const maxLine = 1 << 20

func wholeLog(ctx context.Context, c *client.Client, repo string, job int64, line func(string) error) error {
	body, err := c.OpenJobLog(ctx, repo, job)
	if err != nil {
		return err
	}
	defer body.Close()
	return eachLine(body, line)
}

func eachLine(body io.Reader, line func(string) error) error {
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, maxLine)
	for lines.Scan() {
		if err := line(lines.Text()); err != nil {
			return err
		}
	}
	return lines.Err()
}

// followLog prints a log as it grows, until the job ends. A stream that breaks off is taken up again where it was.
func followLog(ctx context.Context, c *client.Client, repo string, job int64, line func(string) error) error {
	f := &follower{line: line}
	return patiently(ctx, func() (bool, error) {
		err := c.StreamLog(ctx, repo, job, f.next, f.event)
		return f.ended || f.failed != nil, errors.Join(f.failed, err)
	})
}

// follower is a log that is being followed.
type follower struct {
	line   func(string) error
	next   int64 // row
	ended  bool
	failed error // to print
}

// event takes one event in; false ends the stream.
func (f *follower) event(e client.Event) bool {
	switch e.Name {
	case "end":
		f.ended = true
		return false
	case "restart":
		f.next = 0
	case "log":
		var row struct {
			Row  int64  `json:"row"`
			At   string `json:"time"`
			Line string `json:"line"`
		}
		if json.Unmarshal([]byte(e.Data), &row) == nil {
			f.next, f.failed = row.Row+1, f.line(row.At+" "+row.Line)
		}
	}
	return f.failed == nil
}
