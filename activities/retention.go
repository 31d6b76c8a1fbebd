package activities

import (
	"context"
	"errors"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/pacing"
	"github.com/pawl-ci/pawl/workflows"
)

// Sizes of the batches of a sweep. Each is some seconds of work at most.
const (
	expireBatch  = 50  // runs whose logs expire
	deleteBatch  = 20  // runs
	discardBatch = 200 // chunks, of up to about 1 MiB
)

// A sweep may have much to do, when days are set for the first time, and is never in a hurry. An activity makes batches for a
// few seconds, which a worker that stops waits for, and works for a quarter of them.
const (
	sweepTime  = 5 * time.Second
	sweepShare = 4
)

// sweep makes batches; each tells whether there may be more.
func sweep(ctx context.Context, batch func(context.Context) (more bool, err error)) (workflows.RetentionBatch, error) {
	more, err := pacing.Sharing(ctx, sweepShare, sweepTime, batch)
	return workflows.RetentionBatch{More: more}, err
}

// ExpireLogs has logs expire that have been kept for long enough.
func (a *Activities) ExpireLogs(ctx context.Context) (workflows.RetentionBatch, error) {
	return sweep(ctx, a.expireLogs)
}

func (a *Activities) expireLogs(ctx context.Context) (more bool, err error) {
	e, err := a.db.ExpireLogs(ctx, a.Retention, expireBatch)
	if err != nil {
		return false, err
	}
	a.metrics.removed(removedLogs, e.Logs)
	a.metrics.removed(removedLogBytes, e.Bytes)
	if e.Runs > 0 {
		a.logger.InfoContext(ctx, "logs expired", "runs", e.Runs, "logs", e.Logs, "bytes", e.Bytes)
	}
	return e.Runs > 0, nil
}

// DeleteRuns deletes runs that have been kept for long enough. One that is in use just now is left to the next sweep.
func (a *Activities) DeleteRuns(ctx context.Context) (workflows.RetentionBatch, error) {
	return sweep(ctx, a.deleteRuns)
}

func (a *Activities) deleteRuns(ctx context.Context) (more bool, err error) {
	due, err := a.db.DueRuns(ctx, a.Retention, deleteBatch)
	if err != nil {
		return false, err
	}
	var deleted int64
	for _, r := range due {
		wake, err := a.db.DeleteRun(ctx, r.RepoID, r.RunID)
		switch {
		case errors.Is(err, db.ErrConflict), errors.Is(err, db.ErrUnfinished), errors.Is(err, db.ErrNotFound):
			continue
		case err != nil:
			return false, err
		}
		a.wake(ctx, wake)
		deleted++
	}
	a.metrics.removed(removedRuns, deleted)
	if deleted > 0 {
		a.logger.InfoContext(ctx, "runs deleted", "runs", deleted)
	}
	return deleted > 0, nil
}

// DiscardLogs removes what expired and deleted logs have left behind.
func (a *Activities) DiscardLogs(ctx context.Context) (workflows.RetentionBatch, error) {
	return sweep(ctx, a.discardLogs)
}

func (a *Activities) discardLogs(ctx context.Context) (more bool, err error) {
	chunks, more, err := a.db.DiscardLogs(ctx, discardBatch)
	if err != nil {
		return false, err
	}
	a.metrics.removed(removedChunks, chunks)
	return more, nil
}
