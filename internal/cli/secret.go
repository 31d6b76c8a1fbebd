package cli

import (
	"context"
	"errors"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
)

type secretCommands struct {
	List secretList `cmd:"" help:"List the names of secrets."`
	Set  secretSet  `cmd:"" help:"Make or replace a secret; its value is read from standard input."`
	Rm   secretRm   `cmd:"" help:"Remove a secret."`
}

type secretList struct{ levelFlags }

// Run lists the secrets. Those of a user have no list, in Gitea's API neither.
func (c *secretList) Run(ctx context.Context, t *Terminal) error {
	if c.User {
		return errors.New("secrets of a user can be set and removed, but servers do not list them")
	}
	return c.at(ctx, t, func(s *session, level client.Level) error {
		secrets, err := s.Secrets(ctx, level)
		if err != nil || c.JSON {
			return s.jsonOr(secrets, err)
		}
		now := time.Now()
		table := s.table("NAME", "MADE", "DESCRIPTION")
		for _, secret := range secrets {
			table.row(plain(secret.Name), s.age(secret.CreatedAt, now), plain(secret.Description))
		}
		return table.print()
	})
}

// oneName is the argument of verbs about one secret or variable.
type oneName struct {
	levelFlags
	Name string `arg:"" help:"Its name."`
}

type secretSet struct {
	oneName
	Description string `help:"What it is for."`
}

// Run sets the secret.
func (c *secretSet) Run(ctx context.Context, t *Terminal) error {
	value, err := ReadValue(t, "value: ")
	if err != nil {
		return err
	}
	return c.at(ctx, t, func(s *session, level client.Level) error {
		if err := s.SetSecret(ctx, level, c.Name, value, c.Description); err != nil {
			return err
		}
		return s.done(result{Name: c.Name, Result: "set"}, "%s: set", c.Name)
	})
}

type secretRm struct{ oneName }

// Run removes the secret.
func (c *secretRm) Run(ctx context.Context, t *Terminal) error {
	return c.remove(ctx, t, (*client.Client).DeleteSecret)
}

func (c *oneName) remove(ctx context.Context, t *Terminal, do func(*client.Client, context.Context, client.Level, string) error) error {
	return c.at(ctx, t, func(s *session, level client.Level) error {
		if err := do(s.Client, ctx, level, c.Name); err != nil {
			return err
		}
		return s.done(result{Name: c.Name, Result: "removed"}, "%s: removed", c.Name)
	})
}
