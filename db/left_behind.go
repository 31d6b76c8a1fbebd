package db

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// A worker that dies may have done more than Temporal knows of: an offer was made, a matrix expanded. Another worker
// takes over from what Temporal knows, and may decide otherwise, because something has happened meanwhile. So an end
// takes along what belongs to it, also where nobody would think of it.

// leftBehind is what a step of a run found.
type leftBehind struct {
	// tasks are open although their job has ended.
	tasks []int64
}

// queueLeftOffers takes back the offers of what ends with a step, and looks for tasks that came of them.
func (s RunStep) queueLeftOffers(batch *pgx.Batch, left *leftBehind) {
	condition, arg := `job_id = ANY($1)`, any(s.endedJobs())
	switch {
	case s.Status.Terminal():
		condition, arg = `attempt_id = $1`, s.AttemptID
	case len(s.Ended) == 0:
		return
	}
	batch.Queue(`UPDATE offers SET state = 'withdrawn' WHERE id IN (
		SELECT id FROM offers WHERE `+condition+` AND state IN ('queued', 'held') ORDER BY id FOR UPDATE)`, arg)
	batch.Queue(`SELECT id FROM tasks WHERE `+condition+` AND stopped_at IS NULL`, arg).Query(func(rows pgx.Rows) (err error) {
		left.tasks, err = pgx.CollectRows(rows, pgx.RowTo[int64])
		return err
	})
}

// queueLeftJobs ends jobs of which a run knows nothing that has ended.
func queueLeftJobs(batch *pgx.Batch, attempt int64) {
	batch.Queue(`UPDATE jobs SET status = 'cancelled', reason = 'the run has ended', stopped_at = now(), updated_at = now()
		WHERE attempt_id = $1 AND stopped_at IS NULL`, attempt)
}

// endLeftTasks has runners stop that work for nobody.
func (d *DB) endLeftTasks(ctx context.Context, left leftBehind) error {
	if len(left.tasks) == 0 {
		return nil
	}
	return d.inTx(ctx, func(tx pgx.Tx) error {
		return endOpenTasks(ctx, tx, `t.id = ANY($1)`, left.tasks, taskEnding{reason: "the job has ended", force: true})
	})
}
