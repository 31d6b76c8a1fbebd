package supervise

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// drainOutput is how long output is still read after the child ended, when one of its
// own children holds the pipe open.
const drainOutput = time.Second

// runOnce starts the child and returns when it has ended, with the reason.
func (p *Process) runOnce(onReady func()) error {
	if p.isStopping() {
		return ErrStopped
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cmd, err := p.spawn(ctx)
	if err != nil {
		return err
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()

	p.setPID(cmd.Process.Pid)
	err = p.watch(ctx, cmd.Process.Pid, exited, onReady)
	p.setPID(0)
	p.opt.AfterExit()
	p.opt.OnChange(0)
	return p.describe(err)
}

func (p *Process) spawn(ctx context.Context) (*exec.Cmd, error) {
	command, err := p.opt.Command(ctx)
	if err != nil {
		return nil, err
	}
	p.tail.reset()
	cmd := exec.Command(command.Path, command.Args...)
	cmd.Env, cmd.Dir = command.Env, command.Dir
	cmd.Stdout, cmd.Stderr = p.tail, p.tail
	cmd.WaitDelay = drainOutput
	cmd.SysProcAttr = p.attributes(command.Attr)
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return cmd, nil
}

// attributes leaves those that were given to us unchanged.
func (p *Process) attributes(given *syscall.SysProcAttr) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{}
	if given != nil {
		*attr = *given
	}
	attr.Setpgid = true
	setDeathSignal(attr, p.opt.DeathSignal)
	return attr
}

// watch returns the end of a running child, caused by itself, by Stop, or because it
// did not become ready.
func (p *Process) watch(ctx context.Context, pid int, exited <-chan error, onReady func()) error {
	readyCtx, cancel := context.WithTimeout(ctx, p.opt.ReadyTimeout)
	defer cancel()
	ready := make(chan error, 1)
	go func() { ready <- p.opt.Ready(readyCtx) }()

	for {
		select {
		case err := <-exited:
			killGroup(pid)
			return exitReason(err)
		case <-p.stopping:
			return p.end(pid, exited)
		case err := <-ready:
			ready = nil
			if err != nil {
				killGroup(pid)
				return fmt.Errorf("not ready: %w", errors.Join(err, ignoreExit(<-exited)))
			}
			p.opt.OnChange(pid)
			onReady()
		}
	}
}

// end stops the child: the signal first, force after the grace time or on Kill.
func (p *Process) end(pid int, exited <-chan error) error {
	_ = syscall.Kill(pid, p.opt.StopSignal)
	grace := time.NewTimer(p.opt.Grace)
	defer grace.Stop()
	select {
	case err := <-exited:
		killGroup(pid)
		return exitReason(err)
	case <-grace.C:
		p.opt.Logger.Warn("child process did not stop in time, killing it", "process", p.opt.Name, "pid", pid)
	case <-p.killing:
	}
	killGroup(pid)
	return exitReason(<-exited)
}

// killGroup kills what is left of the group that the child leads, itself included.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

func exitReason(err error) error {
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		return errors.New("exit status 0")
	}
	return err
}

// ignoreExit drops the status of a child that we killed ourselves.
func ignoreExit(err error) error {
	var status *exec.ExitError
	if errors.As(err, &status) || errors.Is(err, exec.ErrWaitDelay) {
		return nil
	}
	return err
}

// describe adds the last words of the child, which usually tell why it ended.
func (p *Process) describe(err error) error {
	if words := p.tail.String(); words != "" {
		return fmt.Errorf("%w; last output: %s", err, words)
	}
	return err
}
