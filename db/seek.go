package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// seek reads a page of a list that may have millions of entries. It reads ids first, which stand in an index, and so can
// pass over many without a look at the rows.
type seek struct {
	// streams are the queries whose rows together are the list; each can be read in the order of an index. They select the
	// columns id and key.
	streams []*bun.SelectQuery
	// key is the column that orders the list, in which no two entries are equal.
	key string
	// total counts the list.
	total func(context.Context) (Listed, error)
	desc  bool
}

// cut is the part of a seek to be read. Without a limit it is everything after the offset.
type cut struct {
	after         int64 // the key of the entry before; 0 for none
	offset, limit int
	desc          bool
}

// entry is one line of a list.
type entry struct{ ID, Key int64 }

// deep is the offset from which a page is looked for from the nearer end of the list.
const deep = 1000

// page returns the ids of a page, in order.
func (s seek) page(ctx context.Context, d *DB, p Page) ([]int64, Listed, error) {
	if p.Keyset {
		return s.onward(ctx, d, cut{after: p.After, limit: p.Limit, desc: s.desc}, Listed{})
	}
	l, err := s.total(ctx)
	switch {
	case err != nil || (p.Offset >= l.Total && !l.Partial):
		return nil, l, err
	case l.Partial:
		return s.onward(ctx, d, cut{offset: p.Offset, limit: p.Limit, desc: s.desc}, l)
	}
	found, err := s.within(ctx, d, p, l.Total)
	return idsOf(found), l, err
}

// within reads a page of a list whose length is known, from its nearer end. It asks for no more entries than there are,
// because a search for one more would go through all of the rest.
func (s seek) within(ctx context.Context, d *DB, p Page, total int) ([]entry, error) {
	limit := total - p.Offset
	if p.Limit > 0 {
		limit = min(limit, p.Limit)
	}
	if p.Offset < deep || p.Offset < total/2 {
		return s.read(ctx, d, cut{offset: p.Offset, limit: limit, desc: s.desc})
	}
	found, err := s.read(ctx, d, cut{offset: total - p.Offset - limit, limit: limit, desc: !s.desc})
	slices.Reverse(found)
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
		l.Next = found[limit-1].Key
	}
	return idsOf(found), l, err
}

func (s seek) read(ctx context.Context, d *DB, c cut) ([]entry, error) {
	var found []entry
	if err := s.query(d, c).Scan(ctx, &found); err != nil {
		return nil, fmt.Errorf("seek: %w", err)
	}
	return found, nil
}

// query merges the streams. Each has an order and a limit of its own, from which Postgres sees that it need read no more
// of an index than that.
func (s seek) query(d *DB, c cut) *bun.SelectQuery {
	if len(s.streams) == 1 {
		return c.apply(s.streams[0], s.key).Offset(c.offset).Limit(c.limit)
	}
	streams := make([]any, len(s.streams))
	for i, q := range s.streams {
		q = c.apply(q, s.key)
		if c.limit > 0 {
			q = q.Limit(c.offset + c.limit)
		}
		streams[i] = q
	}
	union := strings.TrimSuffix(strings.Repeat("(?) UNION ALL ", len(streams)), " UNION ALL ")
	merged := d.NewSelect().TableExpr("("+union+") AS u", streams...).ColumnExpr("u.id, u.key")
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

func idsOf(entries []entry) []int64 {
	ids := make([]int64, len(entries))
	for i, e := range entries {
		ids[i] = e.ID
	}
	return ids
}

// byStatus has a stream made for each status, because an index that begins with the status is in order within one only.
func byStatus(statuses []ci.Status, stream func([]ci.Status) *bun.SelectQuery) []*bun.SelectQuery {
	distinct := slices.Compact(slices.Sorted(slices.Values(statuses)))
	if len(distinct) < 2 {
		return []*bun.SelectQuery{stream(distinct)}
	}
	out := make([]*bun.SelectQuery, len(distinct))
	for i := range distinct {
		out[i] = stream(distinct[i : i+1])
	}
	return out
}

// whereStatus leaves the rows of some statuses, or of all when none is named.
func whereStatus(q *bun.SelectQuery, column string, statuses []ci.Status) *bun.SelectQuery {
	switch len(statuses) {
	case 0:
		return q
	case 1:
		return q.Where(column+" = ?", statuses[0].String())
	default:
		return q.Where(column+" = ANY(?)", statusArray(statuses))
	}
}

// arrange puts rows into the order of their ids. Those that are gone meanwhile are left out.
func arrange[T any](ids []int64, rows []T, id func(T) int64) []T {
	found := make(map[int64]T, len(rows))
	for _, row := range rows {
		found[id(row)] = row
	}
	out := make([]T, 0, len(rows))
	for _, id := range ids {
		if row, ok := found[id]; ok {
			out = append(out, row)
		}
	}
	return out
}
