package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
)

// MaxHooks bounds the hooks of a repository or owner.
const MaxHooks = 50

// ErrTooManyHooks is returned when there are MaxHooks already.
var ErrTooManyHooks = fmt.Errorf("there are %d hooks already", MaxHooks)

// HookScope is whose hooks are meant: those of a repository, or those of an owner for all of its repositories.
type HookScope struct {
	RepoID, OwnerID int64
}

func (s HookScope) where(q bun.QueryBuilder) bun.QueryBuilder {
	if s.RepoID != 0 {
		return q.Where("hook.repo_id = ?", s.RepoID)
	}
	return q.Where("hook.owner_id = ?", s.OwnerID)
}

// Hooks returns a page of the hooks of a scope, the oldest first, and how many there are.
func (d *DB) Hooks(ctx context.Context, s HookScope, p Page) ([]*Hook, int, error) {
	var hooks []*Hook
	n, err := p.scan(ctx, d.NewSelect().Model(&hooks).ApplyQueryBuilder(s.where), "hook.id")
	if err != nil {
		return nil, 0, fmt.Errorf("list hooks: %w", err)
	}
	return hooks, n, nil
}

// Hook returns one hook of a scope. ErrNotFound if there is none.
func (d *DB) Hook(ctx context.Context, s HookScope, id int64) (*Hook, error) {
	hook := &Hook{}
	err := d.NewSelect().Model(hook).Where("hook.id = ?", id).ApplyQueryBuilder(s.where).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("hook %d: %w", id, err)
	}
	return hook, nil
}

// CreateHook stores a hook. It gives it its id first and then calls seal, since its secrets are sealed for its id.
// ErrTooManyHooks.
func (d *DB) CreateHook(ctx context.Context, h *Hook, seal func(*Hook) error) error {
	err := d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		// Makers of hooks of the same scope take turns, so that the count holds.
		if _, err := tx.NewRaw(`SELECT pg_advisory_xact_lock(?, ?)`, hookLock, int32(h.RepoID+h.OwnerID)).Exec(ctx); err != nil {
			return err
		}
		scope := HookScope{RepoID: h.RepoID, OwnerID: h.OwnerID}
		n, err := tx.NewSelect().Model((*Hook)(nil)).ApplyQueryBuilder(scope.where).Count(ctx)
		if err != nil {
			return err
		}
		if n >= MaxHooks {
			return ErrTooManyHooks
		}
		if err := tx.NewRaw(`SELECT nextval(pg_get_serial_sequence('hooks', 'id'))`).Scan(ctx, &h.ID); err != nil {
			return err
		}
		if err := seal(h); err != nil {
			return err
		}
		_, err = tx.NewInsert().Model(h).Returning("created_at, updated_at").Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("create hook: %w", err)
	}
	return nil
}

// hookLock is the first key of the advisory locks of CreateHook.
const hookLock int32 = 0x686f6f6b // "hook"

// UpdateHook changes one hook of a scope, under a lock, as change says. ErrNotFound if there is none; an error of
// change changes nothing.
func (d *DB) UpdateHook(ctx context.Context, s HookScope, id int64, change func(*Hook) error) (*Hook, error) {
	hook := &Hook{}
	err := d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		err := tx.NewSelect().Model(hook).Where("hook.id = ?", id).ApplyQueryBuilder(s.where).For("UPDATE").Scan(ctx)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		if err := change(hook); err != nil {
			return err
		}
		_, err = tx.NewUpdate().Model(hook).WherePK().Set("updated_at = now()").
			Column("url", "content_type", "sealed", "events", "branch_filter", "is_active").
			Returning("updated_at").Exec(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("update hook %d: %w", id, err)
	}
	return hook, nil
}

// DeleteHook deletes one hook of a scope with its deliveries. ErrNotFound if there is none.
func (d *DB) DeleteHook(ctx context.Context, s HookScope, id int64) error {
	res, err := d.NewDelete().Model((*Hook)(nil)).Where("hook.id = ?", id).ApplyQueryBuilder(s.where).Exec(ctx)
	if err == nil {
		if n, _ := res.RowsAffected(); n == 0 {
			err = ErrNotFound
		}
	}
	if err != nil {
		return fmt.Errorf("delete hook %d: %w", id, err)
	}
	return nil
}

// ActiveHooks returns the hooks that are switched on for any of the repositories or their owners.
func (d *DB) ActiveHooks(ctx context.Context, repos, owners []int64) ([]*Hook, error) {
	var hooks []*Hook
	err := d.NewSelect().Model(&hooks).ExcludeColumn("sealed").Where("hook.is_active").
		Where("hook.repo_id = ANY(?) OR hook.owner_id = ANY(?)", int64Array(repos), int64Array(owners)).Order("hook.id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("active hooks: %w", err)
	}
	return hooks, nil
}
