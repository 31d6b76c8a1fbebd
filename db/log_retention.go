package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// MaxRetentionDays bounds all numbers of days: a hundred years.
const MaxRetentionDays = 36_500

// Retention is for how many days what has ended is kept, where its repository does not say; 0 is for ever.
type Retention struct {
	LogDays int
	// FailedLogDays is for the logs of runs that failed, which are kept no shorter than those of others.
	FailedLogDays int
	// RunDays is for whole runs.
	RunDays int
}

// ExpiredLogs counts what ExpireLogs has expired.
type ExpiredLogs struct {
	Runs, Logs, Bytes int64
}

// dueLogs finds the runs whose logs are to expire, by two looks at an index for each repository. The logs of a run expire
// together, when its latest attempt has ended for long enough: a rerun shows logs of earlier attempts.
const dueLogs = `SELECT due.id FROM repositories p
	CROSS JOIN LATERAL (SELECT coalesce(nullif(p.log_retention_days, 0), $1) AS days,
		coalesce(nullif(p.failed_log_retention_days, 0), $2) AS failed_days) AS kept
	CROSS JOIN LATERAL (VALUES (false, kept.days),
		(true, CASE WHEN kept.days = 0 OR kept.failed_days = 0 THEN 0 ELSE greatest(kept.days, kept.failed_days) END)) AS k (failed, days)
	CROSS JOIN LATERAL (
		SELECT r.id FROM runs r WHERE r.repo_id = p.id AND (r.status = 'failure') = k.failed AND r.logs_expired_at IS NULL
		AND r.stopped_at IS NOT NULL AND r.stopped_at < now() - make_interval(days => k.days) ORDER BY r.stopped_at LIMIT $3
	) AS due
	WHERE k.days > 0 LIMIT $3`

// ExpireLogs has the logs of at most limit runs expire that have been kept for long enough. Nobody sees them any more, and
// their chunks are left to DiscardLogs.
func (d *DB) ExpireLogs(ctx context.Context, r Retention, limit int) (e ExpiredLogs, err error) {
	due, err := d.ids(ctx, dueLogs, r.LogDays, r.FailedLogDays, limit)
	if err != nil || len(due) == 0 {
		return e, wrapped(err, "logs that are due")
	}
	err = d.inTx(ctx, func(tx pgx.Tx) error { return expireLogs(ctx, tx, due, &e) })
	return e, wrapped(err, "expire logs")
}

// expireLogs locks the runs, so that none of them is rerun meanwhile. It seals the logs: nothing is added to what is gone.
func expireLogs(ctx context.Context, tx pgx.Tx, due []int64, e *ExpiredLogs) error {
	tag, err := tx.Exec(ctx, `UPDATE runs SET logs_expired_at = now() WHERE id IN (
			SELECT id FROM runs WHERE id = ANY($1) AND stopped_at IS NOT NULL AND logs_expired_at IS NULL ORDER BY id FOR UPDATE
		)`, due)
	if err != nil {
		return err
	}
	e.Runs = tag.RowsAffected()
	return tx.QueryRow(ctx, `WITH log AS (
			UPDATE task_logs SET expired_at = now(), is_sealed = true
			FROM jobs j JOIN tasks t ON t.job_id = j.id JOIN runs r ON r.id = j.run_id
			WHERE j.run_id = ANY($1) AND r.logs_expired_at IS NOT NULL AND task_logs.task_id = t.id AND task_logs.expired_at IS NULL
			RETURNING task_logs.task_id, task_logs.row_count, task_logs.byte_count
		), discarded AS (
			INSERT INTO discarded_logs (task_id) SELECT task_id FROM log WHERE row_count > 0 ON CONFLICT DO NOTHING
		)
		SELECT count(*), coalesce(sum(byte_count), 0)::bigint FROM log`, due).Scan(&e.Logs, &e.Bytes)
}

// discardedPage is how many discarded logs are looked at together.
const discardedPage = 200

// DiscardLogs removes at most limit chunks of logs that expired or were deleted, and tells how many it has removed, and
// whether there may be more.
func (d *DB) DiscardLogs(ctx context.Context, limit int) (chunks int64, more bool, err error) {
	logs, err := d.ids(ctx, `SELECT task_id FROM discarded_logs ORDER BY task_id LIMIT $1`, discardedPage)
	if err != nil || len(logs) == 0 {
		return 0, false, wrapped(err, "discarded logs")
	}
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		tag, err := tx.Exec(ctx, `DELETE FROM log_chunks c USING (
				SELECT task_id, first_row FROM log_chunks WHERE task_id = ANY($1) ORDER BY task_id, first_row LIMIT $2 FOR UPDATE SKIP LOCKED
			) AS gone WHERE c.task_id = gone.task_id AND c.first_row = gone.first_row`, logs, limit)
		if err != nil {
			return err
		}
		chunks = tag.RowsAffected()
		tag, err = tx.Exec(ctx, `DELETE FROM discarded_logs d
			WHERE task_id = ANY($1) AND NOT EXISTS (SELECT 1 FROM log_chunks c WHERE c.task_id = d.task_id)`, logs)
		more = chunks > 0 || tag.RowsAffected() > 0
		return err
	})
	return chunks, more, wrapped(err, "discard logs")
}

// dueRuns finds runs that have been kept for long enough.
const dueRuns = `SELECT due.repo_id, due.id FROM repositories p
	CROSS JOIN LATERAL (SELECT coalesce(nullif(p.run_retention_days, 0), $1) AS days) AS kept
	CROSS JOIN LATERAL (
		SELECT r.repo_id, r.id FROM runs r WHERE r.repo_id = p.id AND r.stopped_at IS NOT NULL
		AND r.stopped_at < now() - make_interval(days => kept.days) ORDER BY r.stopped_at LIMIT $2
	) AS due
	WHERE kept.days > 0 LIMIT $2`

// DueRun is a run that is to be deleted.
type DueRun struct{ RepoID, RunID int64 }

// DueRuns returns at most limit runs that have been kept for long enough.
func (d *DB) DueRuns(ctx context.Context, r Retention, limit int) ([]DueRun, error) {
	rows, err := d.Pool.Query(ctx, dueRuns, prepared, r.RunDays, limit)
	if err != nil {
		return nil, wrapped(err, "runs that are due")
	}
	due, err := pgx.CollectRows(rows, pgx.RowToStructByPos[DueRun])
	return due, wrapped(err, "runs that are due")
}

// ids runs a query for ids.
func (d *DB) ids(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := d.Pool.Query(ctx, query, append([]any{prepared}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[int64])
}

// wrapped says what failed, if anything has.
func wrapped(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
