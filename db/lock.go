package db

import (
	"context"
	"fmt"
)

// WithLock runs fn while no other process runs one under the same key; when one does, it returns at once. The lock
// goes with the connection, so a process that dies leaves none behind.
func (d *DB) WithLock(ctx context.Context, key int64, fn func(context.Context) error) error {
	conn, err := d.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	defer conn.Release()
	var held bool
	if err := conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", key).Scan(&held); err != nil || !held {
		return err
	}
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", key) }()
	return fn(ctx)
}
