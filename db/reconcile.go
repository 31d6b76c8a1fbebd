package db

import (
	"context"
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/internal/ci"
)

// OpenAttempt is an attempt that the reconciler looks at, with what it takes to start its workflow.
type OpenAttempt struct {
	RunID      int64
	AttemptID  int64
	Attempt    int
	Repository string // owner/name
	Workflow   string // file name
	Event      string
	Ref        string
	Actor      string // login of who started the attempt
	RunNumber  int64
}

const openAttempt = `SELECT r.id AS run_id, a.id AS attempt_id, a.number AS attempt, o.login || '/' || p.name AS repository,
		r.workflow_file AS workflow, r.event, r.ref, coalesce(u.login, '') AS actor, r.run_number
	FROM attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repo_id
	JOIN owners o ON o.id = p.owner_id LEFT JOIN owners u ON u.id = a.trigger_user_id `

// UnstartedAttempts returns attempts whose workflow has not begun although they are older than age; at most limit.
func (d *DB) UnstartedAttempts(ctx context.Context, age time.Duration, limit int) ([]OpenAttempt, error) {
	return d.openAttempts(ctx, `WHERE a.workflow_seen_at IS NULL AND a.stopped_at IS NULL
		AND a.created_at < now() - make_interval(secs => ?) ORDER BY a.created_at LIMIT ?`, age.Seconds(), limit)
}

// UnheardCancel is a cancel of which the workflow of an attempt has not heard.
type UnheardCancel struct {
	RunID     int64
	AttemptID int64
	Attempt   int
	By        int64
	Who       string // login
	Reason    string
	Forced    bool
}

// UnheardCancels returns cancels that are older than age; at most limit.
func (d *DB) UnheardCancels(ctx context.Context, age time.Duration, limit int) ([]UnheardCancel, error) {
	var out []UnheardCancel
	err := d.NewRaw(`SELECT run_id, a.id AS attempt_id, number AS attempt, coalesce(cancel_requested_by, 0) AS by,
			coalesce(o.login, '') AS who, cancel_reason AS reason, cancel_forced AS forced
		FROM attempts a LEFT JOIN owners o ON o.id = a.cancel_requested_by WHERE cancel_requested_at < now() - make_interval(secs => ?) AND cancel_requested_at IS NOT NULL
		AND cancel_seen_at IS NULL AND workflow_seen_at IS NOT NULL AND stopped_at IS NULL
		ORDER BY cancel_requested_at LIMIT ?`, age.Seconds(), limit).Scan(ctx, &out)
	if err != nil {
		return nil, fmt.Errorf("unheard cancels: %w", err)
	}
	return out, nil
}

// OpenAttemptsAfter pages through all attempts that have not ended and whose workflow began more than age ago, by id.
func (d *DB) OpenAttemptsAfter(ctx context.Context, after int64, age time.Duration, limit int) ([]OpenAttempt, error) {
	return d.openAttempts(ctx, `WHERE a.id > ? AND a.stopped_at IS NULL
		AND a.workflow_seen_at < now() - make_interval(secs => ?) ORDER BY a.id LIMIT ?`, after, age.Seconds(), limit)
}

func (d *DB) openAttempts(ctx context.Context, where string, args ...any) ([]OpenAttempt, error) {
	var out []OpenAttempt
	if err := d.NewRaw(openAttempt+where, args...).Scan(ctx, &out); err != nil {
		return nil, fmt.Errorf("open attempts: %w", err)
	}
	return out, nil
}

// AbandonAttempt ends an attempt whose workflow is gone: its open jobs, offers and tasks with it. It does nothing, and
// answers false, when the attempt has ended.
func (d *DB) AbandonAttempt(ctx context.Context, run, attempt int64, status ci.Status, reason string) (changed bool, err error) {
	if open, err := d.attemptOpen(ctx, attempt); err != nil || !open {
		return false, err
	}
	jobs, err := d.openJobs(ctx, attempt)
	if err != nil {
		return false, err
	}
	step := RunStep{RunID: run, AttemptID: attempt, Status: status, Reason: reason, Release: true}
	for _, id := range jobs {
		if _, err := d.EndTask(ctx, id, EndForced, reason); err != nil {
			return false, err
		}
		step.Ended = append(step.Ended, JobEnd{JobID: id, Status: status, Reason: reason})
	}
	// Whom this gives news is woken by the pass of the reconciler that looks for unseen news.
	if _, err := d.RecordStep(ctx, step); err != nil {
		return false, err
	}
	return true, nil
}

// AlertFailedRun has administrators told of a run whose workflow failed, once.
func (d *DB) AlertFailedRun(ctx context.Context, attempt int64, detail string) error {
	_, err := d.NewRaw(`INSERT INTO alerts (kind, repo_id, run_id, attempt_id, detail)
		SELECT 'run', r.repo_id, r.id, a.id, ? FROM attempts a JOIN runs r ON r.id = a.run_id WHERE a.id = ?
		ON CONFLICT DO NOTHING`, detail, attempt).Exec(ctx)
	if err != nil {
		return fmt.Errorf("alert of attempt %d: %w", attempt, err)
	}
	return nil
}

// attemptOpen tells whether an attempt has not ended. The answer cannot grow old where it matters here: with its
// workflow gone nobody else ends the attempt.
func (d *DB) attemptOpen(ctx context.Context, attempt int64) (open bool, err error) {
	err = d.NewRaw(`SELECT EXISTS (SELECT 1 FROM attempts WHERE id = ? AND stopped_at IS NULL)`, attempt).Scan(ctx, &open)
	if err != nil {
		return false, fmt.Errorf("attempt %d: %w", attempt, err)
	}
	return open, nil
}

func (d *DB) openJobs(ctx context.Context, attempt int64) ([]int64, error) {
	var ids []int64
	err := d.NewRaw(`SELECT id FROM jobs WHERE attempt_id = ? AND stopped_at IS NULL ORDER BY id`, attempt).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("open jobs of attempt %d: %w", attempt, err)
	}
	return ids, nil
}
