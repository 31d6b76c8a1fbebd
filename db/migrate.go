package db

import (
	"context"
	"embed"
	"fmt"

	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrationLock is the key of the advisory lock that lets one process migrate at a time. Unlike bun's lock row it
// is gone with its connection, so a process killed in the middle blocks nobody.
const migrationLock = 0x7061776c // "pawl"

// Migrate brings the schema up to date; it does nothing when it is. Several processes may call it at once.
func (d *DB) Migrate(ctx context.Context) error {
	return d.withMigrationLock(ctx, func(m *migrate.Migrator) error {
		_, err := m.Migrate(ctx)
		return err
	})
}

// Rollback undoes the latest group of migrations.
func (d *DB) Rollback(ctx context.Context) error {
	return d.withMigrationLock(ctx, func(m *migrate.Migrator) error {
		_, err := m.Rollback(ctx)
		return err
	})
}

// PendingMigrations counts the migrations that are not applied; 0 means ready.
func (d *DB) PendingMigrations(ctx context.Context) (int, error) {
	m, err := d.migrator()
	if err != nil {
		return 0, err
	}
	status, err := m.MigrationsWithStatus(ctx)
	if err != nil {
		return 0, fmt.Errorf("migrations: %w", err)
	}
	return len(status.Unapplied()), nil
}

func (d *DB) migrator() (*migrate.Migrator, error) {
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(migrationFiles); err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return migrate.NewMigrator(d.DB, migrations, migrate.WithMarkAppliedOnSuccess(true)), nil
}

func (d *DB) withMigrationLock(ctx context.Context, fn func(*migrate.Migrator) error) error {
	m, err := d.migrator()
	if err != nil {
		return err
	}
	conn, err := d.Pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", migrationLock); err != nil {
		return fmt.Errorf("lock migrations: %w", err)
	}
	defer func() {
		// A connection that could not be unlocked must not go back to the pool with the lock.
		if _, err := conn.Exec(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", migrationLock); err != nil {
			_ = conn.Conn().Close(context.WithoutCancel(ctx))
		}
	}()
	if err := m.Init(ctx); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	if err := fn(m); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	return nil
}

// MigrateURL opens the database at url, migrates it and closes it.
func MigrateURL(ctx context.Context, url string) error {
	d, err := Open(ctx, url, Options{MaxConns: MinConns})
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Migrate(ctx)
}
