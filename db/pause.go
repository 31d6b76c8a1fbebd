package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// PauseRun keeps the jobs of an attempt that no runner has from being given to one, also those that become ready later.
// Tasks go on. A repeated call changes nothing. ErrFinished means that the attempt has ended.
func (d *DB) PauseRun(ctx context.Context, run int64, attempt int, by int64) error {
	err := d.withAttempt(ctx, run, attempt, func(tx pgx.Tx, id int64) error {
		_, err := tx.Exec(ctx, `UPDATE attempts SET paused_at = now(), paused_by = $2 WHERE id = $1 AND paused_at IS NULL`, prepared, id, by)
		if err != nil {
			return err
		}
		return changeOffers(ctx, tx, `state = 'held'`, `WHERE o.attempt_id = $1 AND o.state = 'queued'`, id)
	})
	if err != nil {
		return fmt.Errorf("pause run %d: %w", run, err)
	}
	return nil
}

// ResumeRun is the opposite of PauseRun. What its repository holds back stays held.
func (d *DB) ResumeRun(ctx context.Context, run int64, attempt int, _ int64) error {
	err := d.withAttempt(ctx, run, attempt, func(tx pgx.Tx, id int64) error {
		_, err := tx.Exec(ctx, `UPDATE attempts SET paused_at = NULL, paused_by = 0 WHERE id = $1`, prepared, id)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, releaseAttempt, prepared, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("resume run %d: %w", run, err)
	}
	return nil
}

// withAttempt changes an open attempt under its lock, which is news for it. Its repository is locked first, as by whoever
// pauses that.
func (d *DB) withAttempt(ctx context.Context, run int64, number int, change func(pgx.Tx, int64) error) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, `SELECT 1 FROM repositories WHERE id = (SELECT repo_id FROM runs WHERE id = $1) FOR KEY SHARE`, prepared, run)
		if err != nil {
			return err
		}
		ids, _, err := lockOpenAttempts(ctx, tx, run, number)
		if err != nil {
			return err
		}
		if err := change(tx, ids[0]); err != nil {
			return err
		}
		_, err = tell(ctx, tx, ids[0])
		return err
	})
}

// pauseRepository does what PauseRun does to all runs of a repository, also to those that begin later.
func pauseRepository(ctx context.Context, tx pgx.Tx, repo, by int64) error {
	_, err := tx.Exec(ctx, `UPDATE repositories SET paused_at = now(), paused_by = $2 WHERE id = $1 AND paused_at IS NULL`, prepared, repo, by)
	if err != nil {
		return err
	}
	return changeOffers(ctx, tx, `state = 'held'`, `WHERE o.repo_id = $1 AND o.state = 'queued'`, repo)
}

// resumeRepository is the opposite of pauseRepository. Runs that were paused one by one stay paused.
func resumeRepository(ctx context.Context, tx pgx.Tx, repo int64) error {
	_, err := tx.Exec(ctx, `UPDATE repositories SET paused_at = NULL, paused_by = 0 WHERE id = $1`, prepared, repo)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, releaseRepository, prepared, repo)
	return err
}

// withRepository changes a repository under a lock that keeps out who makes offers, which is news for all its runs. Their
// attempts are locked before what the change locks of them.
func (d *DB) withRepository(ctx context.Context, repo int64, change func(pgx.Tx) error) error {
	return d.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT id FROM repositories WHERE id = $1 FOR UPDATE`, prepared, repo).Scan(new(int64))
		if errors.Is(err, pgx.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		rows, err := tx.Query(ctx, `SELECT a.id FROM attempts a JOIN runs r ON r.id = a.run_id
			WHERE r.repo_id = $1 AND a.stopped_at IS NULL ORDER BY a.id FOR KEY SHARE OF a`, prepared, repo)
		if err != nil {
			return err
		}
		attempts, err := pgx.CollectRows(rows, pgx.RowTo[int64])
		if err != nil {
			return err
		}
		if err := change(tx); err != nil {
			return err
		}
		_, err = tell(ctx, tx, attempts...)
		return err
	})
}
