package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// RepositoryChange is what is to be changed of the settings of a repository; what is nil or false stays.
type RepositoryChange struct {
	// By is who changes it.
	By       int64
	Approval *ApprovalPolicy
	Paused   *bool
	// SetLimit says that Limit is to be set, of which nil means no limit (SetJobLimit).
	SetLimit bool
	Limit    *int
	// For how many days things are kept; 0 is for as long as the installation keeps them.
	LogDays, FailedLogDays, RunDays *int
}

// EditRepository changes settings of a repository in one transaction. The approval policy is for new runs; those that are
// there keep what they were made with. ErrNotFound if there is no such repository.
func (d *DB) EditRepository(ctx context.Context, repo int64, c RepositoryChange) error {
	err := d.withRepository(ctx, repo, func(tx pgx.Tx) error { return c.apply(ctx, tx, repo) })
	if err != nil {
		return fmt.Errorf("edit repository %d: %w", repo, err)
	}
	return nil
}

// apply comes to limits after offers, as a claim does.
func (c RepositoryChange) apply(ctx context.Context, tx pgx.Tx, repo int64) error {
	if c.Approval != nil {
		_, err := tx.Exec(ctx, `UPDATE repositories SET approval = $2, updated_at = now() WHERE id = $1`, repo, string(*c.Approval))
		if err != nil {
			return err
		}
	}
	if err := c.applyRetention(ctx, tx, repo); err != nil {
		return err
	}
	if err := c.applyPause(ctx, tx, repo); err != nil {
		return err
	}
	if c.SetLimit {
		return setLimit(ctx, tx, LimitRepository, repo, c.Limit)
	}
	return nil
}

func (c RepositoryChange) applyPause(ctx context.Context, tx pgx.Tx, repo int64) error {
	switch {
	case c.Paused == nil:
		return nil
	case *c.Paused:
		return pauseRepository(ctx, tx, repo, c.By)
	default:
		return resumeRepository(ctx, tx, repo)
	}
}

func (c RepositoryChange) applyRetention(ctx context.Context, tx pgx.Tx, repo int64) error {
	if c.LogDays == nil && c.FailedLogDays == nil && c.RunDays == nil {
		return nil
	}
	_, err := tx.Exec(ctx, `UPDATE repositories SET log_retention_days = coalesce($2, log_retention_days),
			failed_log_retention_days = coalesce($3, failed_log_retention_days),
			run_retention_days = coalesce($4, run_retention_days), updated_at = now() WHERE id = $1`,
		repo, c.LogDays, c.FailedLogDays, c.RunDays)
	return err
}
