package trigger

import (
	"context"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
)

// startTimeout bounds how long a client waits for Temporal, however many runs its request made; the reconciler starts
// what could not be started in time.
const startTimeout = 3 * time.Second

// starts are stored attempts whose workflows are to be started.
type starts []engine.RunStart

func runStart(run *db.Run, attempt *db.Attempt, repository, actor string) engine.RunStart {
	if attempt.Status.Terminal() {
		return engine.RunStart{} // nothing is to be run
	}
	return engine.RunStart{
		RunID: run.ID, AttemptID: attempt.ID, Attempt: attempt.Number, Repository: repository,
		Workflow: run.WorkflowFile, Event: run.Event, Ref: run.Ref, Actor: actor, RunNumber: run.RunNumber,
	}
}

// start has the workflow of one stored attempt started. A failure is not the caller's: the run is safe.
func (s *Service) start(ctx context.Context, run *db.Run, attempt *db.Attempt, repository, actor string) {
	s.startAll(ctx, starts{runStart(run, attempt, repository, actor)})
}

// startAll starts workflows in order until one cannot be started: then Temporal is away, for the others as well.
func (s *Service) startAll(ctx context.Context, all starts) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	for i, r := range all {
		if r.RunID == 0 {
			continue
		}
		if err := s.Engine.StartRun(ctx, r); err != nil {
			s.Logger.WarnContext(ctx, "runs are stored, their workflows start later", "run", r.RunID, "runs", len(all)-i, "error", err)
			return
		}
	}
}
