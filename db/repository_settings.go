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

func (c RepositoryChange) apply(ctx context.Context, tx pgx.Tx, repo int64) error {
	if c.SetLimit {
		if err := setLimit(ctx, tx, LimitRepository, repo, c.Limit); err != nil {
			return err
		}
	}
	if c.Approval != nil {
		_, err := tx.Exec(ctx, `UPDATE repositories SET approval = $2, updated_at = now() WHERE id = $1`, repo, string(*c.Approval))
		if err != nil {
			return err
		}
	}
	switch {
	case c.Paused == nil:
		return nil
	case *c.Paused:
		return pauseRepository(ctx, tx, repo, c.By)
	default:
		return resumeRepository(ctx, tx, repo)
	}
}
