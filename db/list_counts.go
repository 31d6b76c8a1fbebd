package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// CountLimit is how far a list is counted that is filtered by what no count is kept of. GitHub returns no more of such a list.
const CountLimit = 1_000

// The keys of a list are counted in blocks of a power of two (list_block in the migrations).
const (
	blockBits       = 15 // by id, in the lists of an owner and of all
	repoBlockBits   = 16 // by id, in the lists of a repository
	numberBlockBits = 14 // by run number
)

// listCount names a list whose length is kept. Zero fields select all.
type listCount struct {
	list            string
	repoID, ownerID int64
	statuses        []ci.Status
	event           string
	workflowFile    string
	sourceRepoID    *int64
}

// length is how long a list is, and where its entries are.
type length struct {
	Listed
	// blocks are those that have entries, by number; nil where nothing is known of them.
	blocks    []block
	blockBits int
}

// block counts the entries with keys from Block << blockBits on, and below those of the next one.
type block struct {
	Block int64
	N     int
}

// kept reads the length of a list: what was folded, and what has changed since.
func (d *DB) kept(ctx context.Context, c listCount) (length, error) {
	scope, id, column := "all", int64(0), "block"
	changed := d.NewSelect().TableExpr("list_deltas")
	switch {
	case c.repoID != 0:
		scope, id, column = "repo", c.repoID, "repo_block AS block"
		changed = changed.Where("repo_id = ?", c.repoID)
	case c.ownerID != 0:
		scope, id = "owner", c.ownerID
		changed = changed.Where("owner_id = ?", c.ownerID)
	}
	changed = changed.ColumnExpr(column + ", n")
	folded := d.NewSelect().TableExpr("list_counts").ColumnExpr("block, n").Where("scope = ?", scope).Where("scope_id = ?", id)
	l := length{blockBits: c.blockBits()}
	err := d.NewSelect().TableExpr("(? UNION ALL ?) AS c", c.apply(folded), c.apply(changed)).
		ColumnExpr("block, sum(n)::bigint AS n").GroupExpr("block").Having("sum(n) <> 0").OrderExpr("block").Scan(ctx, &l.blocks)
	if err != nil {
		return l, fmt.Errorf("count of %s: %w", c.list, err)
	}
	for _, b := range l.blocks {
		l.Total += b.N
	}
	return l, nil
}

func (c listCount) blockBits() int {
	switch {
	case c.repoID == 0:
		return blockBits
	case c.list == "runs":
		return numberBlockBits
	default:
		return repoBlockBits
	}
}

func (c listCount) apply(q *bun.SelectQuery) *bun.SelectQuery {
	q = whereStatus(q.Where("list = ?", c.list), "status", c.statuses)
	if c.event != "" {
		q = q.Where("event = ?", c.event)
	}
	if c.workflowFile != "" {
		q = q.Where("workflow_file = ?", c.workflowFile)
	}
	if c.sourceRepoID != nil {
		q = q.Where("source_repo_id = ?", *c.sourceRepoID)
	}
	return q
}

// counted counts what a query selects, up to CountLimit.
func (d *DB) counted(ctx context.Context, q *bun.SelectQuery) (length, error) {
	var l length
	err := d.NewSelect().TableExpr("(?) AS c", q.ColumnExpr("1").Limit(CountLimit+1)).ColumnExpr("count(*)").Scan(ctx, &l.Total)
	if err != nil {
		return l, fmt.Errorf("count: %w", err)
	}
	if l.Partial = l.Total > CountLimit; l.Partial {
		l.Total = CountLimit
	}
	return l, nil
}

// FoldListCounts adds what has changed to the kept lengths of lists, so that reading one stays short. Any number of
// processes may call it, and as often as they like.
func (d *DB) FoldListCounts(ctx context.Context) error {
	if _, err := d.Pool.Exec(ctx, `SELECT fold_list_counts()`, prepared); err != nil {
		return fmt.Errorf("fold counts: %w", err)
	}
	return nil
}

// readsAll tells whether a user may read all repositories of an owner, so that no entry of a list need be asked for.
func (d *DB) readsAll(ctx context.Context, owner int64, user *Owner) (bool, error) {
	if user == nil || user.IsAdmin || (owner != 0 && owner == user.ID) {
		return true, nil
	}
	if owner == 0 {
		return false, nil
	}
	role, err := d.OrgRole(ctx, owner, user.ID)
	return role != "", err
}
