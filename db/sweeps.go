package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// TaskEnded is a task that ended, for the one who tells its workflow.
type TaskEnded struct {
	TaskID, JobID int64
	Status        TaskStatus
	Reason        string
	// Cause is why it was lost.
	Cause string
	// Attached and Supervised say how the workflow hears of it; when both are false it needs no telling.
	Attached, Supervised bool
}

// openTaskColumns are what loseSelected needs of each task; the tables are tasks t and nothing else.
const openTaskColumns = `SELECT t.id, t.job_id, t.status = 'cancelling' OR t.cancel_requested_at IS NOT NULL, t.steps,
	t.repo_id, t.owner_id FROM tasks t `

// ReleaseTask gives up a task that its runner never got: it becomes lost, and is offered again by its workflow.
// Nothing is returned when the task has ended or its runner has reported.
func (d *DB) ReleaseTask(ctx context.Context, task int64, reason string) ([]TaskEnded, error) {
	return d.loseSelected(ctx, CauseUnconfirmed, reason,
		`WHERE t.id = $1 AND t.stopped_at IS NULL AND t.confirmed_at IS NULL FOR UPDATE`, task)
}

// RefuseTask gives up a task whose content cannot be built. It may be offered again: what is broken may be mended.
func (d *DB) RefuseTask(ctx context.Context, task int64, reason string) ([]TaskEnded, error) {
	return d.loseSelected(ctx, CauseRefused, reason, `WHERE t.id = $1 AND t.stopped_at IS NULL FOR UPDATE`, task)
}

// LoseRunnerTasks gives up all open tasks of a runner that has started afresh and knows nothing of them.
func (d *DB) LoseRunnerTasks(ctx context.Context, runner int64, reason string) ([]TaskEnded, error) {
	return d.loseSelected(ctx, CauseLost, reason, `WHERE t.runner_id = $1 AND t.stopped_at IS NULL ORDER BY t.id FOR UPDATE`, runner)
}

// LoseUnconfirmed gives up tasks that were claimed longer than age ago without a report since; at most limit. It
// finds none while no gateway was up for all of that time, because then a runner could not have reported
// (known-problems.md B3, B11).
func (d *DB) LoseUnconfirmed(ctx context.Context, age time.Duration, limit int, reason string) ([]TaskEnded, error) {
	return d.loseSelected(ctx, CauseUnconfirmed, reason, `, gateway_uptime g
		WHERE t.confirmed_at IS NULL AND t.stopped_at IS NULL AND t.claimed_at < now() - $1::interval
		AND g.since < now() - $1::interval AND g.seen_at > now() - $3::interval
		ORDER BY t.claimed_at LIMIT $2 FOR UPDATE OF t SKIP LOCKED`, age, limit, gatewayGone)
}

// loseSelected gives up the open tasks that the condition selects and locks. One that was asked to cancel is cancelled.
func (d *DB) loseSelected(ctx context.Context, cause, reason, condition string, args ...any) ([]TaskEnded, error) {
	var ended []TaskEnded
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, openTaskColumns+condition, args...)
		if err != nil {
			return err
		}
		ended = nil
		tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[losingTask])
		if err != nil || len(tasks) == 0 {
			return err
		}
		if err := lockLimitsOf(ctx, tx, tasks); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, t := range tasks {
			if err := queueLoss(batch, t, TaskEnded{TaskID: t.ID, JobID: t.JobID, Status: TaskLost, Cause: cause, Reason: reason}, &ended); err != nil {
				return err
			}
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("end tasks: %w", err)
	}
	return ended, nil
}

// losingTask is a row of openTaskColumns.
type losingTask struct {
	ID, JobID       int64
	Cancelled       bool
	Steps           []byte
	RepoID, OwnerID int64
}

// lockLimitsOf is needed only for tasks of several repositories: those of one have their limits locked in order anyway.
func lockLimitsOf(ctx context.Context, tx pgx.Tx, tasks []losingTask) error {
	if len(tasks) == 1 {
		return nil
	}
	var repos, owners []int64
	for _, t := range tasks {
		repos, owners = append(repos, t.RepoID), append(owners, t.OwnerID)
	}
	return lockLimits(ctx, tx, repos, owners)
}

func queueLoss(batch *pgx.Batch, t losingTask, e TaskEnded, ended *[]TaskEnded) error {
	open := ci.StatusFailure
	if t.Cancelled {
		e.Status, e.Cause, open = TaskCancelled, "", ci.StatusCancelled
	}
	closed, err := closeSteps(t.Steps, open)
	if err != nil {
		return fmt.Errorf("steps of task %d: %w", t.ID, err)
	}
	batch.Queue(`UPDATE tasks SET status = $2, reason = $3, steps = $4, cause = $5, stopped_at = now(),
			delivered_at = CASE WHEN NOT attached AND NOT supervised THEN now() END
		WHERE id = $1 RETURNING attached, supervised`, t.ID, string(e.Status), e.Reason, closed, e.Cause).
		QueryRow(func(row pgx.Row) error {
			err := row.Scan(&e.Attached, &e.Supervised)
			*ended = append(*ended, e)
			return err
		})
	return nil
}

// Undelivered returns tasks that ended longer than age ago and whose workflow has not been told, by id from after
// on; at most limit.
func (d *DB) Undelivered(ctx context.Context, after int64, age time.Duration, limit int) ([]TaskEnded, error) {
	rows, err := d.Pool.Query(ctx, `SELECT id, job_id, status, reason, cause, attached, supervised FROM tasks
		WHERE stopped_at < now() - $2::interval AND delivered_at IS NULL AND id > $1 ORDER BY id LIMIT $3`,
		prepared, after, age, limit)
	if err != nil {
		return nil, fmt.Errorf("undelivered tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[TaskEnded])
	if err != nil {
		return nil, fmt.Errorf("undelivered tasks: %w", err)
	}
	return tasks, nil
}

// MarkDelivered notes that the workflows of ended tasks have been told.
func (d *DB) MarkDelivered(ctx context.Context, tasks []int64) error {
	_, err := d.Pool.Exec(ctx, `UPDATE tasks SET delivered_at = now()
		WHERE id = ANY($1) AND stopped_at IS NOT NULL AND delivered_at IS NULL`, prepared, tasks)
	if err != nil {
		return fmt.Errorf("mark tasks delivered: %w", err)
	}
	return nil
}

// TaskRef names a task and its job.
type TaskRef struct {
	TaskID, JobID int64
}

// UnattendedTasks returns open tasks that were claimed longer than age ago, whose workflow waits for an offer and
// does not supervise them yet: its wake-up may have been lost. At most limit, the oldest first.
func (d *DB) UnattendedTasks(ctx context.Context, age time.Duration, limit int) ([]TaskRef, error) {
	rows, err := d.Pool.Query(ctx, `SELECT id, job_id FROM tasks WHERE attached AND NOT supervised AND stopped_at IS NULL
		AND claimed_at < now() - $1::interval ORDER BY claimed_at LIMIT $2`, prepared, age, limit)
	if err != nil {
		return nil, fmt.Errorf("unattended tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[TaskRef])
	if err != nil {
		return nil, fmt.Errorf("unattended tasks: %w", err)
	}
	return tasks, nil
}

// TouchUptime notes that a gateway is up. After a gap of gatewayGone the uptime begins anew.
func (d *DB) TouchUptime(ctx context.Context) error {
	_, err := d.Pool.Exec(ctx, `INSERT INTO gateway_uptime AS g (since, seen_at) VALUES (now(), now())
		ON CONFLICT (id) DO UPDATE SET seen_at = now(),
			since = CASE WHEN g.seen_at < now() - $1::interval THEN now() ELSE g.since END`, prepared, gatewayGone)
	if err != nil {
		return fmt.Errorf("gateway uptime: %w", err)
	}
	return nil
}

// sweepLock is the key of the advisory lock that lets one gateway redeliver at a time.
const sweepLock = 0x70617773 // "paws"

// TrySweep calls fn while no other gateway is in TrySweep; it tells whether it was called.
func (d *DB) TrySweep(ctx context.Context, fn func(context.Context) error) (called bool, err error) {
	if called, err = d.tryLock(ctx, sweepLock, fn); err != nil {
		return called, fmt.Errorf("sweep: %w", err)
	}
	return called, nil
}
