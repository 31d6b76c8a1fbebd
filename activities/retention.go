package activities

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/workflows"
)

// Sizes of the batches of a sweep. Each is some seconds of work at most.
const (
	expireBatch  = 50  // runs whose logs expire
	deleteBatch  = 20  // runs
	discardBatch = 200 // chunks, of up to about 1 MiB
)

// ExpireLogs has logs expire that have been kept for long enough.
func (a *Activities) ExpireLogs(ctx context.Context) (workflows.RetentionBatch, error) {
	e, err := a.db.ExpireLogs(ctx, a.Retention, expireBatch)
	if err != nil {
		return workflows.RetentionBatch{}, err
	}
	a.metrics.removed(removedLogs, e.Logs)
	a.metrics.removed(removedLogBytes, e.Bytes)
	if e.Runs > 0 {
		a.logger.InfoContext(ctx, "logs expired", "runs", e.Runs, "logs", e.Logs, "bytes", e.Bytes)
	}
	return workflows.RetentionBatch{More: e.Runs > 0}, nil
}

// DeleteRuns deletes runs that have been kept for long enough. One that is in use just now is left to the next sweep.
func (a *Activities) DeleteRuns(ctx context.Context) (workflows.RetentionBatch, error) {
	due, err := a.db.DueRuns(ctx, a.Retention, deleteBatch)
	if err != nil {
		return workflows.RetentionBatch{}, err
	}
	var deleted int64
	for _, r := range due {
		wake, err := a.db.DeleteRun(ctx, r.RepoID, r.RunID)
		switch {
		case errors.Is(err, db.ErrConflict), errors.Is(err, db.ErrUnfinished), errors.Is(err, db.ErrNotFound):
			continue
		case err != nil:
			return workflows.RetentionBatch{}, err
		}
		a.wake(ctx, wake)
		deleted++
	}
	a.metrics.removed(removedRuns, deleted)
	if deleted > 0 {
		a.logger.InfoContext(ctx, "runs deleted", "runs", deleted)
	}
	return workflows.RetentionBatch{More: deleted > 0}, nil
}

// DiscardLogs removes what expired and deleted logs have left behind.
func (a *Activities) DiscardLogs(ctx context.Context) (workflows.RetentionBatch, error) {
	chunks, more, err := a.db.DiscardLogs(ctx, discardBatch)
	if err != nil {
		return workflows.RetentionBatch{}, err
	}
	a.metrics.removed(removedChunks, chunks)
	return workflows.RetentionBatch{More: more}, nil
}
