package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// RunRef names an attempt whose workflow has news, for the one who wakes it.
type RunRef struct {
	RunID   int64
	Attempt int
}

// giveNews is the statement that gives news to the open attempts whose ids a query finds, in order, and names them in the
// words of their workflows.
func giveNews(ids string) string {
	return `WITH changed AS (
			INSERT INTO news (attempt_id) SELECT id FROM attempts WHERE id IN (` + ids + `) AND stopped_at IS NULL ORDER BY id
			ON CONFLICT (attempt_id) DO UPDATE SET n = news.n + 1, changed_at = now() RETURNING attempt_id
		)
		SELECT a.run_id, a.number FROM changed JOIN attempts a ON a.id = changed.attempt_id ORDER BY a.id`
}

var newsFor = giveNews(`SELECT unnest($1::bigint[])`)

// tell notes, in the transaction that changed something attempts wait for, that their workflows have to look, and returns
// the open ones. Once that is committed somebody should wake them; the reconciler does for those that nobody woke. It is
// the last thing in a transaction, and for all attempts at once, because two transactions that lock the same rows must do
// so in the same order.
func tell(ctx context.Context, tx pgx.Tx, attempts ...int64) ([]RunRef, error) {
	if len(attempts) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, newsFor, prepared, attempts)
	if err != nil {
		return nil, fmt.Errorf("news: %w", err)
	}
	refs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[RunRef])
	if err != nil {
		return nil, fmt.Errorf("news: %w", err)
	}
	return refs, nil
}

// SeeNews acknowledges all news of an attempt that there are. It is called before the rows are read: what changes
// after it is news again.
func (d *DB) SeeNews(ctx context.Context, attempt int64) error {
	_, err := d.Pool.Exec(ctx, `UPDATE news SET seen = n WHERE attempt_id = $1 AND seen < n`, prepared, attempt)
	if err != nil {
		return fmt.Errorf("news of attempt %d: %w", attempt, err)
	}
	return nil
}

// UnseenNews returns attempts whose workflow has not acknowledged news older than age; at most limit. The news of attempts
// that have ended is forgotten on this occasion.
func (d *DB) UnseenNews(ctx context.Context, age time.Duration, limit int) ([]OpenAttempt, error) {
	_, err := d.Pool.Exec(ctx, `DELETE FROM news WHERE attempt_id IN (SELECT attempt_id FROM news
		WHERE n > seen AND NOT EXISTS (SELECT 1 FROM attempts a WHERE a.id = news.attempt_id AND a.stopped_at IS NULL)
		ORDER BY attempt_id FOR UPDATE SKIP LOCKED)`, prepared)
	if err != nil {
		return nil, fmt.Errorf("forget news: %w", err)
	}
	return d.openAttempts(ctx, `JOIN news n ON n.attempt_id = a.id WHERE n.n > n.seen AND a.stopped_at IS NULL
		AND a.workflow_seen_at IS NOT NULL AND n.changed_at < now() - make_interval(secs => ?)
		ORDER BY n.changed_at LIMIT ?`, age.Seconds(), limit)
}
