package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Alert is a fault of which administrators are told.
type Alert struct {
	ID int64
	// Kind is job for a job that ended by an unknown fault, and run for a run whose workflow failed.
	Kind       string
	At         time.Time
	Repository string // owner/name; empty when it is gone
	RunID      int64
	RunNumber  int64
	Attempt    int
	JobID      int64
	Job        string
	Detail     string
	// Tries counts the deliveries, this one included.
	Tries int
}

// TakeAlerts returns alerts that are to be delivered now, the oldest first. Each has its next delivery put off, by 10 s
// at first and twice as long each time, up to an hour: so no two processes deliver the same one at once, and one that is
// not delivered comes again, also after a crash.
func (d *DB) TakeAlerts(ctx context.Context, limit int) ([]Alert, error) {
	rows, err := d.Pool.Query(ctx, `WITH taken AS (
			UPDATE alerts SET tries = tries + 1, next_at = now() + least(interval '10 s' * 2 ^ least(tries, 20), interval '1 h')
			WHERE id IN (SELECT id FROM alerts WHERE delivered_at IS NULL AND next_at <= now() ORDER BY next_at LIMIT $1
				FOR UPDATE SKIP LOCKED)
			RETURNING *
		)
		SELECT t.id, t.kind, t.at, coalesce(o.login || '/' || p.name, ''), t.run_id, coalesce(r.run_number, 0), coalesce(a.number, 0),
			t.job_id, coalesce(j.name, ''), t.detail, t.tries
		FROM taken t LEFT JOIN repositories p ON p.id = t.repo_id LEFT JOIN owners o ON o.id = p.owner_id
		LEFT JOIN runs r ON r.id = t.run_id LEFT JOIN attempts a ON a.id = t.attempt_id LEFT JOIN jobs j ON j.id = t.job_id
		ORDER BY t.id`, limit)
	if err != nil {
		return nil, fmt.Errorf("take alerts: %w", err)
	}
	alerts, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Alert])
	if err != nil {
		return nil, fmt.Errorf("take alerts: %w", err)
	}
	return alerts, nil
}

// AlertDelivered notes that an alert has reached the administrators.
func (d *DB) AlertDelivered(ctx context.Context, id int64) error {
	if _, err := d.Pool.Exec(ctx, `UPDATE alerts SET delivered_at = now() WHERE id = $1`, id); err != nil {
		return fmt.Errorf("alert %d: %w", id, err)
	}
	return nil
}

// WaitingAlerts counts the alerts that nobody has taken yet.
func (d *DB) WaitingAlerts(ctx context.Context) (n int, err error) {
	if err := d.Pool.QueryRow(ctx, `SELECT count(*) FROM alerts WHERE delivered_at IS NULL`).Scan(&n); err != nil {
		return 0, fmt.Errorf("waiting alerts: %w", err)
	}
	return n, nil
}
