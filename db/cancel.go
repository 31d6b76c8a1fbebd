package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrFinished is returned when something was asked of a run that has ended.
var ErrFinished = errors.New("already finished")

// CancelRequest asks that a run be cancelled.
type CancelRequest struct {
	RunID int64
	// Attempt is 0 for all that have not ended: when a run is rerun early, an older attempt may go on.
	Attempt int
	// By is who asked, 0 for the system.
	By int64
	// Reason says why, where it was not a user's wish.
	Reason string
	// Force ends everything at once, whatever the `if` of a job says and without waiting for runners.
	Force bool
}

// RequestCancel marks attempts of a run as cancelled, takes their offers back and stops their tasks, all at once, so that
// runners hear of it with their next report, however long the workflows take. It returns the numbers of the attempts,
// whose workflows are to be told. Unless by force, jobs with an `if` are left alone: whether they run after a cancel is
// the workflow's decision. ErrFinished means that nothing goes on. A repeated call changes nothing, but one by force
// goes further than an earlier one without.
func (d *DB) RequestCancel(ctx context.Context, c CancelRequest) (attempts []int, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var ids []int64
		if ids, attempts, err = lockOpenAttempts(ctx, tx, c.RunID, c.Attempt); err != nil {
			return err
		}
		return cancelAttempts(ctx, tx, ids, c)
	})
	if err != nil {
		return nil, fmt.Errorf("cancel run %d: %w", c.RunID, err)
	}
	return attempts, nil
}

// lockOpenAttempts locks the attempts of a run that have not ended, or the one with the number. The lock is strong enough
// to keep out who makes offers: those begin with a look at the attempt. ErrFinished: there are none.
func lockOpenAttempts(ctx context.Context, tx pgx.Tx, run int64, number int) (ids []int64, numbers []int, err error) {
	rows, err := tx.Query(ctx, `SELECT id, number FROM attempts WHERE run_id = $1 AND ($2 = 0 OR number = $2) AND stopped_at IS NULL
		ORDER BY id FOR UPDATE`, prepared, run, number)
	if err != nil {
		return nil, nil, err
	}
	var id int64
	var n int
	_, err = pgx.ForEachRow(rows, []any{&id, &n}, func() error {
		ids, numbers = append(ids, id), append(numbers, n)
		return nil
	})
	if err == nil && len(ids) == 0 {
		err = ErrFinished
	}
	return ids, numbers, err
}

// cancelAttempts does what RequestCancel says to attempts, by id; those that have ended are left alone.
func cancelAttempts(ctx context.Context, tx pgx.Tx, attempts []int64, c CancelRequest) error {
	if err := markCancelled(ctx, tx, attempts, c); err != nil {
		return err
	}
	offers, tasks := `j.if_expr = ''`, `AND EXISTS (SELECT 1 FROM jobs j WHERE j.id = t.job_id AND j.if_expr = '')`
	if c.Force {
		offers, tasks = `true`, ``
	}
	if err := changeOffers(ctx, tx, `state = 'withdrawn'`, `JOIN jobs j ON j.id = o.job_id
		WHERE o.attempt_id = ANY($1) AND o.state IN ('queued', 'held') AND `+offers, attempts); err != nil {
		return err
	}
	return endOpenTasks(ctx, tx, `t.attempt_id = ANY($1) `+tasks, attempts, taskEnding{
		reason: cmp.Or(c.Reason, "cancelled"), force: c.Force, tell: c.Force,
	})
}

// markCancelled notes who cancelled first and why. A later request by force has to be heard of as well.
func markCancelled(ctx context.Context, tx pgx.Tx, attempts []int64, c CancelRequest) error {
	_, err := tx.Exec(ctx, `UPDATE attempts SET cancel_requested_at = coalesce(cancel_requested_at, now()),
			cancel_requested_by = coalesce(cancel_requested_by, nullif($2::bigint, 0)),
			cancel_reason = CASE WHEN cancel_requested_at IS NULL THEN $3 ELSE cancel_reason END,
			cancel_seen_at = CASE WHEN $4 AND NOT cancel_forced THEN NULL ELSE cancel_seen_at END,
			cancel_forced = cancel_forced OR $4
		WHERE id IN (SELECT id FROM attempts WHERE id = ANY($1) AND stopped_at IS NULL ORDER BY id FOR UPDATE)`,
		prepared, attempts, c.By, cleanText(c.Reason), c.Force)
	return err
}
