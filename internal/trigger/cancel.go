package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Cancel stops all attempts of a run that go on. Runners hear of it with their next report; the workflow then ends the
// run. By force nothing runs any more, whatever its `if` says, and no runner is waited for. Fault: 409 when the run has
// ended.
func (s *Service) Cancel(ctx context.Context, run *db.Run, actor *db.Owner, force bool) error {
	attempts, err := s.DB.RequestCancel(ctx, db.CancelRequest{RunID: run.ID, By: actor.ID, Force: force})
	if errors.Is(err, db.ErrFinished) {
		return fault.Conflict("this workflow run has already finished")
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	for _, attempt := range attempts {
		if err := s.Engine.CancelRun(ctx, run.ID, attempt, engine.CancelRequest{By: actor.ID, Who: actor.Login, Force: force}); err != nil {
			s.Logger.WarnContext(ctx, "cancel is stored, the workflow hears of it later", "run", run.ID, "error", err)
			return nil
		}
	}
	return nil
}
