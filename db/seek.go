package db

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// seek reads a page of a list that may have millions of entries. It reads keys only, which stand in an index, and so can
// pass over many without a look at the rows.
type seek struct {
	// streams are the queries whose rows together are the list; each can be read in the order of an index. They select
	// nothing yet.
	streams func(bind) []*bun.SelectQuery
	// key is the column that orders the list, in which no two entries are equal.
	key string
	// kept is the count that is kept of the list; nil if none is.
	kept *listCount
	// rows are all of the list, to be counted where no count is kept.
	rows func() *bun.SelectQuery
	desc bool
}

// cut is the part of a seek to be read. Without a limit it is everything after the offset.
type cut struct {
	after         int64 // the key of the entry before; 0 for none
	offset, limit int
	desc          bool
}

// page returns the keys of a page, in order.
func (s seek) page(ctx context.Context, d *DB, p Page) ([]int64, Listed, error) {
	if p.Keyset {
		return s.onward(ctx, d, cut{after: p.After, limit: p.Limit, desc: s.desc}, Listed{})
	}
	if p.Offset == 0 && p.Limit > 0 && (s.kept == nil || s.kept.isOneIndex()) {
		return s.first(ctx, d, p)
	}
	l, err := s.total(ctx, d, p)
	switch {
	case err != nil || (p.Offset >= l.Total && !l.Partial):
		return nil, l.Listed, err
	case l.Partial:
		return s.onward(ctx, d, cut{offset: p.Offset, limit: p.Limit, desc: s.desc}, l.Listed)
	}
	keys, err := s.within(ctx, d, p, l)
	return keys, l.Listed, err
}

// first counts the list and reads its first page in one statement. That is for lists whose end is found at once, because
// nothing has to be passed over on the way, or else as fast as they are counted.
func (s seek) first(ctx context.Context, d *DB, p Page) ([]int64, Listed, error) {
	var keys []int64
	var total int
	// One more tells whether others follow.
	page := cut{limit: p.Limit + 1, desc: s.desc}
	if s.kept != nil {
		// There is one right index whatever the values are, so that it need not be looked for each time.
		var given parameters
		q := d.NewSelect().ColumnExpr("ARRAY(?)", s.query(d, page, given.bind)).
			ColumnExpr("coalesce((SELECT sum(n) FROM (?) AS kept), 0)::bigint", bun.Safe(s.kept.query(false, given.bind)))
		err := d.Pool.QueryRow(ctx, q.String(), append([]any{prepared}, given...)...).Scan(&keys, &total)
		return keys[:min(len(keys), p.Limit)], Listed{Total: total}, wrapSeek(err)
	}
	q := d.NewSelect().ColumnExpr("ARRAY(?)", s.query(d, page, literal)).ColumnExpr("(?)", d.countUpTo(s.rows()))
	if err := d.Pool.QueryRow(ctx, q.String(), planned).Scan(&keys, &total); err != nil {
		return nil, Listed{}, wrapSeek(err)
	}
	l := limited(total).Listed
	if len(keys) > p.Limit {
		keys = keys[:p.Limit]
		if l.Partial {
			l.Next = keys[p.Limit-1]
		}
	}
	return keys, l, nil
}

func wrapSeek(err error) error {
	if err != nil {
		return fmt.Errorf("seek: %w", err)
	}
	return nil
}

// total counts the list, and for a page far from its beginning the blocks.
func (s seek) total(ctx context.Context, d *DB, p Page) (length, error) {
	if s.kept == nil {
		return d.counted(ctx, s.rows())
	}
	return d.kept(ctx, *s.kept, p.Offset > farPage)
}

// within reads a page of a list whose length is known. It asks for no more entries than there are, because a search for one
// more would go through all of the rest.
func (s seek) within(ctx context.Context, d *DB, p Page, l length) ([]int64, error) {
	limit := l.Total - p.Offset
	if p.Limit > 0 {
		limit = min(limit, p.Limit)
	}
	c := l.nearest(p.Offset, limit, s.desc)
	found, err := s.read(ctx, d, c)
	if c.desc != s.desc {
		slices.Reverse(found)
	}
	return found, err
}

// onward reads one entry more than asked for, to know whether others follow.
func (s seek) onward(ctx context.Context, d *DB, c cut, l Listed) ([]int64, Listed, error) {
	limit := c.limit
	if limit > 0 {
		c.limit++
	}
	found, err := s.read(ctx, d, c)
	if limit > 0 && len(found) > limit {
		found = found[:limit]
		l.Next = found[limit-1]
	}
	return found, l, err
}

func (s seek) read(ctx context.Context, d *DB, c cut) ([]int64, error) {
	rows, err := d.Pool.Query(ctx, s.query(d, c, literal).String(), planned)
	if err != nil {
		return nil, wrapSeek(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	return found, wrapSeek(err)
}

// query merges the streams. Each has an order and a limit of its own, from which Postgres sees that it need read no more
// of an index than that.
func (s seek) query(d *DB, c cut, b bind) *bun.SelectQuery {
	parts := s.streams(b)
	if len(parts) == 1 {
		return c.apply(parts[0].ColumnExpr(s.key), s.key).Offset(c.offset).Limit(c.limit)
	}
	streams := make([]any, len(parts))
	for i, q := range parts {
		q = c.apply(q.ColumnExpr(s.key+" AS key"), s.key)
		if c.limit > 0 {
			q = q.Limit(c.offset + c.limit)
		}
		streams[i] = q
	}
	union := strings.TrimSuffix(strings.Repeat("(?) UNION ALL ", len(streams)), " UNION ALL ")
	merged := d.NewSelect().TableExpr("("+union+") AS u", streams...).ColumnExpr("u.key")
	return cut{desc: c.desc}.apply(merged, "u.key").Offset(c.offset).Limit(c.limit)
}

// apply leaves what comes after a key, in order.
func (c cut) apply(q *bun.SelectQuery, key string) *bun.SelectQuery {
	order, behind := " ASC", " > ?"
	if c.desc {
		order, behind = " DESC", " < ?"
	}
	if c.after != 0 {
		q = q.Where(key+behind, c.after)
	}
	return q.OrderExpr(key + order)
}

// byStatus has a stream made for each status, because an index that begins with the status is in order within one only.
func byStatus(statuses []ci.Status, stream func([]ci.Status) *bun.SelectQuery) []*bun.SelectQuery {
	each := distinct(statuses)
	if len(each) < 2 {
		return []*bun.SelectQuery{stream(each)}
	}
	out := make([]*bun.SelectQuery, len(each))
	for i := range each {
		out[i] = stream(each[i : i+1])
	}
	return out
}

// distinct returns the values in order, each once.
func distinct[T cmp.Ordered](values []T) []T {
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

// whereStatus leaves the rows of some statuses, or of all when none is named.
func whereStatus(q *bun.SelectQuery, column string, statuses []ci.Status, b bind) *bun.SelectQuery {
	switch len(statuses) {
	case 0:
		return q
	case 1:
		return q.Where(column+" = ?", b(statuses[0].String()))
	default:
		return q.Where(column+" = ANY(?)", statusArray(statuses)) // only where it is counted, and that is not prepared
	}
}

// arrange puts rows into the order of their keys, each once. Those that are gone meanwhile are left out.
func arrange[T any](keys []int64, rows []T, keyOf func(T) int64) []T {
	found := byID(rows, keyOf)
	out := make([]T, 0, len(rows))
	for _, key := range keys {
		if row, ok := found[key]; ok {
			out = append(out, row)
			delete(found, key)
		}
	}
	return out
}

func byID[T any](rows []T, id func(T) int64) map[int64]T {
	out := make(map[int64]T, len(rows))
	for _, row := range rows {
		out[id(row)] = row
	}
	return out
}
