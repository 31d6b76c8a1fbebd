package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// CapabilityCancelling is what a runner declares that goes on with post steps after a cancel (runner-protocol.md §5).
const CapabilityCancelling = "cancelling"

// EndMode says how much of a job EndTask ends.
type EndMode int

// The ways to end a task.
const (
	// EndGraceful takes offers back, and has the task cancelled, by its runner when that can finish its post steps.
	EndGraceful EndMode = iota
	// EndForced also ends the task at once.
	EndForced
)

// EndTask takes back the open offers of a job and ends its open task, as far as mode says; a runner that knows no
// better is never asked to finish (status cancelling). It answers with the job's latest offer and task as they are
// then; a task that ended by itself keeps its own end.
func (d *DB) EndTask(ctx context.Context, job int64, mode EndMode, reason string) (OfferTask, error) {
	var out OfferTask
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		err := changeOffers(ctx, tx, `state = 'withdrawn'`, `WHERE o.job_id = $1 AND o.state IN ('queued', 'held')`, job)
		if err != nil {
			return err
		}
		err = endOpenTasks(ctx, tx, `t.job_id = $1`, job, taskEnding{reason: reason, force: mode == EndForced})
		if err == nil {
			out, err = latestOffer(ctx, tx, job)
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("end task of job %d: %w", job, err)
	}
	return out, nil
}

// TakeBack takes back the offer of a job that has waited for a runner for so long. It leaves alone one that is held, or
// was until a short time ago, and a task that a runner has. It answers like EndTask.
func (d *DB) TakeBack(ctx context.Context, job int64, waited time.Duration) (OfferTask, error) {
	var out OfferTask
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		err := changeOffers(ctx, tx, `state = 'withdrawn'`,
			`WHERE o.job_id = $1 AND o.state = 'queued' AND o.created_at <= now() - $2::interval`, job, waited)
		if err == nil {
			out, err = latestOffer(ctx, tx, job)
		}
		return err
	})
	if err != nil {
		return out, fmt.Errorf("take back the offer of job %d: %w", job, err)
	}
	return out, nil
}

func latestOffer(ctx context.Context, tx pgx.Tx, job int64) (OfferTask, error) {
	return scanOfferTask(tx.QueryRow(ctx, `SELECT o.state, coalesce(t.id, 0), coalesce(t.status, ''), coalesce(t.reason, ''),
			coalesce(t.cause, ''), coalesce(now() - t.claimed_at, interval '0'), t.confirmed_at IS NOT NULL, `+waitedOf+`
		FROM offers o LEFT JOIN tasks t ON t.offer_id = o.id WHERE o.job_id = $1 ORDER BY o.try DESC LIMIT 1`, job))
}

// openTask is what it takes to end a task from the server's side.
type openTask struct {
	id, job int64
	steps   []byte
	capable bool
}

// taskEnding says how open tasks are ended.
type taskEnding struct {
	reason string
	// force ends tasks at once whose runner could finish its post steps.
	force bool
	// tell leaves it open that their workflows have been told: whoever ends them does not speak for these.
	tell bool
}

// endOpenTasks ends or cancels the open tasks of one repository that the condition names by its one argument.
func endOpenTasks(ctx context.Context, tx pgx.Tx, condition string, arg any, e taskEnding) error {
	rows, err := tx.Query(ctx, `SELECT t.id, t.job_id, t.steps, $2 = ANY(r.capabilities)
		FROM tasks t JOIN runners r ON r.id = t.runner_id
		WHERE `+condition+` AND t.stopped_at IS NULL ORDER BY t.id FOR UPDATE OF t`, arg, CapabilityCancelling)
	if err != nil {
		return err
	}
	tasks, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (t openTask, err error) {
		return t, row.Scan(&t.id, &t.job, &t.steps, &t.capable)
	})
	if err != nil || len(tasks) == 0 {
		return err
	}
	batch := &pgx.Batch{}
	for _, t := range tasks {
		if t.capable && !e.force {
			queueCancelling(batch, t)
		} else if err := queueCancelled(batch, t, e); err != nil {
			return err
		}
	}
	return tx.SendBatch(ctx, batch).Close()
}

func queueCancelling(batch *pgx.Batch, t openTask) {
	batch.Queue(`UPDATE tasks SET status = 'cancelling', cancel_requested_at = coalesce(cancel_requested_at, now())
		WHERE id = $1`, t.id)
	batch.Queue(`UPDATE jobs SET status = 'cancelling', updated_at = now() WHERE id = $1 AND status = 'running'`, t.job)
}

// queueCancelled ends a task.
func queueCancelled(batch *pgx.Batch, t openTask, e taskEnding) error {
	steps, err := closeSteps(t.steps, ci.StatusCancelled)
	if err != nil {
		return fmt.Errorf("steps of task %d: %w", t.id, err)
	}
	batch.Queue(`UPDATE tasks SET status = 'cancelled', reason = $2, steps = $3, stopped_at = now(),
			delivered_at = CASE WHEN NOT ($4 AND (attached OR supervised)) THEN now() END,
			cancel_requested_at = coalesce(cancel_requested_at, now())
		WHERE id = $1`, t.id, e.reason, steps, e.tell)
	return nil
}

// closeSteps gives every unfinished step the status of its task (execution-semantics.md §2.1).
func closeSteps(raw []byte, status ci.Status) ([]byte, error) {
	var steps []Step
	if err := json.Unmarshal(raw, &steps); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	for i := range steps {
		if !steps[i].Status.Terminal() {
			steps[i].Status, steps[i].StoppedAt = status, now
		}
	}
	return json.Marshal(slices.Clip(steps))
}

// gatewayGone is how long no gateway may have shown itself before silence of runners proves nothing.
const gatewayGone = 10 * time.Second

// CheckTask gives a task up as lost when its runner was silent for longer than lostAfter although a gateway was
// there to hear it, and tells the state of the task. Only the database's clock counts. ErrNotFound if there is none.
func (d *DB) CheckTask(ctx context.Context, task int64, lostAfter time.Duration) (OfferTask, error) {
	o := OfferTask{State: OfferClaimed, TaskID: task}
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		var steps []byte
		var lost bool
		err := tx.QueryRow(ctx, `SELECT t.status, t.reason, t.cause, t.steps, now() - t.claimed_at, t.confirmed_at IS NOT NULL,
				coalesce(t.stopped_at IS NULL AND g.seen_at > now() - $3::interval
					AND greatest(t.heartbeat_at, g.since) < now() - $2::interval, false)
			FROM tasks t LEFT JOIN gateway_uptime g ON true WHERE t.id = $1 FOR UPDATE OF t`, task, lostAfter, gatewayGone).
			Scan(&o.Status, &o.Reason, &o.Cause, &steps, &o.Running, &o.Confirmed, &lost)
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil || !lost {
			return err
		}
		o.Status, o.Cause, o.Reason = TaskLost, CauseLost, fmt.Sprintf("the runner was not heard of for %s", lostAfter)
		return loseTask(ctx, tx, task, steps, o.Reason)
	})
	if err != nil {
		return o, fmt.Errorf("check task %d: %w", task, err)
	}
	return o, nil
}

func loseTask(ctx context.Context, tx pgx.Tx, task int64, steps []byte, reason string) error {
	closed, err := closeSteps(steps, ci.StatusFailure)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `UPDATE tasks SET status = 'lost', cause = $4, reason = $2, steps = $3, stopped_at = now(), delivered_at = now()
		WHERE id = $1`, task, reason, closed, CauseLost)
	return err
}
