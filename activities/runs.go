package activities

import (
	"context"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/workflows"
)

// LoadPlan reads the jobs of an attempt, and notes that its workflow has begun.
func (a *Activities) LoadPlan(ctx context.Context, in workflows.RunInput) (workflows.RunPlan, error) {
	jobs, err := a.db.LoadPlan(ctx, in.AttemptID)
	if err != nil {
		return workflows.RunPlan{}, failed(err)
	}
	plan := workflows.RunPlan{Jobs: make([]workflows.PlannedJob, len(jobs))}
	for i, j := range jobs {
		plan.Jobs[i] = workflows.PlannedJob{
			ID: j.ID, Key: j.Key, Needs: j.Needs, HasIf: j.IfExpr != "", Soft: j.ContinueOnError,
			FailFast: j.FailFast, MaxParallel: j.MaxParallel, TimeoutMinutes: j.TimeoutMinutes, Status: j.Status,
		}
	}
	return plan, nil
}

// RecordStep writes a move of a run into the projection and makes its offers.
func (a *Activities) RecordStep(ctx context.Context, s workflows.Step) (struct{}, error) {
	step := db.RunStep{
		RunID: s.RunID, AttemptID: s.AttemptID, Offered: s.Offered, CancelSeen: s.CancelSeen, Status: s.Status,
	}
	for _, e := range s.Ended {
		step.Ended = append(step.Ended, db.JobEnd(e))
	}
	if err := a.db.RecordStep(ctx, step); err != nil {
		return struct{}{}, failed(err)
	}
	a.metrics.recorded(s)
	return struct{}{}, nil
}
