package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// LabelSetsWithin returns the ids of all label sets that a runner with these labels can serve: every label of the
// set is one of the runner's, exactly (runner-protocol.md §4). The empty set is within any.
func (d *DB) LabelSetsWithin(ctx context.Context, labels []string) ([]int64, error) {
	rows, err := d.Pool.Query(ctx, `SELECT id FROM label_sets WHERE labels <@ $1 ORDER BY id`, prepared, notNull(labels))
	if err != nil {
		return nil, fmt.Errorf("label sets: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("label sets: %w", err)
	}
	return ids, nil
}

// LabelSet returns the labels of one set. ErrNotFound if there is none.
func (d *DB) LabelSet(ctx context.Context, id int64) ([]string, error) {
	var labels []string
	err := d.Pool.QueryRow(ctx, `SELECT labels FROM label_sets WHERE id = $1`, prepared, id).Scan(&labels)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("label set %d: %w", id, err)
	}
	return labels, nil
}

// normalLabels sorts labels and drops repetitions, so that equal demands make one queue.
func normalLabels(labels []string) []string {
	out := slices.Clone(labels)
	slices.Sort(out)
	return slices.Compact(out)
}

// setLabelSets gives each job the id of its label set, making those that are new. They are made before the transaction that
// stores the jobs, each for itself: everybody shares them, and who waits for somebody else's must hold nothing that others
// wait for. Only a rerun, which learns of its jobs under locks, makes them in its transaction, all in the same order.
func setLabelSets(ctx context.Context, tx bun.IDB, jobs []*Job) error {
	waiting := map[string][]*Job{}
	for _, j := range jobs {
		key := fmt.Sprintf("%q", normalLabels(j.RunsOn))
		waiting[key] = append(waiting[key], j)
	}
	for _, key := range slices.Sorted(maps.Keys(waiting)) {
		id, err := labelSetID(ctx, tx, normalLabels(waiting[key][0].RunsOn))
		if err != nil {
			return fmt.Errorf("label set %s: %w", key, err)
		}
		for _, j := range waiting[key] {
			j.LabelSetID = id
		}
	}
	return nil
}

func labelSetID(ctx context.Context, tx bun.IDB, labels []string) (id int64, err error) {
	err = tx.NewRaw(`WITH made AS (
			INSERT INTO label_sets (labels) SELECT ?0::text[] WHERE NOT EXISTS (SELECT 1 FROM label_sets WHERE labels = ?0::text[])
			ON CONFLICT DO NOTHING RETURNING id
		)
		SELECT id FROM made UNION ALL SELECT id FROM label_sets WHERE labels = ?0::text[] LIMIT 1`,
		textArray(labels)).Scan(ctx, &id)
	if errors.Is(err, sql.ErrNoRows) {
		// Another transaction made it after this statement began to look.
		err = tx.NewRaw(`SELECT id FROM label_sets WHERE labels = ?::text[]`, textArray(labels)).Scan(ctx, &id)
	}
	return id, err
}
