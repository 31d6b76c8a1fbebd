package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// WithLock runs fn while no other process runs one under the same key; when one does, it returns at once.
func (d *DB) WithLock(ctx context.Context, key int64, fn func(context.Context) error) error {
	if _, err := d.tryLock(ctx, key, fn); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	return nil
}

// tryLock calls fn under an advisory lock unless that is held; it tells whether it did. The lock belongs to a
// transaction of its own, which does nothing else: however that ends, and a broken connection is an end, the lock is
// gone, and no connection can go back to the pool with it.
func (d *DB) tryLock(ctx context.Context, key int64, fn func(context.Context) error) (held bool, err error) {
	err = pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `SELECT pg_try_advisory_xact_lock($1)`, key).Scan(&held); err != nil || !held {
			return err
		}
		return fn(ctx)
	})
	return held, err
}
