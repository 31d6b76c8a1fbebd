package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/pacing"
)

// stepPause is between two looks at the log of a step that goes on.
const stepPause = time.Second

// printStep prints the log of one step of the one job that is wanted.
func (c *runLogs) printStep(ctx context.Context, s *session, repo string) error {
	shown, err := s.readRun(ctx, repo, c.ID, c.Attempt)
	if err != nil {
		return err
	}
	job, err := c.onlyJob(shown.Jobs)
	if err != nil {
		return err
	}
	query := client.LogQuery{Step: stepKey(job, c.Step)}
	for done := false; !done; {
		err := patiently(ctx, func() (answered bool, err error) {
			done, err = c.printPage(ctx, s, repo, job, &query)
			return done || err == nil, err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// onlyJob is the one that is left by the flags.
func (c *runLogs) onlyJob(jobs []client.Job) (client.Job, error) {
	jobs = c.choose(jobs)
	switch {
	case len(jobs) == 1:
		return jobs[0], nil
	case len(jobs) == 0:
		return client.Job{}, fmt.Errorf("run %d has no such job", c.ID)
	}
	return client.Job{}, errors.New("steps are those of one job; name it with --job")
}

// stepKey is how the server names a step: by its number. Users may also give its name.
func stepKey(j client.Job, wanted string) string {
	for _, step := range j.Steps {
		if step.Name == wanted {
			return strconv.Itoa(step.Number)
		}
	}
	return wanted
}

// printPage prints the next lines of a step. done: there will be no more, or none are waited for.
func (c *runLogs) printPage(ctx context.Context, s *session, repo string, job client.Job, query *client.LogQuery) (
	done bool, err error,
) {
	page, err := s.LogPage(ctx, repo, job.ID, *query)
	if err != nil {
		return false, err
	}
	line := c.liner(s, job, false)
	for _, row := range page.Lines {
		if err := line(row.Time.UTC().Format(logTime) + " " + row.Line); err != nil {
			return true, err
		}
	}
	switch {
	case page.Done && page.Expired:
		return true, errors.New(page.Message)
	case page.Done || page.NextCursor == nil:
		return true, nil
	case len(page.Lines) == 0 && !c.Follow:
		return true, nil
	case len(page.Lines) == 0:
		return false, pacing.Pause(ctx, stepPause)
	}
	query.Cursor = *page.NextCursor
	return false, nil
}
