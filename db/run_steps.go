package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/pawl-ci/pawl/internal/ci"
)

func textArray(s []string) any { return pgdialect.Array(s) }

func int64Array(ids []int64) any { return pgdialect.Array(ids) }

// JobEnd is the end of a job for RecordStep.
type JobEnd struct {
	JobID  int64
	Status ci.Status
	Reason string
}

// RunStep is one move of a run.
type RunStep struct {
	RunID, AttemptID int64
	// Ended are jobs that are over.
	Ended []JobEnd
	// Offered are jobs whose first offer is to be made.
	Offered []int64
	// CancelSeen: the workflow has heard of the cancel.
	CancelSeen bool
	// Status is terminal when the attempt is over, else StatusUnknown.
	Status ci.Status
}

// RecordStep writes one move of a run in one transaction and one round trip. It may be repeated.
func (d *DB) RecordStep(ctx context.Context, s RunStep) error {
	batch := &pgx.Batch{}
	if len(s.Ended) > 0 {
		queueEnds(batch, s)
	}
	if len(s.Offered) > 0 {
		queueOffers(batch, s.Offered, 1)
	}
	if s.CancelSeen {
		batch.Queue(`UPDATE attempts SET cancel_seen_at = now() WHERE id = $1`, s.AttemptID)
	}
	if s.Status.Terminal() {
		queueAttemptEnd(batch, s)
	}
	if batch.Len() == 0 {
		return nil
	}
	// A batch without BEGIN is one implicit transaction.
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("record step of run %d: %w", s.RunID, err)
	}
	return nil
}

func queueEnds(batch *pgx.Batch, s RunStep) {
	ids, statuses, reasons := make([]int64, len(s.Ended)), make([]string, len(s.Ended)), make([]string, len(s.Ended))
	for i, e := range s.Ended {
		ids[i], statuses[i], reasons[i] = e.JobID, e.Status.String(), e.Reason
	}
	batch.Queue(`UPDATE jobs SET status = e.status, reason = e.reason, stopped_at = now(), updated_at = now()
		FROM unnest($1::bigint[], $2::text[], $3::text[]) AS e (id, status, reason)
		WHERE jobs.id = e.id AND jobs.attempt_id = $4 AND jobs.stopped_at IS NULL`, ids, statuses, reasons, s.AttemptID)
}

// queueOffers makes offers and tells the gateways of those that are queued. A run that was cancelled meanwhile gets
// none, except for jobs with an `if`, which may be meant to run after a cancel. What has ended gets none at all, however
// late this is repeated.
func queueOffers(batch *pgx.Batch, jobs []int64, try int) {
	batch.Queue(`INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id)
		SELECT j.id, $2, j.run_id, j.attempt_id, j.repo_id, j.owner_id, j.label_set_id
		FROM jobs j JOIN attempts a ON a.id = j.attempt_id
		WHERE j.id = ANY($1) AND (a.cancel_requested_at IS NULL OR j.if_expr <> '')
		AND a.stopped_at IS NULL AND j.stopped_at IS NULL
		ORDER BY j.cell
		ON CONFLICT (job_id, try) DO NOTHING`, jobs, try)
	batch.Queue(`UPDATE jobs SET status = 'waiting', updated_at = now()
		WHERE id = ANY($1) AND status IN ('blocked', 'running', 'cancelling')
		AND EXISTS (SELECT 1 FROM offers o WHERE o.job_id = jobs.id AND o.try = $2 AND o.state = 'queued')`, jobs, try)
	// One message per queue, each far below the 8,000 bytes that Postgres allows.
	batch.Queue(`SELECT pg_notify('pawl_offers', json_build_array(json_build_object(
			's', label_set_id, 'o', owner_id, 'r', repo_id, 'n', count(*)))::text)
		FROM offers WHERE job_id = ANY($1) AND try = $2 AND state = 'queued' GROUP BY label_set_id, owner_id, repo_id`, jobs, try)
}

func queueAttemptEnd(batch *pgx.Batch, s RunStep) {
	batch.Queue(`UPDATE attempts SET status = $2, stopped_at = now()
		WHERE id = $1 AND stopped_at IS NULL`, s.AttemptID, s.Status.String())
	batch.Queue(`UPDATE runs SET status = $3, stopped_at = now(), updated_at = now()
		FROM attempts a WHERE runs.id = $1 AND a.id = $2 AND runs.attempt = a.number AND runs.stopped_at IS NULL`,
		s.RunID, s.AttemptID, s.Status.String())
}

// OfferAgain makes offer number try of a job whose last one came to nothing. It may be repeated.
func (d *DB) OfferAgain(ctx context.Context, job int64, try int) error {
	batch := &pgx.Batch{}
	queueOffers(batch, []int64{job}, try)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("offer job %d again: %w", job, err)
	}
	return nil
}
