package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// ErrUnfinished is returned when something was asked of a run that only makes sense after its end.
var ErrUnfinished = errors.New("not finished")

// DeleteRun removes a run that has ended, with all that it owns: attempts, jobs, tasks, deployments, timeline, and what
// administrators were told of it. In the same moment nobody sees its logs any more; their chunks, of which there may be
// many, are left to DiscardLogs. Alerts stay that are still to be delivered: they are the administrators', not the run's.
// Changes of status stay too, for the two days in which somebody may still follow them: they hold ids and words only.
//
// What its workflow or a runner still has to say finds no row and changes nothing. The runs that it returns have news.
// Errors: ErrNotFound; ErrUnfinished when an attempt goes on, also one that was just made; ErrConflict when somebody holds
// rows of the run for longer than one can wait.
func (d *DB) DeleteRun(ctx context.Context, repo, run int64) (wake []RunRef, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `SET LOCAL lock_timeout = '5s'`); err != nil {
			return err
		}
		// Gates are locked before anything else. That the run has not ended is found out later, and undoes this.
		// Runs leave them when they end, so nobody is left in one unless a call came too late (MendGates).
		granted, err := leaveGates(ctx, tx, `SELECT id, repo_id, gate FROM gate_entries
			WHERE attempt_id IN (SELECT id FROM attempts WHERE run_id = $1)`, run)
		if err != nil {
			return fmt.Errorf("concurrency groups: %w", err)
		}
		if err := lockEndedRun(ctx, tx, repo, run); err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `DELETE FROM alerts WHERE delivered_at IS NOT NULL
			AND attempt_id IN (SELECT id FROM attempts WHERE run_id = $1)`, prepared, run)
		if err != nil {
			return err
		}
		if _, err = tx.Exec(ctx, `DELETE FROM runs WHERE id = $1`, prepared, run); err != nil {
			return err
		}
		wake, err = tell(ctx, tx, granted...)
		return err
	})
	if isContention(err) {
		err = ErrConflict
	}
	if err != nil {
		return nil, fmt.Errorf("delete run %d: %w", run, err)
	}
	return wake, nil
}

// lockEndedRun keeps out who would make another attempt. Whether all have ended is asked under the lock, by a statement
// of its own, which sees what was committed while this one waited.
func lockEndedRun(ctx context.Context, tx pgx.Tx, repo, run int64) error {
	err := tx.QueryRow(ctx, `SELECT id FROM runs WHERE id = $1 AND repo_id = $2 FOR UPDATE`, prepared, run, repo).Scan(new(int64))
	if errors.Is(err, pgx.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	var open bool
	err = tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE id = $1 AND stopped_at IS NULL)
		OR EXISTS (SELECT 1 FROM attempts WHERE run_id = $1 AND stopped_at IS NULL)`, prepared, run).Scan(&open)
	if err == nil && open {
		err = ErrUnfinished
	}
	return err
}

// isForeignKeyViolation tells whether err is Postgres refusing a row of something that is not there.
func isForeignKeyViolation(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23503"
}
