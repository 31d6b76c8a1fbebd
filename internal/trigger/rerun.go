package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
)

// Rerun makes a new attempt of a finished run with all its jobs: same commit, same file, same event
// (execution-semantics.md §7.1). Faults: 400 when the run is not done, its workflow is disabled, its file was
// invalid, or it had 50 attempts; 409 when somebody else has just made the attempt.
func (s *Service) Rerun(ctx context.Context, repo *db.Repository, run *db.Run, actor *db.Owner) (*db.Run, error) {
	if err := s.checkRerun(ctx, run); err != nil {
		return nil, err
	}
	jobs, err := s.DB.JobsOfAttempt(ctx, run.ID, run.Attempt)
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		resetJob(j)
	}
	attempt := &db.Attempt{RunID: run.ID, Number: run.Attempt + 1, TriggerUserID: actor.ID, Status: ci.StatusWaiting}
	next := *run
	err = s.DB.CreateAttempt(ctx, &next, attempt, jobs)
	if errors.Is(err, db.ErrConflict) {
		return nil, fault.Conflict("another rerun of this run was just made")
	}
	if err != nil {
		return nil, err
	}
	s.start(ctx, &next, attempt, repo.FullName(), actor.Login)
	return &next, nil
}

func (s *Service) checkRerun(ctx context.Context, run *db.Run) error {
	switch {
	case !run.Status.Terminal():
		return fault.BadRequest("this workflow run is not done")
	case len(run.Problems) > 0:
		return fault.BadRequest("the workflow file of this run is invalid; push a corrected one")
	case run.Attempt >= ci.MaxAttemptsPerRun:
		return fault.BadRequest("this workflow run has reached the limit of %d attempts", ci.MaxAttemptsPerRun)
	}
	disabled, err := s.DB.IsWorkflowDisabled(ctx, run.RepoID, run.WorkflowFile)
	if err != nil {
		return err
	}
	if disabled {
		return fault.BadRequest("workflow is disabled")
	}
	return nil
}

// resetJob makes the row of an earlier attempt the one of the next.
func resetJob(j *db.Job) {
	*j = db.Job{
		Key: j.Key, Name: j.Name, Needs: nonNil(j.Needs), RunsOn: nonNil(j.RunsOn), IfExpr: j.IfExpr, Matrix: j.Matrix,
		JobIndex: j.JobIndex, JobTotal: j.JobTotal, FailFast: j.FailFast, MaxParallel: j.MaxParallel,
		ContinueOnError: j.ContinueOnError, TimeoutMinutes: j.TimeoutMinutes, StepNames: nonNil(j.StepNames),
		Payload: j.Payload, Status: db.InitialJobStatus(j.Needs),
	}
}

// Cancel stops the latest attempt of a run. Runners hear of it with their next report; the workflow then ends the
// run. Fault: 409 when the run has ended.
func (s *Service) Cancel(ctx context.Context, run *db.Run, actor *db.Owner) error {
	err := s.DB.RequestCancel(ctx, run.ID, run.Attempt, actor.ID)
	if errors.Is(err, db.ErrFinished) {
		return fault.Conflict("this workflow run has already finished")
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	if err := s.Engine.CancelRun(ctx, run.ID, run.Attempt, actor.ID); err != nil {
		s.Logger.WarnContext(ctx, "cancel is stored, the workflow hears of it later", "run", run.ID, "error", err)
	}
	return nil
}
