package db

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// BeginPush notes that a push to a repository is under way, so that the reconciler looks after it should this
// process die before the push has become events. EndPush takes the id that it returns.
func (d *DB) BeginPush(ctx context.Context, repo int64) (id int64, err error) {
	err = d.NewRaw(`INSERT INTO pending_pushes (repo_id) VALUES (?) RETURNING id`, repo).Scan(ctx, &id)
	if err != nil {
		return 0, fmt.Errorf("begin push to repository %d: %w", repo, err)
	}
	return id, nil
}

// EndPush notes that a push has become events.
func (d *DB) EndPush(ctx context.Context, id int64) error {
	if _, err := d.NewRaw(`DELETE FROM pending_pushes WHERE id = ?`, id).Exec(ctx); err != nil {
		return fmt.Errorf("end push: %w", err)
	}
	return nil
}

// PendingPushes returns the repositories with a push older than age that has not become events; at most limit.
func (d *DB) PendingPushes(ctx context.Context, age time.Duration, limit int) ([]*Repository, error) {
	var repos []*Repository
	err := d.NewSelect().Model(&repos).Relation("Owner").
		Where("repository.id IN (SELECT repo_id FROM pending_pushes WHERE began_at < now() - make_interval(secs => ?))",
			age.Seconds()).Order("repository.id").Limit(limit).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("pending pushes: %w", err)
	}
	return repos, nil
}

// ForgetPushes drops the notes of pushes older than age, which is longer than any push may take.
func (d *DB) ForgetPushes(ctx context.Context, age time.Duration) error {
	_, err := d.NewRaw(`DELETE FROM pending_pushes WHERE began_at < now() - make_interval(secs => ?)`, age.Seconds()).Exec(ctx)
	if err != nil {
		return fmt.Errorf("forget pushes: %w", err)
	}
	return nil
}

// KnownRefs returns the refs of a repository whose pushes have become events, by name.
func (d *DB) KnownRefs(ctx context.Context, repo int64) (map[string]string, error) {
	var refs []GitRef
	if err := d.NewSelect().Model(&refs).Where("repo_id = ?", repo).Scan(ctx); err != nil {
		return nil, fmt.Errorf("refs of repository %d: %w", repo, err)
	}
	out := make(map[string]string, len(refs))
	for _, r := range refs {
		out[r.Name] = r.SHA
	}
	return out, nil
}

// CreatePush stores the runs of one pushed ref and notes the ref as handled, in one transaction. It answers false,
// and stores nothing, when the ref has been handled before. An empty SHA means that the ref was deleted.
func (d *DB) CreatePush(ctx context.Context, ref GitRef, runs []NewRun) (attempts []*Attempt, fresh bool, err error) {
	err = d.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		// One push to a repository at a time, also over several servers.
		if _, err := tx.NewRaw(`SELECT pg_advisory_xact_lock(?)`, ref.RepoID).Exec(ctx); err != nil {
			return err
		}
		if fresh, err = markRef(ctx, tx, ref); err != nil || !fresh {
			return err
		}
		for _, n := range runs {
			a, err := insertRun(ctx, tx, n)
			if err != nil {
				return err
			}
			attempts = append(attempts, a)
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("push of %s: %w", ref.Name, err)
	}
	return attempts, fresh, nil
}

// markRef notes a ref as handled, and tells whether that is news.
func markRef(ctx context.Context, tx bun.Tx, ref GitRef) (bool, error) {
	if ref.SHA == "" {
		res, err := tx.NewDelete().Model(&ref).WherePK().Exec(ctx)
		if err != nil {
			return false, err
		}
		n, err := res.RowsAffected()
		return n > 0, err
	}
	res, err := tx.NewInsert().Model(&ref).On("CONFLICT (repo_id, name) DO UPDATE").
		Set("sha = excluded.sha").Set("updated_at = now()").Where("git_ref.sha <> excluded.sha").Returning("NULL").Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	if err != nil || n == 0 {
		return false, err
	}
	_, err = tx.NewRaw(`UPDATE repositories SET is_empty = false WHERE id = ? AND is_empty`, ref.RepoID).Exec(ctx)
	return true, err
}
