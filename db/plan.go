package db

import (
	"context"
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
)

// AttemptPlan is what the workflow of an attempt begins with.
type AttemptPlan struct {
	// Jobs are in order, children behind their caller, without their payloads and without jobs whose cells are there.
	Jobs []Job
	// Approval is that of the run, Concurrency the gate of the whole attempt.
	Approval    Approval
	Concurrency *ci.Concurrency
	// HasNews: something has changed since the attempt was stored.
	HasNews bool
}

// planJobColumns are what the workflow of a run needs to know of a job.
const planJobColumns = `job.id, job.parent_id, job.kind, job.key, job.needs, job.if_expr, job.if_matrix, job.is_gated,
	job.continue_on_error, job.timeout_minutes, job.fail_fast, job.max_parallel, job.status, job.retry, job.follows_id,
	job.expanded_at, job.by_fail_fast`

// LoadPlan returns the plan of an attempt, and notes that the attempt's workflow has begun. ErrNotFound means that the
// run was deleted.
func (d *DB) LoadPlan(ctx context.Context, attempt int64) (AttemptPlan, error) {
	var rows []struct {
		Job         `bun:",extend"`
		RunApproval Approval
		RunGate     *ci.Concurrency `bun:"type:jsonb"`
		HasNews     bool
	}
	err := d.NewRaw(`WITH seen AS (
			UPDATE attempts SET workflow_seen_at = coalesce(workflow_seen_at, now()) WHERE id = ?0 RETURNING id, run_id, concurrency
		)
		SELECT `+planJobColumns+`, r.approval AS run_approval, seen.concurrency AS run_gate,
			EXISTS (SELECT 1 FROM news WHERE attempt_id = ?0 AND n > news.seen) AS has_news
		FROM jobs AS job JOIN seen ON job.attempt_id = seen.id JOIN runs r ON r.id = seen.run_id
		WHERE NOT job.is_hidden ORDER BY job.cell`, attempt).Scan(ctx, &rows)
	if err != nil {
		return AttemptPlan{}, fmt.Errorf("load plan of attempt %d: %w", attempt, err)
	}
	if len(rows) == 0 {
		return AttemptPlan{}, fmt.Errorf("attempt %d: %w", attempt, ErrNotFound)
	}
	plan := AttemptPlan{Approval: rows[0].RunApproval, Concurrency: rows[0].RunGate, HasNews: rows[0].HasNews}
	for _, r := range rows {
		plan.Jobs = append(plan.Jobs, r.Job)
	}
	return plan, nil
}

// NeedOutcome is one cell of a needed job: how it ended and what it gave.
type NeedOutcome struct {
	Key             string
	Cell            int
	Status          string
	ContinueOnError bool
	ByFailFast      bool
	Outputs         map[string]string `bun:"type:jsonb"`
}

// NeedOutcomes returns all cells of the given jobs in order, with the outputs of their latest tasks, or of the
// workflow that they called. The keys are those of the run's own file, or of the one that the job parent calls.
func (d *DB) NeedOutcomes(ctx context.Context, attempt, parent int64, keys []string) ([]NeedOutcome, error) {
	return d.outcomes(ctx, `AND job.key = ANY(?)`, attempt, parent, textArray(keys))
}

// ChildOutcomes returns all children of a caller.
func (d *DB) ChildOutcomes(ctx context.Context, attempt, parent int64) ([]NeedOutcome, error) {
	return d.outcomes(ctx, "", attempt, parent)
}

func (d *DB) outcomes(ctx context.Context, condition string, args ...any) ([]NeedOutcome, error) {
	var out []NeedOutcome
	err := d.NewRaw(`SELECT job.key, job.cell, job.status, job.continue_on_error, job.by_fail_fast, CASE WHEN job.kind = 'call' THEN job.outputs
			ELSE coalesce((SELECT jsonb_object_agg(o.key, o.value) FROM task_outputs o WHERE o.task_id = job.task_id), '{}') END AS outputs
		FROM jobs AS job WHERE job.attempt_id = ? AND job.parent_id = ? AND NOT job.is_hidden `+condition+` ORDER BY job.cell`, args...).
		Scan(ctx, &out)
	if err != nil {
		return nil, fmt.Errorf("outcomes of needs: %w", err)
	}
	return out, nil
}

// JobsToDecide returns what expressions of each job need to be evaluated, by job id.
func (d *DB) JobsToDecide(ctx context.Context, ids []int64) (map[int64]*Job, error) {
	var jobs []*Job
	err := d.NewSelect().Model(&jobs).
		Column("id", "run_id", "attempt_id", "attempt", "repo_id", "owner_id", "parent_id", "kind", "key", "needs", "if_expr", "if_at",
			"matrix", "job_index", "job_total", "fail_fast", "max_parallel", "file", "uses", "call_inputs", "priority").
		Where("id = ANY(?)", int64Array(ids)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("jobs to decide: %w", err)
	}
	byID := make(map[int64]*Job, len(jobs))
	for _, j := range jobs {
		byID[j.ID] = j
	}
	return byID, nil
}
