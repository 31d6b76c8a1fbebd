package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"
)

// Page cuts a list. The zero value means all of it.
type Page struct {
	Offset, Limit int
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
