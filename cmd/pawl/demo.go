package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/pawl-ci/pawl/internal/demo"
	"github.com/pawl-ci/pawl/internal/devstack"
)

type demoCommand struct {
	stackFlags
	Timeout time.Duration `default:"3m" help:"Give up after this long."`
	Keep    bool          `help:"Leave the data directory in place."`
}

// Run starts a stack in a temporary directory, shows one run, and takes the stack down again.
func (c *demoCommand) Run(ctx context.Context, logger *slog.Logger) (err error) {
	dir, err := os.MkdirTemp("", "pawl-demo-")
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if !c.Keep {
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	}
	fmt.Println("starting Postgres, Temporal, server, worker and a runner in", dir)
	stack, err := startStack(ctx, dir, c.stackFlags, logger)
	if err != nil {
		return err
	}
	defer func() { err = joinStop(err, stack.Stop) }()
	return c.show(ctx, stack.Info())
}

func (c *demoCommand) show(ctx context.Context, info devstack.Info) error {
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	return demo.Run(ctx, demo.Options{
		URL: info.URL, AdminToken: info.AdminToken, MetricsURL: info.MetricsURL, Out: os.Stdout,
		Color: term.IsTerminal(int(os.Stdout.Fd())),
	})
}
