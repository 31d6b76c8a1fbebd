package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Pause keeps the jobs of a run that no runner has from being given to one; those that run go on. Repeating it changes
// nothing. Fault: 409 when the run has ended.
func (s *Service) Pause(ctx context.Context, run *db.Run, actor *db.Owner) error {
	return s.pause(ctx, run, actor, s.DB.PauseRun)
}

// Resume is the opposite of Pause.
func (s *Service) Resume(ctx context.Context, run *db.Run, actor *db.Owner) error {
	return s.pause(ctx, run, actor, s.DB.ResumeRun)
}

// pause changes all attempts that go on: after an early rerun there are several.
func (s *Service) pause(ctx context.Context, run *db.Run, actor *db.Owner, change func(context.Context, int64, int, int64) error) error {
	attempts, err := s.DB.OpenAttemptNumbers(ctx, run.ID)
	if err != nil {
		return err
	}
	var changed []db.RunRef
	for _, attempt := range attempts {
		err := change(ctx, run.ID, attempt, actor.ID)
		if errors.Is(err, db.ErrFinished) {
			continue // meanwhile
		}
		if err != nil {
			return err
		}
		changed = append(changed, db.RunRef{RunID: run.ID, Attempt: attempt})
	}
	if len(changed) == 0 {
		return fault.Conflict("this workflow run has already finished")
	}
	s.wake(ctx, changed)
	return nil
}
