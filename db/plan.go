package db

import (
	"context"
	"fmt"
)

// LoadPlan returns the jobs of an attempt in the order of the workflow file, without their payloads, and notes that
// the attempt's workflow has begun. ErrNotFound means that the run was deleted.
func (d *DB) LoadPlan(ctx context.Context, attempt int64) ([]Job, error) {
	var jobs []Job
	err := d.NewRaw(`WITH seen AS (
			UPDATE attempts SET workflow_seen_at = coalesce(workflow_seen_at, now()) WHERE id = ?0 RETURNING id
		)
		SELECT job.id, job.key, job.needs, job.if_expr, job.continue_on_error, job.timeout_minutes, job.fail_fast,
			job.max_parallel, job.status
		FROM jobs AS job JOIN seen ON job.attempt_id = seen.id ORDER BY job.cell`, attempt).Scan(ctx, &jobs)
	if err != nil {
		return nil, fmt.Errorf("load plan of attempt %d: %w", attempt, err)
	}
	if len(jobs) == 0 {
		return nil, fmt.Errorf("attempt %d: %w", attempt, ErrNotFound)
	}
	return jobs, nil
}

// NeedOutcome is one cell of a needed job: how it ended and what it gave.
type NeedOutcome struct {
	Key             string
	Cell            int
	Status          string
	ContinueOnError bool
	Outputs         map[string]string `bun:"type:jsonb"`
}

// NeedOutcomes returns all cells of the given jobs of an attempt, in order, with the outputs of their latest tasks.
func (d *DB) NeedOutcomes(ctx context.Context, attempt int64, keys []string) ([]NeedOutcome, error) {
	var out []NeedOutcome
	err := d.NewRaw(`SELECT job.key, job.cell, job.status, job.continue_on_error,
			coalesce((SELECT jsonb_object_agg(o.key, o.value) FROM task_outputs o WHERE o.task_id = job.task_id), '{}') AS outputs
		FROM jobs AS job WHERE job.attempt_id = ? AND job.key = ANY(?) ORDER BY job.cell`,
		attempt, textArray(keys)).Scan(ctx, &out)
	if err != nil {
		return nil, fmt.Errorf("outcomes of needs: %w", err)
	}
	return out, nil
}
