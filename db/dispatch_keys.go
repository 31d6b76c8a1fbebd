package db

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// DispatchKeyAge is how long the key of a dispatch is remembered.
const DispatchKeyAge = 24 * time.Hour

// DispatchKey is what a client calls one dispatch, so that repeating it starts nothing again.
type DispatchKey struct {
	RepoID, UserID int64
	Key            string
	// BodyHash tells what was asked.
	BodyHash []byte
}

// DispatchedRun returns the run that was started under the key, which may be gone by now. ErrNotFound: the key is
// unused, or too old. ErrConflict: it stands for something else.
func (d *DB) DispatchedRun(ctx context.Context, k DispatchKey) (int64, error) {
	var run int64
	var hash []byte
	err := d.Pool.QueryRow(ctx, `SELECT run_id, body_hash FROM dispatch_keys
		WHERE repo_id = $1 AND user_id = $2 AND key = $3 AND created_at > now() - $4::interval`,
		prepared, k.RepoID, k.UserID, k.Key, DispatchKeyAge).Scan(&run, &hash)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		err = ErrNotFound
	case err == nil && !bytes.Equal(hash, k.BodyHash):
		err = ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("key of a dispatch: %w", err)
	}
	return run, nil
}

// takeDispatchKey gives the key of a run to it. It waits for another transaction that is about to take the same key.
// ErrConflict: the key has a run.
func takeDispatchKey(ctx context.Context, tx bun.Tx, n NewRun) error {
	if n.Key == nil {
		return nil
	}
	res, err := tx.NewRaw(`INSERT INTO dispatch_keys AS old (repo_id, user_id, key, body_hash, run_id) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT (repo_id, user_id, key) DO UPDATE
			SET body_hash = excluded.body_hash, run_id = excluded.run_id, created_at = excluded.created_at
			WHERE old.created_at <= now() - make_interval(secs => ?)`,
		n.Key.RepoID, n.Key.UserID, n.Key.Key, n.Key.BodyHash, n.Run.ID, DispatchKeyAge.Seconds()).Exec(ctx)
	if err != nil {
		return err
	}
	if taken, err := res.RowsAffected(); err != nil || taken == 1 {
		return err
	}
	return ErrConflict
}

// ForgetDispatchKeys removes keys that are too old, at most limit of them.
func (d *DB) ForgetDispatchKeys(ctx context.Context, limit int) error {
	_, err := d.Pool.Exec(ctx, `DELETE FROM dispatch_keys WHERE (repo_id, user_id, key) IN (
			SELECT repo_id, user_id, key FROM dispatch_keys WHERE created_at <= now() - $1::interval ORDER BY created_at LIMIT $2)`,
		prepared, DispatchKeyAge, limit)
	if err != nil {
		return fmt.Errorf("forget keys of dispatches: %w", err)
	}
	return nil
}
