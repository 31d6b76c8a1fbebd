package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Delete removes a run that has ended, with its attempts, jobs and logs. Faults: 400 when it has not ended, 404, and 409
// when it is being changed just now.
func (s *Service) Delete(ctx context.Context, repo *db.Repository, run int64) error {
	wake, err := s.DB.DeleteRun(ctx, repo.ID, run)
	switch {
	case errors.Is(err, db.ErrUnfinished):
		return fault.BadRequest("this workflow run is not done")
	case errors.Is(err, db.ErrConflict):
		return fault.Conflict("this workflow run is being changed, try again")
	case err != nil:
		return err
	}
	s.wake(ctx, wake)
	return nil
}
