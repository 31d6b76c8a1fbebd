package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// BeginPush notes that a push to a repository is under way, so that the reconciler looks after it should this
// process die before the push has become events. EndPush takes the id that it returns.
func (d *DB) BeginPush(ctx context.Context, repo, pusher int64) (id int64, err error) {
	err = d.NewRaw(`INSERT INTO pending_pushes (repo_id, pusher_id) VALUES (?, ?) RETURNING id`, repo, pusher).Scan(ctx, &id)
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

// LostPusher returns who made the pushes to a repository that have not become events. Of several it is the one who
// began first, and a person rather than a job, whose pushes start nothing. ErrNotFound: no push is under way, or the
// account is gone.
func (d *DB) LostPusher(ctx context.Context, repo int64) (*Owner, error) {
	var id int64
	err := d.NewRaw(`SELECT pusher_id FROM pending_pushes WHERE repo_id = ? ORDER BY pusher_id = ?, id LIMIT 1`,
		repo, ActionsBotID).Scan(ctx, &id)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("pusher to repository %d: %w", repo, err)
	}
	return d.OwnerByID(ctx, id)
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

// KnownRef returns where the last push that has become events left a ref; "" when the ref is not there.
func (d *DB) KnownRef(ctx context.Context, repo int64, name string) (sha string, err error) {
	err = d.NewRaw(`SELECT sha FROM git_refs WHERE repo_id = ? AND name = ?`, repo, name).Scan(ctx, &sha)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("ref %s of repository %d: %w", name, repo, err)
	}
	return sha, nil
}

// RefMove is one move of a ref. An empty Known says that the ref is new, an empty SHA that it is gone.
type RefMove struct {
	RepoID     int64
	Name       string // full
	Known, SHA string
}

// CreatePush stores the runs of one pushed ref and notes the move, in one transaction. It answers false, and stores
// nothing, unless the ref is known to be where the move begins: so no move is handled twice, and none late.
func (d *DB) CreatePush(ctx context.Context, m RefMove, runs []NewRun) (attempts []*Attempt, fresh bool, err error) {
	for _, n := range runs {
		if err := setLabelSets(ctx, d.DB, n.Jobs); err != nil {
			return nil, false, fmt.Errorf("push of %s: %w", m.Name, err)
		}
	}
	err = d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if fresh, err = moveRef(ctx, tx, m); err != nil || !fresh {
			return err
		}
		attempts, err = insertRuns(ctx, tx, runs)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("push of %s: %w", m.Name, err)
	}
	return attempts, fresh, nil
}

// moveRef compares and swaps. It tells whether the ref was where the move begins.
func moveRef(ctx context.Context, tx bun.Tx, m RefMove) (bool, error) {
	n, err := swapRef(ctx, tx, m)
	if err != nil || n == 0 || m.SHA == "" {
		return n > 0, err
	}
	_, err = tx.NewRaw(`UPDATE repositories SET is_empty = false WHERE id = ? AND is_empty`, m.RepoID).Exec(ctx)
	return true, err
}

func swapRef(ctx context.Context, tx bun.Tx, m RefMove) (int64, error) {
	statement := tx.NewRaw(`UPDATE git_refs SET sha = ?, updated_at = now() WHERE repo_id = ? AND name = ? AND sha = ?`,
		m.SHA, m.RepoID, m.Name, m.Known)
	switch {
	case m.SHA == "":
		statement = tx.NewRaw(`DELETE FROM git_refs WHERE repo_id = ? AND name = ? AND sha = ?`, m.RepoID, m.Name, m.Known)
	case m.Known == "":
		statement = tx.NewRaw(`INSERT INTO git_refs (repo_id, name, sha) VALUES (?, ?, ?) ON CONFLICT (repo_id, name) DO NOTHING`,
			m.RepoID, m.Name, m.SHA)
	}
	res, err := statement.Exec(ctx)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}
