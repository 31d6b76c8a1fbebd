package trigger

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// RerunRequest asks for a new attempt of a run.
type RerunRequest struct {
	Repo  *db.Repository
	Run   *db.Run
	Actor *db.Owner
	// Job runs this one again, with what depends on it; 0 is all of them.
	Job int64
	// FailedOnly runs those again that failed or were cancelled, with what depends on them; all when there are none.
	FailedOnly bool
}

// Rerun is a new attempt of a run.
type Rerun struct {
	Run *db.Run
	// Job is the row, in the new attempt, of the job that was asked for.
	Job *db.Job
}

// Rerun makes a new attempt of a run: same commit, same file, same event (execution-semantics.md §7.1). Jobs that are
// not run again are taken over with their ends. A finished job may be run again while others of its run go on, if nothing
// that depends on it has yet to end; the new attempt then takes over their ends when they come.
//
// Faults: 400 when the run is not done, its workflow is disabled, its file was invalid, or it had 50 attempts; 404 for a
// job that is not in the latest attempt; 409 when the job or what depends on it has not ended, or somebody else has just
// made the attempt.
func (s *Service) Rerun(ctx context.Context, r RerunRequest) (Rerun, error) {
	if err := s.checkRerun(ctx, r); err != nil {
		return Rerun{}, err
	}
	next := *r.Run
	n, err := s.newAttempt(ctx, r, &next)
	if err != nil {
		return Rerun{}, err
	}
	var picked *db.Job
	n.Clone = func(jobs []*db.Job) (clones []*db.Job, err error) {
		clones, picked, err = cloneJobs(jobs, r.Job, r.FailedOnly, s.Now())
		return clones, err
	}
	attempt, err := s.DB.CreateRerun(ctx, n)
	if errors.Is(err, db.ErrConflict) {
		return Rerun{}, fault.Conflict("this run is being rerun or changed just now, try again")
	}
	if err != nil {
		return Rerun{}, err
	}
	s.start(ctx, &next, attempt, r.Repo.FullName(), r.Actor.Login)
	return Rerun{Run: &next, Job: picked}, nil
}

func (s *Service) checkRerun(ctx context.Context, r RerunRequest) error {
	run := r.Run
	switch {
	case r.Job == 0 && !run.Status.Terminal():
		return fault.BadRequest("this workflow run is not done")
	case len(run.Problems) > 0:
		return fault.BadRequest("the workflow file of this run is invalid; push a corrected one")
	case run.Attempt >= ci.MaxAttemptsPerRun:
		return fault.BadRequest("this workflow run has reached the limit of %d attempts", ci.MaxAttemptsPerRun)
	case run.SourceRepoID != 0:
		return nil // only files of the repository itself can be disabled
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

// newAttempt evaluates anew what every attempt has of its own: its concurrency group and, when all jobs run again, what
// it calls. For that it needs the run's own file, which runs without either do not keep.
func (s *Service) newAttempt(ctx context.Context, r RerunRequest, next *db.Run) (db.NewAttempt, error) {
	n := db.NewAttempt{Run: next, TriggerUserID: r.Actor.ID, Early: r.Job != 0}
	before, err := s.DB.Attempt(ctx, r.Run.ID, r.Run.Attempt)
	if err != nil {
		return n, err
	}
	n.Concurrency = before.Concurrency
	files, err := s.DB.AttemptFiles(ctx, before.ID)
	if err != nil || len(files) == 0 {
		return n, err
	}
	own := files[0]
	w, err := s.parseContent(own.Path, own.Content)
	if err != nil {
		return n, fmt.Errorf("own file of run %d: %w", r.Run.ID, err)
	}
	if n.Concurrency, err = s.gateAgain(ctx, r, w); err != nil {
		return n, err
	}
	all, err := s.runsAll(ctx, r)
	if err != nil || !all {
		return n, err
	}
	readers, err := s.readersOf(ctx, r)
	if err != nil {
		return n, err
	}
	n.Files, err = s.newOtherRepos().calledFiles(ctx, readers, own, w)
	return n, err
}

// runsAll tells whether every job runs again.
func (s *Service) runsAll(ctx context.Context, r RerunRequest) (bool, error) {
	if r.Job != 0 || !r.FailedOnly {
		return r.Job == 0, nil
	}
	failed, err := s.DB.HasFailed(ctx, r.Run.ID, r.Run.Attempt)
	return !failed, err
}

// gateAgain evaluates the concurrency group of a run for its next attempt (execution-semantics.md §6).
func (s *Service) gateAgain(ctx context.Context, r RerunRequest, w *workflowfile.Workflow) (*ci.Concurrency, error) {
	c, err := s.DB.RunContext(ctx, r.Run.ID, r.Run.Attempt)
	if err != nil {
		return nil, err
	}
	c.Facts.Attempt, c.Facts.TriggeringActor = r.Run.Attempt+1, r.Actor.Login
	github, err := c.Facts.GitHub()
	if err != nil {
		return nil, err
	}
	plan, err := w.Plan(workflowfile.PlanContext{GitHub: github, Inputs: c.Inputs, Vars: c.Vars})
	var invalid *workflowfile.Error
	if errors.As(err, &invalid) {
		return nil, fault.BadRequest("the workflow file of this run cannot be evaluated again: %s", summary(invalid))
	}
	if err != nil {
		return nil, err
	}
	return gate(plan), nil
}

// readersOf are the owners in whose name a run that exists already may read other repositories.
func (s *Service) readersOf(ctx context.Context, r RerunRequest) ([]*db.Owner, error) {
	readers := []*db.Owner{r.Repo.Owner}
	if r.Run.SourceRepoID == 0 {
		return readers, nil
	}
	from, err := s.DB.RepositoryByID(ctx, r.Run.SourceRepoID)
	if errors.Is(err, db.ErrNotFound) {
		return readers, nil
	}
	if err != nil {
		return nil, err
	}
	return append(readers, from.Owner), nil
}
