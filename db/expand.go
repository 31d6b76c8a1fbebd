package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Expansion is a deferred job with its cells, or a caller with its children.
type Expansion struct {
	Job  *Job
	Jobs []*Job
	// Inputs and Secrets are what a caller gives to its children.
	Inputs  []byte
	Secrets ci.CallSecrets
}

// ErrTooManyJobs is returned when a run would have more than ci.MaxJobsPerRun jobs.
var ErrTooManyJobs = fmt.Errorf("the run would have more than %d jobs", ci.MaxJobsPerRun)

// Expand stores the cells or children of a job in one transaction, and returns them as the plan has them. A job that
// was expanded before keeps what it has, which is returned. ErrTooManyJobs stores none, and nor does ErrFinished, which a
// call gets that comes so late that its job has ended.
func (d *DB) Expand(ctx context.Context, e Expansion) (jobs []Job, err error) {
	if err := setLabelSets(ctx, d.DB, e.Jobs); err != nil {
		return nil, fmt.Errorf("expand job %d: %w", e.Job.ID, err)
	}
	err = d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// The lock on the attempt keeps two expansions from taking the same cell numbers.
		if _, err := tx.NewRaw(`SELECT 1 FROM attempts WHERE id = ? FOR UPDATE`, e.Job.AttemptID).Exec(ctx); err != nil {
			return err
		}
		expanded, err := isExpanded(ctx, tx, e.Job.ID)
		if err == nil && !expanded {
			err = insertExpansion(ctx, tx, e)
		}
		if err != nil {
			return err
		}
		return tx.NewRaw(`SELECT `+planJobColumns+` FROM jobs AS job
			WHERE job.attempt_id = ?0 AND (job.origin_id = ?1 OR job.parent_id = ?1) AND NOT job.is_hidden ORDER BY job.cell`,
			e.Job.AttemptID, e.Job.ID).Scan(ctx, &jobs)
	})
	if err != nil {
		return nil, fmt.Errorf("expand job %d: %w", e.Job.ID, err)
	}
	return jobs, nil
}

func isExpanded(ctx context.Context, tx bun.Tx, job int64) (expanded bool, err error) {
	var hasEnded bool
	err = tx.NewRaw(`SELECT expanded_at IS NOT NULL, stopped_at IS NOT NULL FROM jobs WHERE id = ? FOR UPDATE`, job).
		Scan(ctx, &expanded, &hasEnded)
	if err == nil && hasEnded && !expanded {
		err = ErrFinished
	}
	return expanded, err
}

func insertExpansion(ctx context.Context, tx bun.Tx, e Expansion) error {
	var count, last int
	err := tx.NewRaw(`SELECT count(*) FILTER (WHERE NOT is_hidden), max(cell) FROM jobs WHERE attempt_id = ?`, e.Job.AttemptID).
		Scan(ctx, &count, &last)
	if err != nil {
		return err
	}
	if e.Job.Kind == ci.JobDeferred {
		count--
	}
	if count+len(e.Jobs) > ci.MaxJobsPerRun {
		return ErrTooManyJobs
	}
	for i, j := range e.Jobs {
		j.RunID, j.AttemptID, j.Attempt, j.RepoID, j.OwnerID = e.Job.RunID, e.Job.AttemptID, e.Job.Attempt, e.Job.RepoID, e.Job.OwnerID
		j.Cell = last + 1 + i
		if e.Job.Kind == ci.JobDeferred {
			j.OriginID, j.ParentID, j.File = e.Job.ID, e.Job.ParentID, e.Job.File
		} else {
			j.ParentID = e.Job.ID
		}
	}
	if _, err := tx.NewInsert().Model(&e.Jobs).Returning("id, created_at, updated_at").Exec(ctx); err != nil {
		return err
	}
	return markExpanded(ctx, tx, e)
}

// markExpanded hides a deferred job behind its cells, and has a caller run.
func markExpanded(ctx context.Context, tx bun.Tx, e Expansion) error {
	q := tx.NewUpdate().Model(e.Job).Set("expanded_at = now()").Set("updated_at = now()").WherePK()
	if e.Job.Kind == ci.JobDeferred {
		q = q.Set("is_hidden = true").Set("stopped_at = now()").Set("status = ?", ci.StatusSkipped)
	} else {
		q = q.Set("call_inputs = ?::jsonb", string(e.Inputs)).Set("call_secrets = ?", e.Secrets).
			Set("status = ?", ci.StatusRunning).Set("started_at = coalesce(started_at, now())")
	}
	_, err := q.Exec(ctx)
	return err
}

// SetCallOutputs stores what the called workflow gave back to a caller.
func (d *DB) SetCallOutputs(ctx context.Context, job int64, outputs map[string]string) error {
	_, err := d.NewUpdate().Model(&Job{ID: job, Outputs: outputs}).Column("outputs").WherePK().Exec(ctx)
	if err != nil {
		return fmt.Errorf("outputs of caller %d: %w", job, err)
	}
	return nil
}

// Callers returns the callers of a called job, the outermost first: parent and those above it.
func (d *DB) Callers(ctx context.Context, parent int64) ([]*Job, error) {
	var chain []*Job
	err := d.NewRaw(`WITH RECURSIVE chain AS (
			SELECT id, parent_id, call_inputs, call_secrets, 0 AS level FROM jobs WHERE id = ?
			UNION ALL
			SELECT j.id, j.parent_id, j.call_inputs, j.call_secrets, level + 1 FROM jobs j JOIN chain ON j.id = chain.parent_id
			WHERE level <= ?
		)
		SELECT id, parent_id, call_inputs, call_secrets FROM chain ORDER BY level DESC`, parent, ci.MaxCallDepth).Scan(ctx, &chain)
	if err != nil {
		return nil, fmt.Errorf("callers of job %d: %w", parent, err)
	}
	return chain, nil
}
