package db

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// CountLimit is how far a list is counted that is filtered by what no count is kept of. GitHub returns no more of such a list.
const CountLimit = 1_000

// listCount names a list whose length is kept. Zero fields select all.
type listCount struct {
	list            string
	repoID, ownerID int64
	statuses        []ci.Status
	event           string
	workflowFile    string
	sourceRepoID    *int64
}

// kept reads the length of a list, and if asked the blocks: what was folded, and what has changed since.
func (d *DB) kept(ctx context.Context, c listCount, withBlocks bool) (length, error) {
	var given parameters
	text := c.query(withBlocks, given.bind)
	l := length{blockBits: c.blockBits()}
	rows, err := d.Pool.Query(ctx, text, append([]any{prepared}, given...)...)
	if err == nil {
		l.blocks, err = pgx.CollectRows(rows, pgx.RowToStructByPos[block])
	}
	if err != nil {
		return l, fmt.Errorf("count of %s: %w", c.list, err)
	}
	for _, b := range l.blocks {
		l.Total += b.N
	}
	if !withBlocks {
		l.blocks = nil
	}
	return l, nil
}

// query adds up the blocks of a list, or its row for all of them, which is under block -1.
func (c listCount) query(withBlocks bool, b bind) string {
	value := func(v any) string { return fmt.Sprint(b(v)) }
	list, filter := value(c.list), c.filter(value)
	folded, changed, block := " AND scope = 'all' AND scope_id = 0", "", "block"
	switch {
	case c.repoID != 0:
		id := value(c.repoID)
		folded, changed, block = " AND scope = 'repo' AND scope_id = "+id, " AND repo_id = "+id, "repo_block"
	case c.ownerID != 0:
		id := value(c.ownerID)
		folded, changed = " AND scope = 'owner' AND scope_id = "+id, " AND owner_id = "+id
	}
	if withBlocks {
		folded += " AND block >= 0"
	} else {
		folded, block = folded+" AND block = -1", "-1"
	}
	return "SELECT block, sum(n)::bigint AS n FROM (SELECT block, n FROM list_counts WHERE list = " + list + folded + filter +
		" UNION ALL SELECT " + block + ", n FROM list_deltas WHERE list = " + list + changed + filter +
		") AS c GROUP BY block HAVING sum(n) <> 0 ORDER BY block"
}

// isOneIndex tells whether an index has the entries of the list, and no others. None begins with the source of scoped workflows.
func (c listCount) isOneIndex() bool {
	filters := 0
	for _, filtered := range []bool{len(c.statuses) > 0, c.event != "", c.workflowFile != ""} {
		if filtered {
			filters++
		}
	}
	return filters < 2 && c.sourceRepoID == nil
}

// filter names each value by itself: of a parameter that is a list, Postgres would have to guess the length.
func (c listCount) filter(value func(any) string) string {
	var out strings.Builder
	if len(c.statuses) > 0 {
		var statuses []string
		for _, s := range distinct(c.statuses) {
			statuses = append(statuses, value(s.String()))
		}
		out.WriteString(" AND status IN (" + strings.Join(statuses, ", ") + ")")
	}
	if c.event != "" {
		out.WriteString(" AND event = " + value(c.event))
	}
	if c.workflowFile != "" {
		out.WriteString(" AND workflow_file = " + value(c.workflowFile))
	}
	if c.sourceRepoID != nil {
		out.WriteString(" AND source_repo_id = " + value(*c.sourceRepoID))
	}
	return out.String()
}

// counted counts what a query selects, up to CountLimit.
func (d *DB) counted(ctx context.Context, q *bun.SelectQuery) (length, error) {
	var n int
	if err := d.countUpTo(q).Scan(ctx, &n); err != nil {
		return length{}, fmt.Errorf("count: %w", err)
	}
	return limited(n), nil
}

// countUpTo counts one more than CountLimit at most.
func (d *DB) countUpTo(q *bun.SelectQuery) *bun.SelectQuery {
	return d.NewSelect().TableExpr("(?) AS c", q.ColumnExpr("1").Limit(CountLimit+1)).ColumnExpr("count(*)")
}

func limited(n int) length {
	return length{Listed: Listed{Total: min(n, CountLimit), Partial: n > CountLimit}}
}

// FoldListCounts adds what has changed to the kept lengths of lists, so that reading one stays short. Any number of
// processes may call it, and as often as they like.
func (d *DB) FoldListCounts(ctx context.Context) error {
	if _, err := d.Pool.Exec(ctx, `SELECT fold_list_counts()`, prepared); err != nil {
		return fmt.Errorf("fold counts: %w", err)
	}
	return nil
}
