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
	runs, err := latestRuns.read(ctx, d, fromRuns+"WHERE run.id = ANY($1) AND run.repo_id = $2 ORDER BY array_position($1, run.id)",
		ids, repo)
	if err != nil {
		return nil, fmt.Errorf("runs by id: %w", err)
	}
	return d.viewRuns(ctx, runs, false)
}
