package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
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
