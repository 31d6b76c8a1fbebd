package activities

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// LoadPlan reads the jobs of an attempt, and notes that its workflow has begun. A run that waits for no approval enters
// its concurrency group, unless that was done when the run was stored.
func (a *Activities) LoadPlan(ctx context.Context, in workflows.RunInput) (workflows.RunPlan, error) {
	loaded, err := a.db.LoadPlan(ctx, in.AttemptID)
	if err != nil {
		return workflows.RunPlan{}, failed(err)
	}
	plan := planOf(loaded.Jobs)
	plan.NeedsApproval = loaded.Approval == db.ApprovalNeeded
	plan.HasGate, plan.HasNews = loaded.Concurrency != nil, loaded.HasNews
	if plan.HasGate && !plan.NeedsApproval {
		plan.Gate, err = a.EnterGate(ctx, in)
	}
	return plan, failed(err)
}

// planOf says once what the cells of a matrix share.
func planOf(jobs []db.Job) workflows.RunPlan {
	plan := workflows.RunPlan{Jobs: make([]workflows.PlannedJob, len(jobs))}
	index := map[scopedKey]int{}
	var firsts []*db.Job
	for i := range jobs {
		j := &jobs[i]
		name := scopedKey{j.ParentID, j.Key}
		key, known := index[name]
		if !known {
			key = len(plan.Keys)
			index[name] = key
			plan.Keys = append(plan.Keys, workflows.PlannedKey{Key: j.Key, FailFast: j.FailFast, MaxParallel: j.MaxParallel})
			firsts = append(firsts, j)
		}
		plan.Jobs[i] = plannedJob(j, key)
	}
	markReopened(&plan)
	for key, j := range firsts {
		for _, need := range j.Needs {
			plan.Keys[key].Needs = append(plan.Keys[key].Needs, index[scopedKey{j.ParentID, need}])
		}
	}
	return plan
}

// markReopened has the jobs looked at, before they go, whose callers are there from the start: these have to be in their
// concurrency groups.
func markReopened(plan *workflows.RunPlan) {
	reopened := map[int64]bool{}
	for i := range plan.Jobs {
		j := &plan.Jobs[i]
		j.Gated = j.Gated || reopened[j.Parent] && !j.Status.Terminal()
		reopened[j.ID] = j.Kind == ci.JobCall && j.Started && j.Gated
	}
}

// scopedKey names a job of the file in which it is written: that of the run, or the one that its parent calls.
type scopedKey struct {
	parent int64
	key    string
}

func plannedJob(j *db.Job, key int) workflows.PlannedJob {
	p := workflows.PlannedJob{
		ID: j.ID, Key: key, HasIf: j.IfExpr != "", Soft: j.ContinueOnError, TimeoutMinutes: j.TimeoutMinutes, Status: j.Status,
		Parent: j.ParentID, Gated: j.IsGated, Retry: j.Retry, IfNeedsCells: j.IfMatrix && j.Kind == ci.JobDeferred,
		ByFailFast: j.ByFailFast,
	}
	if j.Kind != ci.JobTask {
		p.Kind = j.Kind
	}
	if !j.Status.Terminal() {
		p.Started = j.FollowsID != 0 || j.Kind == ci.JobCall && !j.ExpandedAt.IsZero()
	}
	return p
}

// EnterGate enters the concurrency group of a run as a whole. It may be repeated.
func (a *Activities) EnterGate(ctx context.Context, in workflows.RunInput) (workflows.GateNews, error) {
	entry, err := a.db.RunGateEntry(ctx, in.AttemptID)
	if err != nil {
		return workflows.GateNews{}, failed(err)
	}
	answer, err := a.db.EnterGate(ctx, entry)
	if err != nil {
		return workflows.GateNews{}, failed(err)
	}
	a.wake(ctx, answer.Wake)
	return workflows.GateNews{State: workflows.GateState(answer.State), Reason: answer.Reason}, nil
}

// ReadNews tells a run what has become of what it waits for.
func (a *Activities) ReadNews(ctx context.Context, in workflows.RunInput) (workflows.RunNews, error) {
	n, err := a.db.ReadNews(ctx, in.AttemptID)
	if err != nil {
		return workflows.RunNews{}, failed(err)
	}
	out := workflows.RunNews{
		Approved: n.Approval == db.ApprovalGiven, ApprovedBy: n.ApprovedBy, Paused: n.Paused, PausedBy: n.PausedBy,
	}
	for _, g := range n.Gates {
		gate := workflows.GateNews{JobID: g.JobID, State: workflows.GateState(g.State), Reason: g.Reason}
		switch {
		case g.JobID == 0:
			out.Gate = gate
		case gate.State == workflows.GateLeaving:
			out.Leaving = append(out.Leaving, gate)
		}
	}
	for _, e := range n.Ended {
		out.Ended = append(out.Ended, workflows.JobEnd{
			JobID: e.JobID, Status: e.Status, Reason: e.Reason, Class: e.Class, FailFast: e.FailFast,
		})
	}
	return out, nil
}

// RecordStep writes a move of a run into the projection and makes its offers.
func (a *Activities) RecordStep(ctx context.Context, s workflows.Step) (struct{}, error) {
	step := db.RunStep{
		RunID: s.RunID, AttemptID: s.AttemptID, Offered: s.Offered, Held: s.Held, Begun: s.Begun, CancelSeen: s.CancelSeen,
		Release: s.Release, Status: s.Status, Reason: s.Reason,
	}
	for _, e := range s.Ended {
		step.Ended = append(step.Ended, db.JobEnd{JobID: e.JobID, Status: e.Status, Reason: e.Reason, Class: e.Class, FailFast: e.FailFast})
	}
	for _, e := range s.Events {
		step.Events = append(step.Events, db.TimelineEvent(e))
	}
	wake, err := a.db.RecordStep(ctx, step)
	if err != nil {
		return struct{}{}, failed(err)
	}
	a.wake(ctx, wake)
	a.recorded(ctx, s)
	return struct{}{}, nil
}

// recorded counts what ended. A fault that nobody foresaw is logged with all that is known of it.
func (a *Activities) recorded(ctx context.Context, s workflows.Step) {
	a.metrics.recorded(s)
	for _, e := range s.Ended {
		if e.Class == ci.ErrorUnknown {
			a.logger.ErrorContext(ctx, "a job ended by an unknown fault", "run", s.RunID, "attempt", s.Attempt, "job", e.JobID, "reason", e.Reason)
		}
	}
}

// errGone is for what was deleted while its run went on.
var errGone = errors.New("the job is gone")
