package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// OfferTask is an offer with the task that came of it; Task.ID is 0 while there is none.
type OfferTask struct {
	// State is never OfferHeld: a held offer is queued for whoever waits for it, and Held.
	State  OfferState
	Held   bool
	TaskID int64
	Status TaskStatus
	Reason string
	// Cause is why the task was lost.
	Cause   string
	Running time.Duration // since the claim, by the database's clock
	// Confirmed: the runner has reported on the task.
	Confirmed bool
	// Waited is for how long a queued offer has been one.
	Waited time.Duration
}

// waitedOf is OfferTask.Waited of an offer o.
const waitedOf = `CASE WHEN o.state = 'queued' THEN now() - o.created_at ELSE interval '0' END`

// attachOffer locks the offer and its task in the order in which a claim does, so that either the claim sees that
// the workflow is attached or the workflow sees the claim; the same holds for the end of the task.
const attachOffer = `WITH o AS (
		UPDATE offers SET attached = true WHERE job_id = $1 AND try = $2 RETURNING id, state, created_at
	), t AS (
		UPDATE tasks SET attached = true FROM o WHERE tasks.offer_id = o.id
		RETURNING tasks.id, tasks.status, tasks.reason, tasks.cause, now() - tasks.claimed_at AS running, tasks.confirmed_at
	)
	SELECT o.state, coalesce(t.id, 0), coalesce(t.status, ''), coalesce(t.reason, ''), coalesce(t.cause, ''),
		coalesce(t.running, interval '0'), t.confirmed_at IS NOT NULL, ` + waitedOf + `
	FROM o LEFT JOIN t ON true`

// Attach notes that the job's workflow watches an offer, and tells how far it has come. An offer that is not there
// was never made because the run was cancelled; it is answered as withdrawn.
func (d *DB) Attach(ctx context.Context, job int64, try int) (OfferTask, error) {
	for {
		o, err := d.attachOnce(ctx, job, try)
		if err != nil {
			return o, fmt.Errorf("attach job %d: %w", job, err)
		}
		// A claim that committed while this waited for its lock made a task that this statement cannot see.
		if o.State != OfferClaimed || o.TaskID != 0 {
			return o, nil
		}
	}
}

func (d *DB) attachOnce(ctx context.Context, job int64, try int) (OfferTask, error) {
	return scanOfferTask(d.Pool.QueryRow(ctx, attachOffer, job, try))
}

func scanOfferTask(row pgx.Row) (OfferTask, error) {
	var o OfferTask
	err := row.Scan(&o.State, &o.TaskID, &o.Status, &o.Reason, &o.Cause, &o.Running, &o.Confirmed, &o.Waited)
	if errors.Is(err, pgx.ErrNoRows) {
		return OfferTask{State: OfferWithdrawn}, nil
	}
	if o.State == OfferHeld {
		o.State, o.Held = OfferQueued, true
	}
	return o, err
}

// Supervise notes that the end of a task is to be told to its SuperviseTask activity, and tells its state.
func (d *DB) Supervise(ctx context.Context, task int64) (OfferTask, error) {
	o := OfferTask{State: OfferClaimed, TaskID: task}
	err := d.Pool.QueryRow(ctx, `UPDATE tasks SET attached = true, supervised = true WHERE id = $1
		RETURNING status, reason, cause, now() - claimed_at`, task).Scan(&o.Status, &o.Reason, &o.Cause, &o.Running)
	if errors.Is(err, pgx.ErrNoRows) {
		return o, fmt.Errorf("task %d: %w", task, ErrNotFound)
	}
	if err != nil {
		return o, fmt.Errorf("supervise task %d: %w", task, err)
	}
	return o, nil
}
