package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

type runSearch struct {
	oneRun
	Text       string `arg:"" help:"What to look for."`
	IgnoreCase bool   `short:"i" name:"ignore-case" help:"Take large and small letters for the same."`
	Job        string `short:"j" help:"Only in the job with this id or name."`
	Attempt    int    `help:"In this attempt; else the latest."`
	Times      bool   `help:"Print the time of each line."`
	Limit      int    `short:"L" default:"1000" help:"How many lines at most."`
}

// Run prints the lines, and fails if there are none, as grep does.
func (c *runSearch) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		query := client.LogSearch{Text: c.Text, IgnoreCase: c.IgnoreCase, Attempt: c.Attempt}
		if c.Job != "" {
			job, err := s.jobOf(ctx, repo, c.ID, c.Attempt, c.Job)
			if err != nil {
				return err
			}
			query.Job = job.ID
		}
		matches, more, err := c.search(ctx, s, repo, query)
		if err != nil {
			return err
		}
		if more {
			fmt.Fprintf(s.Err, "there are more than %d lines; -L shows more\n", len(matches))
		}
		if len(matches) == 0 {
			return fmt.Errorf("no line of the logs of run %d holds %q", c.ID, c.Text)
		}
		return nil
	})
}

// search prints lines as they are found; as JSON all at once.
func (c *runSearch) search(ctx context.Context, s *session, repo string, query client.LogSearch) (
	found []client.LogMatch, more bool, err error,
) {
	found = []client.LogMatch{}
	err = s.SearchLogs(ctx, repo, c.ID, query, func(m client.LogMatch) bool {
		if more = len(found) == max(c.Limit, 1); more {
			return false
		}
		found = append(found, m)
		if !c.JSON {
			s.say("%s", c.line(s, m))
		}
		return true
	})
	if err == nil && c.JSON {
		err = s.json(found)
	}
	return found, more, err
}

// line is where the text was found, and the line with the text painted.
func (c *runSearch) line(s *session, m client.LogMatch) string {
	before := s.paint(cell{text: clean(m.Job), color: gray}) + "\t" + s.paint(cell{text: clean(m.StepName), color: gray}) + "\t"
	if c.Times {
		before += m.Time.UTC().Format(time.RFC3339) + " "
	}
	if !s.Rich {
		return before + m.Line
	}
	return before + s.highlight(clean(strings.ReplaceAll(m.Line, "\t", "    ")), c.Text, c.IgnoreCase)
}

// highlight paints every place of a text in a line.
func (p printer) highlight(line, text string, ignoreCase bool) string {
	folded := line
	if ignoreCase {
		folded, text = strings.ToLower(line), strings.ToLower(text)
	}
	if len(folded) != len(line) { // some letters have another length in small, and places differ
		return line
	}
	var out strings.Builder
	for {
		at := strings.Index(folded, text)
		if at < 0 {
			return out.String() + line
		}
		end := at + len(text)
		out.WriteString(line[:at] + p.paint(cell{text: line[at:end], color: red}))
		line, folded = line[end:], folded[end:]
	}
}

// jobOf is the job of a run with an id or a name.
func (s *session) jobOf(ctx context.Context, repo string, run int64, attempt int, wanted string) (client.Job, error) {
	shown, err := s.readRun(ctx, repo, run, attempt)
	if err != nil {
		return client.Job{}, err
	}
	for _, j := range shown.Jobs {
		if isJob(j, wanted) {
			return j, nil
		}
	}
	return client.Job{}, fmt.Errorf("run %d has no job %q", run, wanted)
}
