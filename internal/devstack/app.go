package devstack

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/pawl-ci/pawl/internal/supervise"
)

// childGrace is how long a split server or worker may drain.
const childGrace = 30 * time.Second

// stopper is anything that has been started.
type stopper interface {
	// Stop kills when the context ends.
	Stop(ctx context.Context) error
}

// startPart starts server or worker in the chosen mode. Its process id goes to onChange.
func (s *Stack) startPart(ctx context.Context, name string, inside func(context.Context, Config) (Part, error),
	outside func(Config) Child, onChange func(pid int),
) (stopper, error) {
	if s.opt.Split {
		return s.startChild(ctx, name, outside(s.config), onChange)
	}
	part, err := inside(ctx, s.config)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	onChange(os.Getpid())
	go s.forwardFailure(name, part.Failed())
	return part, nil
}

// forwardFailure ends with the part or with the stack.
func (s *Stack) forwardFailure(name string, failed <-chan error) {
	select {
	case err, ok := <-failed:
		if ok && err != nil {
			s.fail(fmt.Errorf("%s: %w", name, err))
		}
	case <-s.stopped:
	}
}

func (s *Stack) startChild(ctx context.Context, name string, child Child, onChange func(pid int)) (stopper, error) {
	own, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	output, err := s.openLog(name)
	if err != nil {
		return nil, err
	}
	options := supervise.Options{
		Name: name,
		Command: func(context.Context) (supervise.Command, error) {
			return supervise.Command{Path: own, Args: child.Args, Env: append(os.Environ(), child.Env...)}, nil
		},
		Output:   output,
		Grace:    childGrace,
		OnChange: onChange,
		Logger:   s.opt.Logger,
	}
	if child.ReadyURL != "" {
		options.Ready = func(ctx context.Context) error { return waitOK(ctx, child.ReadyURL) }
	}
	process, err := supervise.New(options)
	if err != nil {
		return nil, err
	}
	return process, process.Start(ctx)
}
