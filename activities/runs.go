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
	return planOf(jobs), nil
}

// planOf says once what the cells of a matrix share.
func planOf(jobs []db.Job) workflows.RunPlan {
	plan := workflows.RunPlan{Jobs: make([]workflows.PlannedJob, len(jobs))}
	index := map[string]int{}
	var needs [][]string
	for i, j := range jobs {
		key, known := index[j.Key]
		if !known {
			key = len(plan.Keys)
			index[j.Key] = key
			plan.Keys = append(plan.Keys, workflows.PlannedKey{Key: j.Key, FailFast: j.FailFast, MaxParallel: j.MaxParallel})
			needs = append(needs, j.Needs)
		}
		plan.Jobs[i] = workflows.PlannedJob{
			ID: j.ID, Key: key, HasIf: j.IfExpr != "", Soft: j.ContinueOnError, TimeoutMinutes: j.TimeoutMinutes, Status: j.Status,
		}
	}
	for key, list := range needs {
		for _, need := range list {
			plan.Keys[key].Needs = append(plan.Keys[key].Needs, index[need])
		}
	}
	return plan
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
