package runnergw

import (
	"context"
	"errors"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/token"
)

const (
	// answerMargin is how long before the deadline of a poll it is answered.
	answerMargin = 100 * time.Millisecond
	// claimMargin is the least time before the deadline at which a task is still claimed.
	claimMargin = 50 * time.Millisecond
	// contendedPause is how soon a poll looks again that found only offers which others had locked.
	contendedPause = 20 * time.Millisecond
)

// FetchTask implements runner-protocol.md §6: the poll is held until there is a task or its deadline is near. The
// version is a hint that runners send back; it is never compared (known-problems.md B1).
func (s *runnerService) FetchTask(ctx context.Context, req *connect.Request[runnerv1.FetchTaskRequest]) (*connect.Response[runnerv1.FetchTaskResponse], error) {
	c, err := knownRunner(ctx)
	if err != nil {
		return nil, err
	}
	s.g.presence.online(c.runner.ID)
	task, err := s.g.poll(ctx, c)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&runnerv1.FetchTaskResponse{Task: task, TasksVersion: max(req.Msg.TasksVersion, 1)}), nil
}

// poll returns nil when there was nothing until it had to answer.
func (g *Gateway) poll(ctx context.Context, c *caller) (*runnerv1.Task, error) {
	w, ok := g.dispatch.join(c.runner)
	if !ok {
		return nil, nil
	}
	defer g.dispatch.leave(w)
	until := g.holdUntil(ctx)
	for {
		task, again, err := g.look(ctx, until, w, c)
		if task != nil || err != nil {
			return task, err
		}
		if !g.dispatch.wait(ctx, w, min(again, time.Until(until))) || !time.Now().Before(until) {
			return nil, nil
		}
	}
}

// holdUntil is when a poll is answered at the latest, and until when a task is claimed for it. A deadline that is
// too short for the usual margin leaves time for one look.
func (g *Gateway) holdUntil(ctx context.Context) time.Time {
	now := time.Now()
	until := now.Add(g.options.MaxHold)
	deadline, ok := ctx.Deadline()
	if !ok || deadline.Add(-answerMargin).After(until) {
		return until
	}
	if comfortable := deadline.Add(-answerMargin); comfortable.After(now) {
		return comfortable
	}
	return deadline.Add(-claimMargin)
}

// look tries once to get a task; again is when to look next without having been woken.
func (g *Gateway) look(ctx context.Context, until time.Time, w *waiter, c *caller) (task *runnerv1.Task, again time.Duration, err error) {
	again = jitter(g.options.SearchEvery)
	r, err := g.mayWork(ctx, c)
	if err != nil {
		return nil, again, err
	}
	g.dispatch.look(w, r)
	if r.IsDisabled {
		return nil, again, nil
	}
	secret := token.New()
	got, err := g.claim(ctx, until, r, secret)
	switch {
	case err != nil:
		return nil, again, err
	case got.Task != nil:
		task, err = g.handOver(ctx, r, got, secret, c.root)
		return task, 0, err
	case got.Contended:
		return nil, jitter(contendedPause), nil
	}
	return nil, again, nil
}

// mayWork returns the calling runner as it is now, which may have changed since its poll began.
func (g *Gateway) mayWork(ctx context.Context, c *caller) (*db.Runner, error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	r, err := g.auth.runner(ctx, c.runner.UUID)
	switch {
	case err != nil:
		return nil, err
	case r.RemovedAt.IsZero():
		return r, nil
	case r.IsEphemeral:
		return nil, errRemoved
	}
	return nil, errUnregistered
}

// claim makes a task of the first offer that fits the runner, unless it is too late.
func (g *Gateway) claim(ctx context.Context, until time.Time, r *db.Runner, secret string) (db.ClaimResult, error) {
	if !g.takeClaimSlot(ctx, until) {
		return db.ClaimResult{}, nil
	}
	defer func() { <-g.claims }()
	// A claim that has begun is not cut off in the middle, because then nobody would know whether it succeeded.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryLimit)
	defer cancel()
	sets, err := g.labels.served(ctx, r.Labels)
	if err != nil {
		return db.ClaimResult{}, dbFault(err)
	}
	got, err := g.db.Claim(ctx, db.Claim{RunnerID: r.ID, Scope: r.Scope(), LabelSets: sets, TokenHash: g.tokens.Hash(secret),
		IsEphemeral: r.IsEphemeral})
	if errors.Is(err, db.ErrRunnerUsed) {
		return got, g.removeUsed(ctx, r)
	}
	return got, dbFault(err)
}

// takeClaimSlot waits until fewer than maxClaims claims run; false when the poll is over before.
func (g *Gateway) takeClaimSlot(ctx context.Context, until time.Time) bool {
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	if ctx.Err() != nil {
		return false
	}
	select {
	case g.claims <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// removeUsed removes an ephemeral runner that asks for a second task (runner-protocol.md §6).
func (g *Gateway) removeUsed(ctx context.Context, r *db.Runner) error {
	if err := g.db.RemoveRunner(ctx, r.ID); err != nil && !errors.Is(err, db.ErrNotFound) {
		return dbFault(err)
	}
	g.auth.forget(r.UUID)
	return errRemoved
}

// handOver builds the content of a task that was just claimed. A task that cannot be built ends by itself, and its job is
// offered again as far as the workflow lets it: other tasks must not suffer from it (known-problems.md B4). nil without
// an error means that there may be another one.
func (g *Gateway) handOver(ctx context.Context, r *db.Runner, got db.ClaimResult, secret, root string) (*runnerv1.Task, error) {
	working, cancel := context.WithTimeout(context.WithoutCancel(ctx), queryLimit)
	defer cancel()
	c := got.Task
	g.claimed(working, r, got)
	made, err := g.content.build(working, c, secret, root)
	switch {
	case err != nil && !isBroken(err):
		g.giveUp(c, g.db.ReleaseTask, "the task could not be handed out because the database could not be reached")
		return nil, dbFault(err)
	case err != nil:
		g.log.Error("task cannot be built", "task", c.TaskID, "job", c.JobID, "error", err)
		g.giveUp(c, g.db.RefuseTask, "the task could not be built: "+err.Error())
		return nil, nil
	case ctx.Err() != nil:
		g.giveUp(c, g.db.ReleaseTask, "the runner went away before it got the task")
		return nil, dbFault(ctx.Err())
	}
	g.tasks.handedOut(c.TaskID, &made.hide)
	return made.task, nil
}

// claimed does what a claim entails for others.
func (g *Gateway) claimed(ctx context.Context, r *db.Runner, got db.ClaimResult) {
	c := got.Task
	g.metrics.dispatchLatency.Observe(c.Waited.Seconds())
	g.tasks.claimed(r.ID, c)
	if c.Attached {
		g.deliver.claimed(c.JobID)
	}
	if got.Next == nil {
		return
	}
	if err := g.wakeFor(ctx, *got.Next); err != nil {
		g.log.Warn("no poll woken for the next offer", "error", err)
	}
}

// giveUp ends a claimed task that no runner will get. If that fails, the task is lost when it is not confirmed.
func (g *Gateway) giveUp(c *db.Claimed, end func(context.Context, int64, string) ([]db.TaskEnded, error), reason string) {
	ctx, cancel := context.WithTimeout(context.Background(), queryLimit)
	defer cancel()
	ended, err := end(ctx, c.TaskID, reason)
	if err != nil {
		g.log.Warn("task not released", "task", c.TaskID, "error", err)
	}
	g.deliver.ended(ended...)
}
