package cli

import (
	"context"

	"github.com/pawl-ci/pawl/internal/client"
)

// levelFlags choose between the places that have secrets and variables of their own.
type levelFlags struct {
	Flags
	Org  string `xor:"level" placeholder:"NAME" help:"Of this organization and not of a repository."`
	User bool   `xor:"level" help:"Of the user and not of a repository."`
}

// at does something at the level: the repository, unless a flag says otherwise.
func (c *levelFlags) at(ctx context.Context, t *Terminal, do func(*session, client.Level) error) error {
	s, err := c.open(t)
	if err != nil {
		return err
	}
	level, err := c.level(ctx, s)
	if err != nil {
		return err
	}
	return s.explain(ctx, do(s, level))
}

func (c *levelFlags) level(ctx context.Context, s *session) (client.Level, error) {
	switch {
	case c.Org != "":
		return client.OrgLevel(c.Org), nil
	case c.User:
		return client.UserLevel(), nil
	}
	repo, err := s.repo(ctx)
	return client.RepoLevel(repo), err
}

// runnerFlags choose between the places that have runners of their own.
type runnerFlags struct {
	levelFlags
	Instance bool `xor:"level" help:"Of the whole installation; needs an administrator."`
}

func (c *runnerFlags) at(ctx context.Context, t *Terminal, do func(*session, client.Level) error) error {
	if !c.Instance {
		return c.levelFlags.at(ctx, t, do)
	}
	s, err := c.open(t)
	if err != nil {
		return err
	}
	return s.explain(ctx, do(s, client.InstanceLevel()))
}
