package db

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// ScopedSource is a repository whose scoped workflows run in every repository of an owner; owner 0 is the installation
// (execution-semantics.md §10.1).
type ScopedSource struct {
	bun.BaseModel `bun:"table:scoped_sources,alias:scoped_source"`

	OwnerID   int64     `bun:",pk"`
	RepoID    int64     `bun:",pk"`
	Required  bool      `bun:",notnull"` // repositories may not opt out
	CreatedAt time.Time `bun:",nullzero,default:now()"`

	Repository *Repository `bun:"rel:belongs-to,join:repo_id=id"`
}

// ScopedOptOut is a repository in which the scoped workflows of a source do not run.
type ScopedOptOut struct {
	bun.BaseModel `bun:"table:scoped_opt_outs,alias:scoped_opt_out"`

	RepoID       int64 `bun:",pk"`
	SourceRepoID int64 `bun:",pk"`
}

// ScopedSources returns the sources of an owner, or with 0 those of the installation, with their repositories and the
// owners of these, in the order in which they were made.
func (d *DB) ScopedSources(ctx context.Context, owner int64) ([]*ScopedSource, error) {
	var list []*ScopedSource
	err := d.NewSelect().Model(&list).Relation("Repository").Relation("Repository.Owner").
		Where("scoped_source.owner_id = ?", owner).Order("scoped_source.created_at", "scoped_source.repo_id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("scoped sources of owner %d: %w", owner, err)
	}
	return list, nil
}

// SetScopedSource makes a repository a source of an owner, or of the installation, or changes whether it is required.
func (d *DB) SetScopedSource(ctx context.Context, owner, repo int64, required bool) error {
	_, err := d.NewInsert().Model(&ScopedSource{OwnerID: owner, RepoID: repo, Required: required}).
		On("CONFLICT (owner_id, repo_id) DO UPDATE").Set("required = excluded.required").Returning("NULL").Exec(ctx)
	if err != nil {
		return fmt.Errorf("set scoped source: %w", err)
	}
	return nil
}

// DeleteScopedSource makes a repository no longer a source. ErrNotFound if it was none.
func (d *DB) DeleteScopedSource(ctx context.Context, owner, repo int64) error {
	res, err := d.NewDelete().Model((*ScopedSource)(nil)).Where("owner_id = ?", owner).Where("repo_id = ?", repo).Exec(ctx)
	return oneRow(res, err, "delete scoped source")
}

// ScopedOptOuts returns the sources that a repository has opted out of.
func (d *DB) ScopedOptOuts(ctx context.Context, repo int64) (map[int64]bool, error) {
	var rows []ScopedOptOut
	if err := d.NewSelect().Model(&rows).Where("repo_id = ?", repo).Scan(ctx); err != nil {
		return nil, fmt.Errorf("opt-outs of repository %d: %w", repo, err)
	}
	out := make(map[int64]bool, len(rows))
	for _, r := range rows {
		out[r.SourceRepoID] = true
	}
	return out, nil
}

// SetScopedOptOut has a repository opt out of a source, or come back; repeating it changes nothing. It does not count
// while the source is required.
func (d *DB) SetScopedOptOut(ctx context.Context, repo, source int64, out bool) error {
	row := &ScopedOptOut{RepoID: repo, SourceRepoID: source}
	var err error
	if out {
		_, err = d.NewInsert().Model(row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	} else {
		_, err = d.NewDelete().Model(row).WherePK().Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("set opt-out of scoped workflows: %w", err)
	}
	return nil
}

// ScopedSourcesFor returns the repositories whose scoped workflows run in a repository, each once, with their owners.
func (d *DB) ScopedSourcesFor(ctx context.Context, repo *Repository) ([]*Repository, error) {
	var list []*Repository
	err := d.NewSelect().Model(&list).Relation("Owner").
		Where(`repository.id IN (SELECT s.repo_id FROM scoped_sources s WHERE s.owner_id IN (0, ?) AND (s.required OR NOT EXISTS (
			SELECT 1 FROM scoped_opt_outs o WHERE o.repo_id = ? AND o.source_repo_id = s.repo_id)))`, repo.OwnerID, repo.ID).
		Order("repository.id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("scoped sources for repository %d: %w", repo.ID, err)
	}
	return list, nil
}
