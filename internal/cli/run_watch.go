package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

type runWatch struct {
	oneRun
	Interval   time.Duration `default:"1s" help:"Time between two looks where the server has no stream of events; at least 200ms."`
	ExitStatus bool          `name:"exit-status" help:"Fail unless the run succeeds."`
}

// minInterval keeps watchers from asking without a pause, whatever happens in a run.
const minInterval = 200 * time.Millisecond

// Run follows the run: on a terminal by a table that is drawn anew, else by a line for each change.
func (c *runWatch) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		return s.watch(ctx, repo, c.ID, c.Interval, c.ExitStatus)
	})
}

// watch returns when the run has ended; with strict, a run that did not succeed is an error.
func (s *session) watch(ctx context.Context, repo string, id int64, every time.Duration, strict bool) error {
	news, view := s.follow(ctx, repo, id, every), s.newView()
	defer news.stop()
	for {
		var shown shownRun
		err := patiently(ctx, func() (done bool, err error) {
			shown, err = s.readRun(ctx, repo, id, 0)
			return err == nil, err
		})
		if err != nil {
			return err
		}
		view.show(shown, time.Now())
		if shown.Done() {
			return s.ended(shown, strict)
		}
		if err := news.wait(ctx, func() { view.show(shown, time.Now()) }); err != nil {
			return err
		}
	}
}

func (s *session) ended(shown shownRun, strict bool) error {
	if s.flags.JSON {
		if err := s.json(shown); err != nil {
			return err
		}
	}
	if strict && shown.Conclusion != "success" {
		return fmt.Errorf("run %d: %s", shown.ID, shown.Conclusion)
	}
	return nil
}

// view shows a run that changes.
type view interface {
	show(run shownRun, now time.Time)
}

func (s *session) newView() view {
	switch {
	case s.flags.JSON:
		return silent{}
	case s.Rich:
		return &screen{session: s}
	default:
		return &lines{session: s, seen: map[int64]string{}}
	}
}

// silent is for JSON, which shows the end only.
type silent struct{}

func (silent) show(shownRun, time.Time) {}

// lines prints a line for each job whose state has changed, and for the run.
type lines struct {
	*session
	seen map[int64]string // by job; the run is 0
}

func (l *lines) show(run shownRun, _ time.Time) {
	for _, j := range run.Jobs {
		l.note(j.ID, j.Name, state(j.Status, j.Conclusion), jobWhy(j))
	}
	l.note(0, fmt.Sprintf("run %d", run.ID), state(run.Status, run.Conclusion), runWhy(run.Run))
}

func (l *lines) note(key int64, name string, now cell, reason string) {
	text := clean(name) + ": " + now.text
	if reason != "" {
		text += " (" + clean(reason) + ")"
	}
	if l.seen[key] != text {
		l.seen[key] = text
		l.say("%s", text)
	}
}

// screen draws a table over the one before.
type screen struct {
	*session
	drawn int // lines that are on the screen
}

func (d *screen) show(run shownRun, now time.Time) {
	head := fmt.Sprintf("%s %s · %s #%d · %s", d.paint(mark(run.Status, run.Conclusion)), clean(run.Title), fileOf(run.Path),
		run.RunNumber, d.paint(state(run.Status, run.Conclusion)))
	if reason := runWhy(run.Run); reason != "" {
		head += " (" + clean(reason) + ")"
	}
	fixed := []string{head, d.progress(run.Jobs), ""}
	jobs, hidden := fit(run.Jobs, d.Height-len(fixed)-3)
	all := append(fixed, d.jobTable(jobs, now).lines()...)
	if hidden > 0 {
		all = append(all, d.paint(cell{text: fmt.Sprintf("and %d more", hidden), color: gray}))
	}
	d.draw(all)
}

// fit leaves the jobs that have a place on the screen: those that have ended give way first.
func fit(jobs []client.Job, most int) (shown []client.Job, hidden int) {
	surplus := len(jobs) - max(most, 1)
	if surplus <= 0 {
		return jobs, 0
	}
	for _, j := range jobs {
		if j.Done() && hidden < surplus {
			hidden++
			continue
		}
		shown = append(shown, j)
	}
	if over := len(shown) - max(most, 1); over > 0 {
		shown, hidden = shown[:len(shown)-over], hidden+over
	}
	return shown, hidden
}

// draw replaces what it drew before. Lines are cut at the edge, because one that wraps would be two.
func (d *screen) draw(all []string) {
	var out strings.Builder
	if d.drawn > 0 {
		fmt.Fprintf(&out, "\x1b[%dA", d.drawn)
	}
	for _, line := range all {
		out.WriteString("\r" + cut(line, d.Width) + "\x1b[K\n")
	}
	out.WriteString("\x1b[J")
	d.drawn = len(all)
	fmt.Fprint(d.Out, out.String())
}

// progress is a bar of the jobs that have ended.
func (d *screen) progress(jobs []client.Job) string {
	const width = 30
	if len(jobs) == 0 {
		return ""
	}
	done := 0
	for _, j := range jobs {
		if j.Done() {
			done++
		}
	}
	filled := done * width / len(jobs)
	return fmt.Sprintf("%s%s %d/%d jobs", d.paint(cell{text: strings.Repeat("█", filled), color: green}),
		d.paint(cell{text: strings.Repeat("░", width-filled), color: gray}), done, len(jobs))
}

// cut shortens a line to a number of columns; escape sequences take none.
func cut(line string, width int) string {
	columns, escape := 0, false
	for i, r := range line {
		switch {
		case r == '\x1b':
			escape = true
		case escape:
			escape = r != 'm'
		case columns == width:
			return line[:i] + "\x1b[0m"
		default:
			columns++
		}
	}
	return line
}
