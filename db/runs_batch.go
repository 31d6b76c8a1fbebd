package db

import (
	"context"
	"fmt"
)

// RunsByID returns those of the runs that are in the repository, as of their latest attempt, in the order of the ids.
func (d *DB) RunsByID(ctx context.Context, repo int64, ids []int64) ([]*RunView, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var runs []*Run
	err := d.NewSelect().Model(&runs).Column(runColumns...).Where("run.id = ANY(?)", int64Array(ids)).
		Where("run.repo_id = ?", repo).OrderExpr("array_position(?::bigint[], run.id)", int64Array(ids)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("runs by id: %w", err)
	}
	return d.viewRuns(ctx, runs, false)
}
