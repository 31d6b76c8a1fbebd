package trigger

import (
	"context"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/engine"
)

// startTimeout bounds how long a client waits for Temporal, however many runs its request made; the reconciler starts
// what could not be started in time.
const startTimeout = 3 * time.Second

// starts are what Temporal is to be told of stored attempts: whose workflows to start, and who has news because of them.
type starts struct {
	runs []engine.RunStart
	wake []db.RunRef
}

// add puts a stored attempt among those to be started, after it has taken its place in its concurrency group.
func (s *Service) add(ctx context.Context, all *starts, run *db.Run, attempt *db.Attempt, repository, actor string) {
	if attempt.Status.Terminal() {
		return // nothing is to be run
	}
	all.wake = append(all.wake, s.enterGate(ctx, run, attempt)...)
	all.runs = append(all.runs, engine.RunStart{
		RunID: run.ID, AttemptID: attempt.ID, Attempt: attempt.Number, Repository: repository,
		Workflow: run.WorkflowFile, Event: run.Event, Ref: run.Ref, Actor: actor, RunNumber: run.RunNumber,
	})
}

// enterGate has an attempt enter its concurrency group, so that runs do it in the order in which they are made. Whoever
// waits for an approval is passed over (execution-semantics.md §6). A failure is not the caller's: the workflow enters
// again.
func (s *Service) enterGate(ctx context.Context, run *db.Run, attempt *db.Attempt) []db.RunRef {
	if attempt.Concurrency == nil || run.Approval == db.ApprovalNeeded {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	answer, err := s.DB.EnterGate(ctx, db.GateEntry{
		RepoID: run.RepoID, RunID: run.ID, AttemptID: attempt.ID, Concurrency: *attempt.Concurrency,
	})
	if err == nil && answer.State == db.GatePending {
		run.Status = ci.StatusBlocked
		err = s.DB.BlockAttempt(ctx, attempt.ID)
	}
	if err != nil {
		s.Logger.WarnContext(ctx, "a run is stored, its workflow enters the concurrency group", "run", run.ID, "error", err)
	}
	return answer.Wake
}

// start has the workflow of one stored attempt started. A failure is not the caller's: the run is safe.
func (s *Service) start(ctx context.Context, run *db.Run, attempt *db.Attempt, repository, actor string) {
	var all starts
	s.add(ctx, &all, run, attempt, repository, actor)
	s.startAll(ctx, all)
}

// startAll tells Temporal what there is to tell, in order, until something cannot be told: then Temporal is away, for
// the rest as well.
func (s *Service) startAll(ctx context.Context, all starts) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	for i, r := range all.runs {
		if err := s.Engine.StartRun(ctx, r); err != nil {
			s.Logger.WarnContext(ctx, "runs are stored, their workflows start later", "run", r.RunID, "runs", len(all.runs)-i, "error", err)
			return
		}
	}
	s.wakeAll(ctx, all.wake)
}

// wake tells workflows of their news. A failure is not the caller's: the news are stored.
func (s *Service) wake(ctx context.Context, runs []db.RunRef) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTimeout)
	defer cancel()
	s.wakeAll(ctx, runs)
}

func (s *Service) wakeAll(ctx context.Context, runs []db.RunRef) {
	for i, r := range runs {
		if err := s.Engine.WakeRun(ctx, r.RunID, r.Attempt); err != nil {
			s.Logger.WarnContext(ctx, "news are stored, workflows hear of them later", "run", r.RunID, "runs", len(runs)-i, "error", err)
			return
		}
	}
}
