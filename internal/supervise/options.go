package supervise

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"syscall"
	"time"
)

// Command is what one start executes.
type Command struct {
	Path string               // of the executable
	Args []string             // without the executable's own name
	Env  []string             // whole environment; nil inherits ours
	Dir  string               // working directory; empty inherits ours
	Attr *syscall.SysProcAttr // user and capabilities; nil keeps ours. Group and death signal are set here
}

// Options describes a supervised process. Name and Command are required.
type Options struct {
	// Name stands in errors and logs.
	Name string
	// Command returns what to execute; it is asked before each start. An error counts
	// as a failed start.
	Command func(ctx context.Context) (Command, error)
	// Ready returns nil when the started process does its work. It is called after each
	// start; its context ends when the process does. Nil means ready once started.
	Ready func(ctx context.Context) error
	// ReadyTimeout bounds Ready; a process that is not ready by then is killed. Default 60 s.
	ReadyTimeout time.Duration
	// Output receives what the process writes to stdout and stderr. Nil discards it.
	Output io.Writer
	// StopSignal asks the process to end. Default SIGTERM.
	StopSignal syscall.Signal
	// DeathSignal is what the child gets when this process dies (Linux only). Default SIGKILL.
	DeathSignal syscall.Signal
	// Grace is how long Stop waits after StopSignal before it kills. Default 10 s.
	Grace time.Duration
	// MinBackoff and MaxBackoff bound the pause before a restart, which doubles while
	// starts fail in a row. Defaults 100 ms and 5 s.
	MinBackoff, MaxBackoff time.Duration
	// OnChange is told the process id after each start, once it is ready, and 0 when it
	// has ended. Calls never overlap; it must not call Stop.
	OnChange func(pid int)
	// AfterExit runs after each end of the process, before any restart, to clear away
	// what it left behind.
	AfterExit func()
	// Logger reports unexpected exits and restarts. Nil discards.
	Logger *slog.Logger
}

func (o Options) withDefaults() (Options, error) {
	if o.Name == "" || o.Command == nil {
		return o, errors.New("supervise: Name and Command are required")
	}
	setDefault(&o.ReadyTimeout, time.Minute)
	setDefault(&o.Grace, 10*time.Second)
	setDefault(&o.MinBackoff, 100*time.Millisecond)
	setDefault(&o.MaxBackoff, 5*time.Second)
	setDefault(&o.StopSignal, syscall.SIGTERM)
	setDefault(&o.DeathSignal, syscall.SIGKILL)
	if o.Output == nil {
		o.Output = io.Discard
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	if o.OnChange == nil {
		o.OnChange = func(int) {}
	}
	if o.AfterExit == nil {
		o.AfterExit = func() {}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o, nil
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
