package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Attempts returns all attempts of a run, the oldest first.
func (d *DB) Attempts(ctx context.Context, run int64) ([]*Attempt, error) {
	var attempts []*Attempt
	if err := d.NewSelect().Model(&attempts).Where("run_id = ?", run).Order("number").Scan(ctx); err != nil {
		return nil, fmt.Errorf("attempts of run %d: %w", run, err)
	}
	return attempts, nil
}

// LatestStatus is that of the newest run of a workflow file on a full ref, by the event if one is given; StatusUnknown
// when there is none. It counts nothing, because badges are looked at often.
func (d *DB) LatestStatus(ctx context.Context, repo int64, file, ref, event string) (ci.Status, error) {
	q := d.NewSelect().Model((*Run)(nil)).Column("status").
		Where("repo_id = ?", repo).Where("workflow_file = ?", file).Where("ref = ?", ref)
	if event != "" {
		q = q.Where("event = ?", event)
	}
	var status ci.Status
	err := q.OrderExpr("run_number DESC").Limit(1).Scan(ctx, &status)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return status, fmt.Errorf("latest run of %s: %w", file, err)
	}
	return status, nil
}
