package devstack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/pawl-ci/pawl/internal/supervise"
)

const (
	runnerName = "pawl-dev"
	// runnerGrace covers the runner's own shutdown_timeout and its last reports.
	runnerGrace   = 8 * time.Second
	registerLimit = 30 * time.Second
)

// runner is the official runner as a supervised child. It is registered once per data
// directory.
type runner struct {
	opt    RunnerOptions
	binary string
	dir    string
	port   int    // of its health endpoint
	url    string // of the server
	token  string // for registration
	mark   string // in the environment of it and of its jobs

	output   io.Writer
	onChange func(pid int)
	logger   *slog.Logger
	process  *supervise.Process
	orphans  *orphanWatch
}

func (r *runner) path(name string) string  { return filepath.Join(r.dir, name) }
func (r *runner) configFile() string       { return r.path("config.yaml") }
func (r *runner) registrationFile() string { return r.path(".runner") }

// Start returns when the runner has declared itself to the server.
func (r *runner) Start(ctx context.Context) error {
	if err := os.MkdirAll(r.path("work"), 0o700); err != nil {
		return fmt.Errorf("directory of the runner: %w", err)
	}
	killMarked(r.mark) // jobs of a runner that was killed together with its stack
	if err := r.writeConfig(ctx); err != nil {
		return err
	}
	registered, err := adoptRegistration(r.registrationFile(), r.url)
	if err != nil {
		return err
	}
	if registered {
		err = r.launch(ctx)
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.logger.Warn("the server does not take the runner's old registration, registering anew", "error", err)
	}
	if err := r.register(ctx); err != nil {
		return err
	}
	return r.launch(ctx)
}

func (r *runner) launch(ctx context.Context) error {
	process, err := supervise.New(supervise.Options{
		Name:    "runner",
		Command: r.command,
		Ready: func(ctx context.Context) error {
			return waitOK(ctx, "http://"+joinAddress(loopback, r.port)+"/healthz")
		},
		Output:    r.output,
		Grace:     runnerGrace,
		OnChange:  r.onChange,
		AfterExit: func() { killMarked(r.mark) },
		Logger:    r.logger,
	})
	if err != nil {
		return err
	}
	if err := process.Start(ctx); err != nil {
		return err
	}
	r.process = process
	r.orphans = watchOrphans(r.mark, process.PID, r.logger)
	return nil
}

// command is asked before each start; a docker daemon may have come or gone.
func (r *runner) command(ctx context.Context) (supervise.Command, error) {
	if err := r.writeConfig(ctx); err != nil {
		return supervise.Command{}, err
	}
	return supervise.Command{
		Path: r.binary,
		Args: []string{"daemon", "--config", r.configFile()},
		Env:  jobEnv(os.Environ(), r.mark),
		Dir:  r.dir,
	}, nil
}

func (r *runner) register(ctx context.Context) error {
	if err := removeFile(r.registrationFile()); err != nil {
		return fmt.Errorf("register the runner: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, registerLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, "register", "--no-interactive", "--config", r.configFile(),
		"--instance", r.url, "--token", r.token, "--name", runnerName)
	cmd.Dir = r.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("register the runner: %w: %s", errors.Join(ctx.Err(), err), out)
	}
	return os.Chmod(r.registrationFile(), 0o600)
}

// Stop lets running jobs end for a moment, then cancels them, and kills what is left of
// them. It may be called again, and before Start.
func (r *runner) Stop(ctx context.Context) error {
	if r.process == nil {
		return nil
	}
	r.orphans.stop()
	return r.process.Stop(ctx)
}
