package cli

import (
	"context"
	"fmt"
)

type runDelete struct {
	oneRun
	Yes bool `short:"y" help:"Do not ask."`
}

// Run deletes the run. Before it asks it looks the run up, so that the user sees which one is meant.
func (c *runDelete) Run(ctx context.Context, t *Terminal) error {
	return c.inRepo(ctx, t, func(s *session, repo string) error {
		if !c.Yes {
			run, err := s.Client.Run(ctx, repo, c.ID)
			if err != nil {
				return err
			}
			question := fmt.Sprintf("Delete run %d of %s, %q, with its logs?", c.ID, repo, clean(run.Title))
			if err := confirm(t, question); err != nil {
				return err
			}
		}
		if err := s.DeleteRun(ctx, repo, c.ID); err != nil {
			return err
		}
		return s.done(result{Run: c.ID, Result: "deleted"}, "run %d: deleted", c.ID)
	})
}
