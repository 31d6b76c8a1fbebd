package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// ErrNeverAwaited is returned when a run was approved that nobody had to approve.
var ErrNeverAwaited = errors.New("never awaited an approval")

// ApproveRun lets a run begin that waits for an approval, and returns the attempts whose workflows have news. Approving
// it again changes nothing. ErrNeverAwaited; ErrFinished when the run ended before it could begin.
func (d *DB) ApproveRun(ctx context.Context, run, by int64) (wake []RunRef, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var approval Approval
		var ended bool
		err := tx.QueryRow(ctx, `SELECT approval, stopped_at IS NOT NULL FROM runs WHERE id = $1 FOR NO KEY UPDATE`, run).
			Scan(&approval, &ended)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return ErrNotFound
		case err != nil:
			return err
		case approval == ApprovalNone:
			return ErrNeverAwaited
		case approval == ApprovalGiven:
			return nil
		case ended:
			return ErrFinished
		}
		_, err = tx.Exec(ctx, `UPDATE runs SET approval = 'given', approved_by = $2, approved_at = now(), updated_at = now()
			WHERE id = $1`, run, by)
		if err != nil {
			return err
		}
		wake, err = tellAttempts(ctx, tx, `SELECT id FROM attempts WHERE run_id = $1 AND stopped_at IS NULL`, run)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("approve run %d: %w", run, err)
	}
	return wake, nil
}

// tellAttempts gives news to the attempts whose ids a query finds.
func tellAttempts(ctx context.Context, tx pgx.Tx, query string, arg any) ([]RunRef, error) {
	rows, err := tx.Query(ctx, query, arg)
	if err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, err
	}
	return tell(ctx, tx, ids...)
}

// PendingReview is a job that waits for a reviewer, with what decides who may be it.
type PendingReview struct {
	Deployment    `bun:",extend"`
	Number        int   // of the attempt
	TriggerUserID int64 // who started the attempt
	// HasReviewers is false when only time is waited for.
	HasReviewers      bool
	PreventSelfReview bool
	// MayReview: the user is one of the reviewers, or a member of an organization that is.
	MayReview bool
}

// PendingReviews returns the open jobs of a run that wait for reviewers of the given environments, and what the user may
// do about them. The rules of an environment that was deleted are gone, and with them its reviewers.
func (d *DB) PendingReviews(ctx context.Context, run, user int64, environments []int64) ([]PendingReview, error) {
	var list []PendingReview
	err := d.NewRaw(`SELECT deployment.*, a.number, a.trigger_user_id,
			coalesce(cardinality(e.reviewers) > 0, false) AS has_reviewers,
			coalesce(e.prevent_self_review, false) AS prevent_self_review,
			coalesce(?0 = ANY(e.reviewers), false)
				OR EXISTS (SELECT 1 FROM org_members m WHERE m.org_id = ANY(e.reviewers) AND m.user_id = ?0) AS may_review
		FROM deployments AS deployment JOIN attempts a ON a.id = deployment.attempt_id
		JOIN jobs j ON j.id = deployment.job_id AND j.stopped_at IS NULL
		LEFT JOIN environments e ON e.id = deployment.environment_id
		WHERE a.run_id = ?1 AND a.stopped_at IS NULL AND deployment.environment_id = ANY(?2) AND deployment.state = 'waiting'
		ORDER BY deployment.job_id`, user, run, int64Array(environments)).Scan(ctx, &list)
	if err != nil {
		return nil, fmt.Errorf("pending reviews of run %d: %w", run, err)
	}
	return list, nil
}

// Verdict is what a reviewer says of jobs that wait.
type Verdict struct {
	Jobs    []int64
	By      int64
	Approve bool
	Comment string
}

// ReviewDeployments gives the verdict on those of the jobs that still wait, and returns these, and the attempts whose
// workflows have news.
func (d *DB) ReviewDeployments(ctx context.Context, v Verdict) (reviewed []Deployment, wake []RunRef, err error) {
	state, jobs := DeploymentRejected, []int64(nil)
	if v.Approve {
		state = DeploymentApproved
	}
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `WITH waiting AS (
				SELECT job_id FROM deployments WHERE job_id = ANY($1) AND state = 'waiting' ORDER BY job_id FOR UPDATE
			)
			UPDATE deployments SET state = $2, reviewed_by = $3, comment = $4, reviewed_at = now()
			FROM waiting WHERE deployments.job_id = waiting.job_id RETURNING deployments.job_id`,
			v.Jobs, string(state), v.By, cleanText(v.Comment))
		if err != nil {
			return err
		}
		if jobs, err = pgx.CollectRows(rows, pgx.RowTo[int64]); err != nil {
			return err
		}
		wake, err = tellAttempts(ctx, tx, `SELECT DISTINCT attempt_id FROM deployments WHERE job_id = ANY($1)`, jobs)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("review deployments: %w", err)
	}
	err = d.NewSelect().Model(&reviewed).Where("job_id = ANY(?)", int64Array(jobs)).Order("job_id").Scan(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("reviewed deployments: %w", err)
	}
	return reviewed, wake, nil
}
