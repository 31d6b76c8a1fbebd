package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

type workflowCommands struct {
	List    workflowList    `cmd:"" help:"List the workflows of the default branch."`
	Run     workflowRun     `cmd:"" help:"Start a workflow that has workflow_dispatch."`
	Enable  workflowEnable  `cmd:"" help:"Let a workflow start runs again."`
	Disable workflowDisable `cmd:"" help:"Stop a workflow from starting runs."`
	Lint    workflowLint    `cmd:"" help:"Check workflow files on this machine; asks no server."`
}

type workflowList struct{ Flags }

// Run lists the workflows.
func (c *workflowList) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		all, err := s.Workflows(ctx, repo)
		if err != nil || c.JSON {
			return s.jsonOr(all, err)
		}
		table := s.table("FILE", "NAME", "STATE", "PATH")
		for _, w := range all {
			table.row(plain(w.ID), plain(w.Name), stateOfWorkflow(w.State), plain(w.Path))
		}
		return table.print()
	})
}

func stateOfWorkflow(word string) cell {
	if word == "active" {
		return cell{text: word, color: green}
	}
	return cell{text: word, color: yellow}
}

type workflowRun struct {
	Flags
	File   string   `arg:"" help:"File name of the workflow."`
	Ref    string   `short:"r" help:"Branch, tag or full ref; else the default branch."`
	Input  []string `short:"f" sep:"none" placeholder:"NAME=VALUE" help:"An input; may be given several times."`
	Watch  bool     `short:"w" help:"Follow the run until it ends, and fail unless it succeeds."`
	Unique string   `name:"idempotency-key" help:"The server starts one run for a key, however often it is asked."`
}

// Run starts the workflow.
func (c *workflowRun) Run(ctx context.Context, t *Terminal) error {
	inputs, err := readInputs(c.Input)
	if err != nil {
		return err
	}
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		if c.Ref == "" {
			if c.Ref, err = s.DefaultBranch(ctx, repo); err != nil {
				return err
			}
		}
		id, err := s.DispatchOnce(ctx, repo, c.File, c.Ref, inputs, c.Unique)
		if err != nil {
			return err
		}
		if c.Watch {
			return s.watch(ctx, repo, id, time.Second, true)
		}
		return s.done(result{Run: id, Workflow: c.File, Result: "started"}, "run %d: started", id)
	})
}

// readInputs reads NAME=VALUE pairs.
func readInputs(pairs []string) (map[string]string, error) {
	inputs := make(map[string]string, len(pairs))
	for _, pair := range pairs {
		name, value, found := strings.Cut(pair, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("input %q: it must be NAME=VALUE", pair)
		}
		if _, twice := inputs[name]; twice {
			return nil, fmt.Errorf("input %q is given twice", name)
		}
		inputs[name] = value
	}
	return inputs, nil
}

// oneWorkflow is the argument of verbs about one workflow.
type oneWorkflow struct {
	Flags
	File string `arg:"" help:"File name of the workflow."`
}

type workflowEnable struct{ oneWorkflow }

// Run enables the workflow.
func (c *workflowEnable) Run(ctx context.Context, t *Terminal) error {
	return c.setDisabled(ctx, t, false)
}

type workflowDisable struct{ oneWorkflow }

// Run disables the workflow.
func (c *workflowDisable) Run(ctx context.Context, t *Terminal) error {
	return c.setDisabled(ctx, t, true)
}

func (c *oneWorkflow) setDisabled(ctx context.Context, t *Terminal, disabled bool) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		if err := s.SetWorkflowDisabled(ctx, repo, c.File, disabled); err != nil {
			return err
		}
		word := "enabled"
		if disabled {
			word = "disabled"
		}
		return s.done(result{Workflow: c.File, Result: word}, "%s: %s", c.File, word)
	})
}

var errLint = errors.New("there are problems")
