package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrFinished is returned when something was asked of a run that has ended.
var ErrFinished = errors.New("already finished")

// RequestCancel marks the latest attempt of a run as cancelled, takes its offers back and stops its tasks, all at
// once, so that runners hear of it with their next report, however long the run's workflow takes. Jobs with an `if`
// are left alone: whether they run after a cancel is the workflow's decision. ErrFinished means that the attempt has
// ended. A repeated call changes nothing.
func (d *DB) RequestCancel(ctx context.Context, run int64, attempt int, by int64) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var id int64
		err := tx.QueryRow(ctx, `UPDATE attempts SET cancel_requested_at = coalesce(cancel_requested_at, now()),
				cancel_requested_by = coalesce(cancel_requested_by, $3)
			WHERE run_id = $1 AND number = $2 AND stopped_at IS NULL RETURNING id`, run, attempt, by).Scan(&id)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrFinished
		}
		if err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, `UPDATE offers SET state = 'withdrawn' FROM jobs j
			WHERE offers.attempt_id = $1 AND offers.state = 'queued' AND j.id = offers.job_id AND j.if_expr = ''`, id); err != nil {
			return err
		}
		const withoutIf = `t.attempt_id = $1 AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = t.job_id AND j.if_expr = '')`
		return endOpenTasks(ctx, tx, withoutIf, id, false, "cancelled")
	})
	if err != nil {
		return fmt.Errorf("cancel run %d: %w", run, err)
	}
	return nil
}
