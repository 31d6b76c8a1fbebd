package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

const (
	maxOutput = 64 << 20 // of one command that is read whole
	maxStderr = 4 << 10
	// killGrace is how long git may take to remove its lock files after SIGTERM.
	killGrace = 5 * time.Second
)

// errStop ends the reading of a command early: the process is killed and the command counts as done.
var errStop = errors.New("stop reading")

// command is one git process to run.
type command struct {
	dir   string   // working directory
	args  []string // after the program name
	env   []string // added to the runner's environment
	stdin io.Reader
}

// runner starts git processes, a bounded number at a time.
type runner struct {
	program string
	env     []string
	slots   chan struct{}
}

func newRunner(program string, env []string, limit int) *runner {
	return &runner{program: program, env: env, slots: make(chan struct{}, limit)}
}

// output runs a command and returns all it wrote, at most 64 MiB.
func (r *runner) output(ctx context.Context, c command) ([]byte, error) {
	var out []byte
	err := r.stream(ctx, c, func(stdout io.Reader) (err error) {
		out, err = readBounded(stdout, maxOutput)
		return err
	})
	return out, err
}

// stream runs a command and lets read consume its output. The process, and all it started, is ended
// when ctx is done or read fails; read may return errStop to end it on purpose.
func (r *runner) stream(ctx context.Context, c command, read func(io.Reader) error) error {
	if err := r.acquire(ctx); err != nil {
		return err
	}
	defer func() { <-r.slots }()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	p := r.prepare(running, c)
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("git %s: %w", p.name, err)
	}
	if err := p.cmd.Start(); err != nil {
		return fmt.Errorf("git %s: %w", p.name, err)
	}
	readErr := read(stdout)
	if readErr != nil {
		cancel()
	}
	return p.outcome(ctx, readErr, p.wait())
}

func (r *runner) acquire(ctx context.Context) error {
	select {
	case r.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// process is one started command.
type process struct {
	name   string // subcommand, for errors
	cmd    *exec.Cmd
	stderr *tail
	killer *time.Timer // set once the context is done
}

func (r *runner) prepare(ctx context.Context, c command) *process {
	p := &process{name: describe(c.args), stderr: &tail{}}
	p.cmd = exec.CommandContext(ctx, r.program, c.args...)
	p.cmd.Dir = c.dir
	p.cmd.Env = append(append([]string{}, r.env...), c.env...)
	p.cmd.Stdin = c.stdin
	p.cmd.Stderr = p.stderr
	// A group of its own, so that the children of git end with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p.cmd.Cancel = p.terminate
	p.cmd.WaitDelay = killGrace
	return p
}

// terminate asks the whole group to end, so that git removes its lock files, and kills what is left
// after the grace.
func (p *process) terminate() error {
	group := -p.cmd.Process.Pid
	p.killer = time.AfterFunc(killGrace, func() { _ = syscall.Kill(group, syscall.SIGKILL) })
	return syscall.Kill(group, syscall.SIGTERM)
}

func (p *process) wait() error {
	err := p.cmd.Wait()
	if p.killer != nil && p.killer.Stop() {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	}
	return err
}

// outcome chooses the error to report: the end of the caller's context, the reader's own, then git's.
func (p *process) outcome(ctx context.Context, readErr, waitErr error) error {
	var exit *exec.ExitError
	switch {
	case errors.Is(readErr, errStop), readErr == nil && waitErr == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("git %s: %w", p.name, context.Cause(ctx))
	case readErr != nil && !errors.Is(readErr, io.ErrUnexpectedEOF) && !errors.Is(readErr, io.EOF):
		return readErr
	case errors.As(waitErr, &exit):
		return &CommandError{Op: p.name, ExitCode: exit.ExitCode(), Stderr: p.stderr.String()}
	}
	return fmt.Errorf("git %s: %w", p.name, errors.Join(readErr, waitErr))
}

// readBounded reads at most limit bytes; more is [ErrTooLarge].
func readBounded(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, limit)
	}
	return data, err
}

// tail keeps the last bytes written to it.
type tail struct{ buf bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	t.buf.Write(p)
	if extra := t.buf.Len() - maxStderr; extra > 0 {
		t.buf.Next(extra)
	}
	return len(p), nil
}

func (t *tail) String() string { return strings.ToValidUTF8(strings.TrimSpace(t.buf.String()), "?") }
