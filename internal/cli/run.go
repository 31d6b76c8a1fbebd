package cli

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

type runCommands struct {
	List     runList     `cmd:"" help:"List runs, newest first."`
	View     runView     `cmd:"" help:"Show a run and its jobs."`
	Watch    runWatch    `cmd:"" help:"Follow a run until it ends."`
	Logs     runLogs     `cmd:"" help:"Print the logs of a run."`
	Search   runSearch   `cmd:"" help:"Print the lines of a run's logs that hold a text."`
	Timeline runTimeline `cmd:"" help:"Show what was decided in a run, when and why."`
	Cancel   runCancel   `cmd:"" help:"Cancel a run."`
	Rerun    runRerun    `cmd:"" help:"Run again: all jobs, those that failed, or one."`
	Approve  runApprove  `cmd:"" help:"Let a run begin that waits for an approval."`
	Pause    runPause    `cmd:"" help:"Hand out no more jobs of a run."`
	Resume   runResume   `cmd:"" help:"End the pause of a run."`
	Delete   runDelete   `cmd:"" help:"Delete a run that has ended, with its logs."`
}

type runList struct {
	Flags
	Workflow string `short:"w" help:"Only runs of this workflow file."`
	Branch   string `short:"b" help:"Only runs of this branch."`
	Event    string `short:"e" help:"Only runs of this event."`
	Status   string `short:"s" help:"Only runs of this status or conclusion."`
	Actor    string `short:"a" help:"Only runs that this user started."`
	Limit    int    `short:"L" default:"20" help:"How many runs at most."`
}

// Run lists the runs.
func (c *runList) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		runs, err := s.Runs(ctx, repo, client.RunFilter{
			Workflow: c.Workflow, Branch: c.Branch, Event: c.Event, Status: c.Status, Actor: c.Actor, Limit: max(c.Limit, 1),
		})
		if err != nil || c.JSON {
			return s.jsonOr(runs, err)
		}
		now := time.Now()
		table := s.table("", "ID", "STATUS", "TITLE", "WORKFLOW", "BRANCH", "EVENT", "TOOK", "STARTED")
		for _, r := range runs {
			table.row(mark(r.Status, r.Conclusion), plain(strconv.FormatInt(r.ID, 10)), state(r.Status, r.Conclusion),
				plain(shorten(r.Title, 50)), plain(fileOf(r.Path)), plain(r.HeadBranch), plain(r.Event),
				plain(took(r.StartedAt, r.StoppedAt, now)), s.age(r.StartedAt, now))
		}
		return table.print()
	})
}

// oneRun is the argument of verbs about one run.
type oneRun struct {
	Flags
	ID int64 `arg:"" name:"run" help:"Id of the run."`
}

type runView struct {
	oneRun
	Attempt int `help:"As of this attempt; else the latest."`
}

// shownRun is a run with its jobs.
type shownRun struct {
	client.Run
	Jobs []client.Job `json:"jobs"`
}

// Run shows the run.
func (c *runView) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		shown, err := s.readRun(ctx, repo, c.ID, c.Attempt)
		if err != nil || c.JSON {
			return s.jsonOr(shown, err)
		}
		s.showHead(shown.Run)
		return s.showJobs(shown.Jobs, time.Now())
	})
}

// readRun reads a run and its jobs as of an attempt; 0 is the latest.
func (s *session) readRun(ctx context.Context, repo string, id int64, attempt int) (shown shownRun, err error) {
	if attempt == 0 {
		if shown.Run, err = s.Client.Run(ctx, repo, id); err == nil {
			shown.Jobs, err = s.Jobs(ctx, repo, id)
		}
		return shown, err
	}
	if shown.Run, err = s.AttemptRun(ctx, repo, id, attempt); err == nil {
		shown.Jobs, err = s.AttemptJobs(ctx, repo, id, attempt)
	}
	return shown, err
}

func (s *session) showHead(r client.Run) {
	s.say("%s %s · %s #%d", s.paint(mark(r.Status, r.Conclusion)), clean(r.Title), fileOf(r.Path), r.RunNumber)
	about := fmt.Sprintf("%s by %s", r.Event, clean(r.Actor.Login))
	if r.HeadBranch != "" {
		about += " on " + clean(r.HeadBranch)
	}
	if r.Attempt > 1 {
		about += fmt.Sprintf(", attempt %d", r.Attempt)
	}
	s.say("%s · %s", s.paint(state(r.Status, r.Conclusion)), about)
	if reason := runWhy(r); reason != "" {
		s.say("%s", clean(reason))
	}
	for _, p := range r.Problems {
		s.say("%s:%d:%d: %s", clean(p.File), p.Line, p.Column, clean(p.Message))
	}
	s.say("%s\n", r.HTMLURL)
}

func (s *session) showJobs(jobs []client.Job, now time.Time) error {
	if len(jobs) == 0 {
		return nil
	}
	return s.jobTable(jobs, now).print()
}

// jobTable shows children below their callers.
func (s *session) jobTable(jobs []client.Job, now time.Time) *table {
	table := s.table("", "JOB", "ID", "STATUS", "TOOK", "RUNNER", "WHY")
	for _, j := range jobs {
		name := clean(j.Name)
		if j.ParentID != 0 {
			name = "  " + name
		}
		table.row(mark(j.Status, j.Conclusion), cell{text: name}, plain(strconv.FormatInt(j.ID, 10)),
			state(j.Status, j.Conclusion), plain(took(j.StartedAt, j.StoppedAt, now)), plain(j.RunnerName), plain(jobWhy(j)))
	}
	return table
}

type runTimeline struct {
	oneRun
	Attempt int `help:"Of this attempt; else the latest."`
}

// Run shows the timeline.
func (c *runTimeline) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		events, err := s.Timeline(ctx, repo, c.ID, c.Attempt)
		if err != nil || c.JSON {
			return s.jsonOr(events, err)
		}
		table := s.table("AT", "EVENT", "JOB", "DETAIL")
		for _, e := range events {
			table.row(plain(e.At.UTC().Format("2006-01-02T15:04:05.000Z")), plain(e.Event), plain(e.Job), plain(e.Detail))
		}
		return table.print()
	})
}

type runCancel struct {
	oneRun
	Force bool `help:"End it at once: nothing of it runs any more, whatever its jobs say."`
}

// Run cancels the run.
func (c *runCancel) Run(ctx context.Context, t *Terminal) error {
	act := (*client.Client).Cancel
	if c.Force {
		act = (*client.Client).ForceCancel
	}
	return c.act(ctx, t, "cancel requested", act)
}

type runApprove struct{ oneRun }

// Run approves the run.
func (c *runApprove) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, "approved", (*client.Client).Approve)
}

type runPause struct{ oneRun }

// Run pauses the run.
func (c *runPause) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, "paused", (*client.Client).Pause)
}

type runResume struct{ oneRun }

// Run ends the pause.
func (c *runResume) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, "resumed", (*client.Client).Resume)
}

// act does one thing to the run, and says so.
func (c oneRun) act(ctx context.Context, t *Terminal, done string,
	do func(*client.Client, context.Context, string, int64) error,
) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		if err := do(s.Client, ctx, repo, c.ID); err != nil {
			return err
		}
		return s.done(result{Run: c.ID, Result: done}, "run %d: %s", c.ID, done)
	})
}

type runRerun struct {
	oneRun
	Failed bool  `xor:"what" help:"Only the jobs that failed, and what depends on them."`
	Job    int64 `xor:"what" help:"Only the job with this id, and what depends on it."`
}

// Run makes a new attempt.
func (c *runRerun) Run(ctx context.Context, t *Terminal) error {
	return c.act(ctx, t, "runs again", func(cl *client.Client, ctx context.Context, repo string, id int64) (err error) {
		switch {
		case c.Failed:
			err = cl.RerunFailed(ctx, repo, id)
		case c.Job != 0:
			_, err = cl.RerunJobOf(ctx, repo, id, c.Job)
		default:
			_, err = cl.Rerun(ctx, repo, id)
		}
		return err
	})
}

// result is what verbs that change something answer with as JSON.
type result struct {
	Run      int64  `json:"run,omitempty"`
	Runner   int64  `json:"runner,omitempty"`
	Workflow string `json:"workflow,omitempty"`
	Name     string `json:"name,omitempty"`
	Result   string `json:"result"`
}

// done reports a change.
func (s *session) done(r result, format string, args ...any) error {
	return s.change(s.flags.JSON, r, format, args...)
}

func (p printer) change(asJSON bool, r result, format string, args ...any) error {
	if asJSON {
		return p.json(r)
	}
	p.say(format, args...)
	return nil
}

// jsonOr passes an error on, and prints the value else.
func (s *session) jsonOr(value any, err error) error {
	if err != nil {
		return err
	}
	return s.json(value)
}

// inRepo does something with the repository that is meant.
func (f *Flags) inRepo(ctx context.Context, t *Terminal, do func(*session, string) error) error {
	s, err := f.open(t)
	if err != nil {
		return err
	}
	repo, err := s.repo(ctx)
	if err != nil {
		return err
	}
	return s.explain(ctx, do(s, repo))
}
