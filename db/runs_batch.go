package db

import "context"

// RunsByID returns those of the runs that are in the repository, as of their latest attempt, in the order of the ids.
func (d *DB) RunsByID(ctx context.Context, repo int64, ids []int64) ([]*RunView, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	views, err := d.viewRuns(ctx, false, "run.id = ANY($1) AND run.repo_id = $2", ids, repo)
	return arrange(ids, views, func(v *RunView) int64 { return v.Run.ID }), err
}
