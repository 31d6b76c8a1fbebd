// Package dbseed fills a database with as many runs as a large installation has after years, to measure lists and to
// check their plans. It writes past the triggers and drops indexes while it does, so that millions of rows take minutes.
package dbseed

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

//go:embed seed.sql
var script string

// ErrNotEmpty is returned when there are runs already: their numbers would collide with those to be made.
var ErrNotEmpty = errors.New("the database has runs already")

// Fill makes runs, with five jobs each on average, in 2,000 repositories of 220 owners, who are named seed-user-1 and so on
// and seed-org-1 and so on. The same number makes the same rows. The connection must be a superuser's. Before each part
// it calls progress with what is made.
func Fill(ctx context.Context, pool *pgxpool.Pool, runs int64, progress func(part string)) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	// What is temporary belongs to the connection, which hence does not go back to the pool.
	c := conn.Hijack()
	defer c.Close(context.WithoutCancel(ctx))
	var filled bool
	if err := c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM runs)`).Scan(&filled); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	if filled {
		return ErrNotEmpty
	}
	if err := fill(ctx, c, runs, progress); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return vacuum(ctx, c, progress)
}

// fill does everything in one transaction: an attempt that fails leaves nothing behind, and no index is missing.
func fill(ctx context.Context, c *pgx.Conn, runs int64, progress func(string)) error {
	return pgx.BeginFunc(ctx, c, func(tx pgx.Tx) error {
		for name, value := range map[string]string{
			"seed.runs": strconv.FormatInt(runs, 10), "session_replication_role": "replica",
			"maintenance_work_mem": "512MB", "work_mem": "256MB",
		} {
			if _, err := tx.Exec(ctx, `SELECT set_config($1, $2, true)`, name, value); err != nil {
				return err
			}
		}
		indexes, err := dropIndexes(ctx, tx)
		if err != nil {
			return err
		}
		if err := runParts(ctx, tx, progress); err != nil {
			return err
		}
		for _, index := range indexes {
			progress(index.name)
			if _, err := tx.Exec(ctx, index.definition); err != nil {
				return err
			}
		}
		progress("counts")
		_, err = tx.Exec(ctx, `SELECT recount_lists()`)
		return err
	})
}

// runParts runs the parts of the script. They go by the simple protocol, which takes several statements at once.
func runParts(ctx context.Context, tx pgx.Tx, progress func(string)) error {
	_, parts, _ := strings.Cut(script, "\n-- part: ")
	for part := range strings.SplitSeq(parts, "\n-- part: ") {
		name, statements, _ := strings.Cut(part, "\n")
		progress(name)
		if _, err := tx.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

type index struct{ name, definition string }

// dropIndexes drops the indexes of the large tables that belong to no constraint, and tells how to make them again.
func dropIndexes(ctx context.Context, tx pgx.Tx) ([]index, error) {
	rows, err := tx.Query(ctx, `SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
		WHERE i.indrelid = ANY(ARRAY['runs', 'attempts', 'jobs', 'tasks']::regclass[])
			AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid) ORDER BY 1`)
	if err != nil {
		return nil, err
	}
	indexes, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (i index, err error) {
		return i, row.Scan(&i.name, &i.definition)
	})
	if err != nil {
		return nil, err
	}
	for _, i := range indexes {
		if _, err := tx.Exec(ctx, "DROP INDEX "+i.name); err != nil {
			return nil, err
		}
	}
	return indexes, nil
}

// seededTables are those that the script fills, and that the counts are in.
var seededTables = []string{
	"owners", "org_members", "repositories", "runners", "runs", "attempts", "jobs", "offers", "tasks", "list_counts", "list_deltas",
}

// vacuum does what the server would do in time by itself: lists are read from indexes only where the rows are known to be
// visible to all. Whoever waited for the tables while they were filled may still see the time before; then it is done again.
func vacuum(ctx context.Context, c *pgx.Conn, progress func(string)) error {
	for _, table := range seededTables {
		progress("vacuum " + table)
		for range 60 {
			visible, err := vacuumTable(ctx, c, table)
			if err != nil {
				return fmt.Errorf("vacuum %s: %w", table, err)
			}
			if visible {
				break
			}
			if _, err := c.Exec(ctx, "SELECT pg_sleep(1)"); err != nil {
				return fmt.Errorf("vacuum %s: %w", table, err)
			}
		}
	}
	return nil
}

// vacuumTable tells whether most pages of the table are visible to all afterwards.
func vacuumTable(ctx context.Context, c *pgx.Conn, table string) (visible bool, err error) {
	if _, err = c.Exec(ctx, "VACUUM (ANALYZE) "+table); err != nil {
		return false, err
	}
	err = c.QueryRow(ctx, `SELECT relallvisible >= relpages / 2 FROM pg_class WHERE oid = $1::text::regclass`, table).Scan(&visible)
	return visible, err
}
