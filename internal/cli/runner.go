package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

type runnerCommands struct {
	List   runnerList   `cmd:"" help:"List the runners."`
	Token  runnerToken  `cmd:"" help:"Print the token with which runners register."`
	Pause  runnerPause  `cmd:"" help:"Give a runner no more tasks; what runs goes on."`
	Resume runnerResume `cmd:"" help:"Give a runner tasks again."`
	Drain  runnerDrain  `cmd:"" help:"Pause a runner and wait until it has nothing to do."`
	Rm     runnerRm     `cmd:"" help:"Remove a runner."`
}

type runnerList struct{ runnerFlags }

// Run lists the runners.
func (c *runnerList) Run(ctx context.Context, t *Terminal) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		runners, err := s.Runners(ctx, level)
		if err != nil || c.JSON {
			return s.jsonOr(runners, err)
		}
		table := s.table("ID", "NAME", "STATUS", "LABELS")
		for _, r := range runners {
			table.row(plain(strconv.FormatInt(r.ID, 10)), plain(r.Name), stateOfRunner(r), plain(labelsOf(r)))
		}
		return table.print()
	})
}

func stateOfRunner(r client.Runner) cell {
	switch {
	case r.Disabled && r.Busy:
		return cell{text: "draining", color: yellow}
	case r.Disabled:
		return cell{text: "paused", color: yellow}
	case r.Busy:
		return cell{text: "busy", color: blue}
	case r.Status == "online":
		return cell{text: "idle", color: green}
	default:
		return cell{text: r.Status, color: gray}
	}
}

func labelsOf(r client.Runner) string {
	names := make([]string, len(r.Labels))
	for i, l := range r.Labels {
		names[i] = l.Name
	}
	return strings.Join(names, ", ")
}

type runnerToken struct{ runnerFlags }

// Run prints the token.
func (c *runnerToken) Run(ctx context.Context, t *Terminal) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		token, err := s.RegistrationToken(ctx, level)
		if err != nil || c.JSON {
			return s.jsonOr(map[string]string{"token": token}, err)
		}
		s.say("%s", token)
		return nil
	})
}

// oneRunner is the argument of verbs about one runner.
type oneRunner struct {
	runnerFlags
	ID int64 `arg:"" name:"runner" help:"Id of the runner."`
}

type runnerPause struct{ oneRunner }

// Run pauses the runner.
func (c *runnerPause) Run(ctx context.Context, t *Terminal) error { return c.setDisabled(ctx, t, true) }

type runnerResume struct{ oneRunner }

// Run lets the runner have tasks again.
func (c *runnerResume) Run(ctx context.Context, t *Terminal) error {
	return c.setDisabled(ctx, t, false)
}

func (c *oneRunner) setDisabled(ctx context.Context, t *Terminal, disabled bool) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		r, err := s.SetRunnerDisabled(ctx, level, c.ID, disabled)
		if err != nil {
			return err
		}
		word := stateOfRunner(r).text
		return s.done(result{Runner: c.ID, Name: r.Name, Result: word}, "%s: %s", clean(r.Name), word)
	})
}

type runnerDrain struct {
	oneRunner
	Timeout time.Duration `default:"1h" help:"How long to wait."`
}

// Run pauses the runner, and waits for what it runs. The server may take some seconds to see that a runner is idle.
func (c *runnerDrain) Run(ctx context.Context, t *Terminal) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return c.at(ctx, t, func(s *session, level client.Level) error {
		r, err := s.SetRunnerDisabled(ctx, level, c.ID, true)
		if err != nil {
			return err
		}
		err = patiently(ctx, func() (idle bool, err error) {
			r, err = s.Runner(ctx, level, c.ID)
			return err == nil && !r.Busy, err
		})
		if err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
			return fmt.Errorf("%s: still busy after %s; it has no new tasks", clean(r.Name), c.Timeout)
		}
		if err != nil {
			return err
		}
		return s.done(result{Runner: c.ID, Name: r.Name, Result: "drained"}, "%s: drained", clean(r.Name))
	})
}

type runnerRm struct{ oneRunner }

// Run removes the runner.
func (c *runnerRm) Run(ctx context.Context, t *Terminal) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		if err := s.DeleteRunner(ctx, level, c.ID); err != nil {
			return err
		}
		return s.done(result{Runner: c.ID, Result: "removed"}, "runner %d: removed", c.ID)
	})
}
