package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// LimitKind says of what a limit is.
type LimitKind string

// The kinds of limits.
const (
	LimitRepository LimitKind = "repo"
	LimitOwner      LimitKind = "owner"
)

// Conditions for offers of repositories and owners that may have another job running. The ids of the others are found
// once for a statement. Without coalesce Postgres would guess that hardly any offer is left, and sort them all where it
// has an index with the first one.
const (
	repositoryNotFull = `coalesce(repo_id <> ALL (ARRAY(SELECT id FROM job_limits WHERE kind = 'repo' AND running >= most)), true)`
	ownerNotFull      = `coalesce(owner_id <> ALL (ARRAY(SELECT id FROM job_limits WHERE kind = 'owner' AND running >= most)), true)`
)

// A limit counts the open tasks of a repository or an owner. A claim adds its task, the trigger tasks_place takes it
// away when it ends; both update the row, so the count is exact however many there are at once. Who needs both rows locks
// that of the repository first; of several repositories, all of them by id, and then the owners.

// JobLimit returns how many jobs of a repository or of all repositories of an owner may run at once; nil means any
// number.
func (d *DB) JobLimit(ctx context.Context, kind LimitKind, id int64) (*int, error) {
	var most int
	err := d.Pool.QueryRow(ctx, `SELECT most FROM job_limits WHERE kind = $1 AND id = $2`, prepared, string(kind), id).Scan(&most)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("limit of %s %d: %w", kind, id, err)
	}
	return &most, nil
}

// SetJobLimit sets how many jobs of a repository or an owner may run at once; nil means any number. What runs goes on;
// while that is more than the limit, nothing new begins. Polls that may find work by it are woken.
func (d *DB) SetJobLimit(ctx context.Context, kind LimitKind, id int64, most *int) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error { return setLimit(ctx, tx, kind, id, most) })
	if err != nil {
		return fmt.Errorf("limit of %s %d: %w", kind, id, err)
	}
	return nil
}

// setLimit also wakes the polls.
func setLimit(ctx context.Context, tx pgx.Tx, kind LimitKind, id int64, most *int) error {
	if err := storeLimit(ctx, tx, kind, id, most); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, fmt.Sprintf(notifyQueued, kind.column("o")+` = $1`), prepared, id)
	return err
}

// storeLimit counts under a lock that waits for the claims and ends under way, each of which names the table, and that
// those to come wait for: every task is counted by exactly one of them and this.
func storeLimit(ctx context.Context, tx pgx.Tx, kind LimitKind, id int64, most *int) error {
	if most == nil {
		_, err := tx.Exec(ctx, `DELETE FROM job_limits WHERE kind = $1 AND id = $2`, prepared, string(kind), id)
		return err
	}
	if _, err := tx.Exec(ctx, `LOCK TABLE job_limits IN SHARE ROW EXCLUSIVE MODE`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `INSERT INTO job_limits (kind, id, most, running)
		SELECT $1, $2, $3, count(*) FROM tasks t WHERE `+kind.column("t")+` = $2 AND t.stopped_at IS NULL
		ON CONFLICT (kind, id) DO UPDATE SET most = excluded.most, running = excluded.running`, prepared, string(kind), id, *most)
	return err
}

// column is where offers and tasks, under an alias, name what the limit is of.
func (k LimitKind) column(alias string) string {
	if k == LimitOwner {
		return alias + ".owner_id"
	}
	return alias + ".repo_id"
}

// lockLimits locks the limits of several tasks in order, so that what ends them may come to each limit at any time. The
// lock of the table, which every end takes, must not come after that of a row: setLimit takes them in this order too.
func lockLimits(ctx context.Context, tx pgx.Tx, repos, owners []int64) error {
	if _, err := tx.Exec(ctx, `LOCK TABLE job_limits IN ROW EXCLUSIVE MODE`); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `SELECT 1 FROM job_limits WHERE (kind = 'repo' AND id = ANY($1)) OR (kind = 'owner' AND id = ANY($2))
		ORDER BY kind DESC, id FOR UPDATE`, prepared, repos, owners)
	return err
}
