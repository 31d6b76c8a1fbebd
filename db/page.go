package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// Page cuts a list. The zero value means all of it.
type Page struct {
	Offset, Limit int
	// Keyset has the page begin behind the entry with the key After, or with 0 at the start, and not at Offset. Entries
	// that come or go meanwhile then shift nothing, and the list is not counted. Runs, Jobs and Tasks know it.
	Keyset bool
	After  int64
}

// Listed is what is known of a list beside the entries of one page.
type Listed struct {
	// Total is how many entries the whole list has. Partial says that there are more: counting stopped at CountLimit.
	Total   int
	Partial bool
	// Next is the key of the last entry of the page when others follow it, else 0. It is known of Keyset pages, and of those
	// of Partial lists.
	Next int64
}

// scan counts what the query selects and reads one page of it. A page beyond the end costs only the count. Counting
// is a statement of its own, so that it needs neither the order nor the joined columns. Without dest the rows go to the
// query's model.
func (p Page) scan(ctx context.Context, q *bun.SelectQuery, order string, dest ...any) (int, error) {
	n, err := q.Count(ctx)
	if err != nil {
		return 0, fmt.Errorf("count: %w", err)
	}
	if p.Offset >= n {
		return n, nil
	}
	return n, q.OrderExpr(order).Offset(p.Offset).Limit(p.Limit).Scan(ctx, dest...)
}
