package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// RunNews is what the workflow of an attempt waits for, as it is now.
type RunNews struct {
	Approval   Approval
	ApprovedBy string // login
	Paused     bool   // the run, or its repository
	PausedBy   string // login
	Gates      []GateRow
	// Ended are the ends of jobs that jobs of this attempt follow; JobID is the follower.
	Ended []JobEnd
}

// ReadNews acknowledges the news of an attempt and then reads them, so that what changes meanwhile is news again.
func (d *DB) ReadNews(ctx context.Context, attempt int64) (RunNews, error) {
	var n RunNews
	if err := d.SeeNews(ctx, attempt); err != nil {
		return n, err
	}
	err := d.Pool.QueryRow(ctx, `SELECT r.approval, coalesce(approver.login, ''), a.paused_at IS NOT NULL OR p.paused_at IS NOT NULL,
			coalesce(pauser.login, '')
		FROM attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repo_id
		LEFT JOIN owners approver ON approver.id = r.approved_by
		LEFT JOIN owners pauser ON pauser.id = CASE WHEN a.paused_at IS NOT NULL THEN a.paused_by ELSE p.paused_by END
		WHERE a.id = $1`, attempt).Scan(&n.Approval, &n.ApprovedBy, &n.Paused, &n.PausedBy)
	if err != nil {
		return n, fmt.Errorf("news of attempt %d: %w", attempt, err)
	}
	if n.Gates, err = d.GatesOf(ctx, attempt); err != nil {
		return n, err
	}
	n.Ended, err = d.followedEnds(ctx, attempt)
	return n, err
}

// followedEnds gives the jobs of an attempt that follow ended ones what these have: task, outputs, times.
func (d *DB) followedEnds(ctx context.Context, attempt int64) ([]JobEnd, error) {
	rows, err := d.Pool.Query(ctx, `UPDATE jobs f SET task_id = s.task_id, outputs = s.outputs, started_at = s.started_at
		FROM jobs s WHERE s.id = f.follows_id AND f.attempt_id = $1 AND f.stopped_at IS NULL AND s.stopped_at IS NOT NULL
		RETURNING f.id, s.status, s.reason, s.class, s.by_fail_fast`, attempt)
	if err != nil {
		return nil, fmt.Errorf("ends of followed jobs: %w", err)
	}
	ends, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e JobEnd, err error) {
		var class string
		err = row.Scan(&e.JobID, &e.Status, &e.Reason, &class, &e.FailFast)
		e.Class = ci.ErrorClass(class)
		return e, err
	})
	if err != nil {
		return nil, fmt.Errorf("ends of followed jobs: %w", err)
	}
	return ends, nil
}

// RunGateEntry is the entry of an attempt as a whole into its gate. ErrNotFound if there is no such attempt.
func (d *DB) RunGateEntry(ctx context.Context, attempt int64) (GateEntry, error) {
	e := GateEntry{AttemptID: attempt}
	err := d.NewRaw(`SELECT r.repo_id, r.id, a.concurrency FROM attempts a JOIN runs r ON r.id = a.run_id
		WHERE a.id = ? AND a.concurrency <> 'null'`, attempt).Scan(ctx, &e.RepoID, &e.RunID, &e.Concurrency)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return e, fmt.Errorf("gate of attempt %d: %w", attempt, err)
	}
	return e, nil
}
