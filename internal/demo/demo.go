// Package demo shows a stack at work: it makes a user and a repository, pushes a sample over git, dispatches its
// workflow, and follows the run in the terminal.
package demo

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/token"
)

// Options say where the stack is and where to print.
type Options struct {
	URL        string // of the server
	AdminToken string
	MetricsURL string
	Out        io.Writer
	// Color marks the words of the table by colours.
	Color bool
}

const workflow = "demo.yml"

// Run shows one run from push to end. It returns an error unless the run succeeded.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o, begin: time.Now()}
	for _, step := range []func(context.Context) error{d.signUp, d.push, d.dispatch} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	run, err := d.follow(ctx)
	if err != nil {
		return err
	}
	if err := d.result(ctx, run); err != nil {
		return err
	}
	if run.Conclusion != "success" {
		return fmt.Errorf("the run ended with %q", run.Conclusion)
	}
	return nil
}

// demo is one show.
type demo struct {
	Options
	begin time.Time
	user  *client.Client
	repo  string
	run   int64
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.Out, "%6.2fs  %s\n", time.Since(d.begin).Seconds(), fmt.Sprintf(format, args...))
}

// signUp makes a user with a token and a repository. The name is new each time, so that a demo can be repeated on one
// stack.
func (d *demo) signUp(ctx context.Context) error {
	login, password := "demo-"+token.New()[:8], token.New()
	admin := &client.Client{URL: d.URL, Token: d.AdminToken}
	if err := admin.CreateUser(ctx, login, password); err != nil {
		return fmt.Errorf("make a user: %w", err)
	}
	basic := &client.Client{URL: d.URL, User: login, Password: password}
	tok, err := basic.CreateToken(ctx, "demo", "write:repository", "write:user")
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	d.user = &client.Client{URL: d.URL, Token: tok, User: login}
	if d.repo, err = d.user.CreateRepo(ctx, "hello", true); err != nil {
		return fmt.Errorf("make a repository: %w", err)
	}
	d.say("made user %s with a token, and the private repository %s", login, d.repo)
	return nil
}

func (d *demo) push(ctx context.Context) error {
	if err := pushSample(ctx, d.URL+"/"+d.repo+".git", d.user.User, d.user.Token); err != nil {
		return fmt.Errorf("push: %w", err)
	}
	d.say("pushed a sample with three jobs over git")
	return nil
}

func (d *demo) dispatch(ctx context.Context) error {
	var err error
	d.run, err = d.user.Dispatch(ctx, d.repo, workflow, "main", map[string]string{"who": "world"})
	if err != nil {
		return fmt.Errorf("dispatch: %w", err)
	}
	d.say("dispatched %s: run %d", workflow, d.run)
	return nil
}
