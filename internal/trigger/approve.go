package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Approve lets a run begin that waits for an approval; repeating it changes nothing. The permission to write is needed.
// Fault: 409 when the run never awaited an approval, or ended before it could begin.
func (s *Service) Approve(ctx context.Context, run *db.Run, actor *db.Owner) error {
	wake, err := s.DB.ApproveRun(ctx, run.ID, actor.ID)
	switch {
	case errors.Is(err, db.ErrNeverAwaited):
		return fault.Conflict("this workflow run never awaited an approval")
	case errors.Is(err, db.ErrFinished):
		return fault.Conflict("this workflow run has already finished")
	case err != nil:
		return err
	}
	s.wake(ctx, wake)
	return nil
}

// ReviewRequest is what a reviewer says of the jobs of a run that wait for an environment.
type ReviewRequest struct {
	Run            *db.Run
	Actor          *db.Owner
	EnvironmentIDs []int64
	Approve        bool
	Comment        string
}

// Review approves or rejects the jobs of a run that wait for reviewers of some environments, and returns them. A time
// that they wait for as well goes on. Faults: 403 for who is no reviewer of one of the environments, or has started the
// run himself where that is not enough; 422 when no job waits for a reviewer of them.
func (s *Service) Review(ctx context.Context, r ReviewRequest) ([]db.Deployment, error) {
	pending, err := s.DB.PendingReviews(ctx, r.Run.ID, r.Actor.ID, r.EnvironmentIDs)
	if err != nil {
		return nil, err
	}
	jobs, err := mayReview(pending, r.Actor)
	if err != nil {
		return nil, err
	}
	reviewed, wake, err := s.DB.ReviewDeployments(ctx, db.Verdict{Jobs: jobs, By: r.Actor.ID, Approve: r.Approve, Comment: r.Comment})
	if err != nil {
		return nil, err
	}
	if len(reviewed) == 0 {
		return nil, nothingWaits() // somebody was faster
	}
	s.wake(ctx, wake)
	return reviewed, nil
}

// mayReview returns the jobs that wait for a reviewer, if the user may be it for all of them.
func mayReview(pending []db.PendingReview, user *db.Owner) ([]int64, error) {
	var jobs []int64
	for _, p := range pending {
		switch {
		case !p.HasReviewers && !user.IsAdmin:
			continue
		case !p.MayReview && !user.IsAdmin:
			return nil, fault.Forbidden("you are not a reviewer of environment %q", p.Environment)
		case p.PreventSelfReview && p.TriggerUserID == user.ID:
			return nil, fault.Forbidden("environment %q must not be approved by who started the run", p.Environment)
		}
		jobs = append(jobs, p.JobID)
	}
	if len(jobs) == 0 {
		return nil, nothingWaits()
	}
	return jobs, nil
}

func nothingWaits() error {
	return fault.Unprocessable("no job of this run waits for a reviewer of these environments").In("environment_ids")
}
