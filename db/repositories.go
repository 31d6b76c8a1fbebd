package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/uptrace/bun"
)

// CreateRepository stores a repository, fills in its id and times, and has create make what belongs to it outside the
// database. The row is seen only once create has succeeded. A first commit that create has made counts as handled: it
// starts nothing. ErrConflict: the owner has one of this name, in whatever
// case.
func (d *DB) CreateRepository(ctx context.Context, r *Repository, create func(context.Context) error) error {
	r.LowerName = strings.ToLower(r.Name)
	err := d.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewInsert().Model(r).Returning("id, created_at, updated_at").Exec(ctx)
		if isUniqueViolation(err) {
			return ErrConflict
		}
		if err != nil {
			return err
		}
		if err := create(ctx); err != nil || r.FirstCommit == "" {
			return err
		}
		_, err = moveRef(ctx, tx, RefMove{RepoID: r.ID, Name: "refs/heads/" + r.DefaultBranch, SHA: r.FirstCommit})
		r.IsEmpty = false
		return err
	})
	if err != nil {
		return fmt.Errorf("create repository: %w", err)
	}
	return nil
}

// RepositoryByID returns a repository with its owner. ErrNotFound if there is none.
func (d *DB) RepositoryByID(ctx context.Context, id int64) (*Repository, error) {
	r, err := shownRepositories.one(ctx, d, fromRepositories+"WHERE repository.id = $1", id)
	if err != nil {
		return nil, fmt.Errorf("repository %d: %w", id, err)
	}
	return r, nil
}

var repositoryColumns = []string{
	"id", "owner_id", "name", "lower_name", "description", "is_private", "default_branch", "is_empty", "clone_url", "run_counter",
	"created_at", "updated_at", "paused_at", "paused_by", "approval", "log_retention_days", "failed_log_retention_days", "run_retention_days",
}

// shownRepositories reads repositories with their owners.
var shownRepositories = selectionOf[Repository](
	part{alias: "repository", columns: repositoryColumns}, part{alias: "owner", field: "Owner", columns: ownerColumns},
)

const fromRepositories = "FROM repositories AS repository JOIN owners AS owner ON owner.id = repository.owner_id "

// RepositoriesByID returns repositories with their owners, by id. Those that are gone are missing.
func (d *DB) RepositoriesByID(ctx context.Context, ids []int64) (map[int64]*Repository, error) {
	out := make(map[int64]*Repository, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	repos, err := shownRepositories.read(ctx, d, fromRepositories+"WHERE repository.id = ANY($1)", distinct(ids))
	if err != nil {
		return nil, fmt.Errorf("repositories: %w", err)
	}
	for _, r := range repos {
		out[r.ID] = r
	}
	return out, nil
}

// RepositoryEdit has what is to be changed of a repository; nil fields stay.
type RepositoryEdit struct {
	Description, DefaultBranch *string
	IsPrivate                  *bool
}

// UpdateRepository changes a repository, and has apply change what belongs to it outside the database, in one
// transaction. ErrNotFound if it is gone.
func (d *DB) UpdateRepository(ctx context.Context, repo int64, e RepositoryEdit, apply func(context.Context) error) error {
	err := d.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		q := tx.NewUpdate().Model((*Repository)(nil)).Where("id = ?", repo).Set("updated_at = now()")
		if e.Description != nil {
			q = q.Set("description = ?", *e.Description)
		}
		if e.DefaultBranch != nil {
			q = q.Set("default_branch = ?", *e.DefaultBranch)
		}
		if e.IsPrivate != nil {
			q = q.Set("is_private = ?", *e.IsPrivate)
		}
		res, err := q.Exec(ctx)
		if err := oneRow(res, err, "repository"); err != nil {
			return err
		}
		return apply(ctx)
	})
	if err != nil {
		return fmt.Errorf("change repository %d: %w", repo, err)
	}
	return nil
}
