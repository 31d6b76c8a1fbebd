package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/pawl-ci/pawl/internal/devstack"
)

// stackFlags choose how the stack of one machine runs.
type stackFlags struct {
	HTTP                string        `name:"http" env:"PAWL_DEV_HTTP" help:"Address of the server; port 0 picks a free one and keeps it. Unset: 127.0.0.1:3000 for dev, a free port for demo."`
	PostgresPort        int           `name:"postgres-port" default:"0" help:"Port of Postgres; 0 picks a free one."`
	TemporalPort        int           `name:"temporal-port" default:"0" help:"Port of Temporal; 0 picks a free one."`
	TemporalUIPort      int           `name:"temporal-ui-port" default:"0" help:"Port of the Temporal UI; 0 picks a free one."`
	TemporalMetricsPort int           `name:"temporal-metrics-port" default:"0" help:"Port of Temporal's metrics; 0 picks a free one."`
	WorkerPort          int           `name:"worker-port" default:"0" help:"Port of the worker's metrics and health with --split; 0 picks a free one."`
	RunnerPort          int           `name:"runner-port" default:"0" help:"Port of the runner's metrics; 0 picks a free one."`
	DatabaseURL         string        `name:"database-url" env:"PAWL_DEV_DATABASE_URL" help:"Superuser's URL of a Postgres to use instead of an own one."`
	Split               bool          `name:"split" help:"Run server and worker as processes of their own."`
	NoRunner            bool          `name:"no-runner" help:"Start no runner."`
	RunnerCapacity      int           `name:"runner-capacity" default:"4" help:"Jobs that the runner works on at a time."`
	RunnerLabels        []string      `name:"runner-label" help:"Labels of the runner instead of the default ones."`
	Temporald           string        `name:"temporald" type:"path" help:"Path of temporald; unset: beside pawl, or on PATH."`
	RunnerBinary        string        `name:"runner-binary" type:"path" help:"Path of gitea-runner; unset: beside pawl, or on PATH."`
	ProfileAddr         string        `name:"profile-addr" env:"PAWL_PROFILE_ADDR" help:"Address to serve Go profiles on, when not split."`
	LostAfter           time.Duration `name:"lost-after" env:"PAWL_LOST_AFTER" default:"60s" help:"How long a runner may be silent before its task is given up."`
	CallEventName       string        `name:"call-event-name" env:"PAWL_CALL_EVENT_NAME" enum:"caller,workflow_call" default:"caller" help:"Event that jobs of called workflows see."`
}

func (f stackFlags) options(dataDir string, logger *slog.Logger) devstack.Options {
	return devstack.Options{
		DataDir: dataDir,
		HTTP:    f.HTTP,
		Ports: devstack.Ports{
			Postgres: f.PostgresPort, Temporal: f.TemporalPort, TemporalUI: f.TemporalUIPort,
			TemporalMetrics: f.TemporalMetricsPort, Worker: f.WorkerPort, Runner: f.RunnerPort,
		},
		DatabaseURL: f.DatabaseURL,
		Split:       f.Split,
		NoRunner:    f.NoRunner,
		Temporald:   f.Temporald,
		Runner:      devstack.RunnerOptions{Binary: f.RunnerBinary, Labels: f.RunnerLabels, Capacity: f.RunnerCapacity},
		Logger:      logger,
	}
}

type devCommand struct {
	stackFlags
	DataDir string `name:"data-dir" env:"PAWL_DEV_DATA_DIR" default:".pawl" type:"path" help:"Directory of everything that the stack keeps."`
}

// Run keeps the stack up until it is told to stop.
func (c *devCommand) Run(ctx context.Context, logger *slog.Logger) error {
	c.HTTP = cmp.Or(c.HTTP, "127.0.0.1:3000")
	stack, err := startStack(ctx, c.DataDir, c.stackFlags, logger)
	if err != nil {
		return err
	}
	printLinks(os.Stdout, stack.Info())
	select {
	case <-ctx.Done():
		err = nil
	case err = <-stack.Failed():
	}
	logger.Info("stopping")
	return joinStop(err, stack.Stop)
}

// startStack starts everything in one data directory.
func startStack(ctx context.Context, dataDir string, flags stackFlags, logger *slog.Logger) (*devstack.Stack, error) {
	parts := &stackParts{flags: flags, logger: logger}
	stack, err := devstack.New(flags.options(dataDir, logger), parts.devstack())
	if err != nil {
		return nil, err
	}
	return stack, stack.Start(ctx)
}

// stopPatience is how long the stack may drain before it is killed.
const stopPatience = time.Minute

// joinStop stops the stack, whatever else went wrong.
func joinStop(err error, stop func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
	defer cancel()
	if stopErr := stop(ctx); err == nil {
		err = stopErr
	}
	return err
}

func printLinks(w io.Writer, i devstack.Info) {
	fmt.Fprintf(w, `
Pawl is ready.

  server        %s
  API           %s/api/v1
  Temporal UI   %s
  metrics       %s
  logs          %s
  user          %s (token in dev.json of the data directory)

Press Ctrl-C to stop.
`, i.URL, i.URL, i.TemporalUIURL, i.MetricsURL, i.LogDir, i.AdminUser)
}
