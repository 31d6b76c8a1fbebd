package db

import (
	"context"
	"errors"
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

// TakeAlert returns the alert that has been due for longest, and nil when none is. For as long as lease nobody else gets
// it; if it is not settled by then, because the process that took it has crashed, it is due again. Kept ones come after
// all others, if they are asked for.
func (d *DB) TakeAlert(ctx context.Context, lease time.Duration, kept bool) (*Alert, error) {
	rows, err := d.Pool.Query(ctx, `WITH due AS (
			SELECT id FROM alerts WHERE delivered_at IS NULL AND (next_at <= now() OR ($2 AND next_at = 'infinity'))
			ORDER BY next_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
		), taken AS (
			UPDATE alerts SET tries = tries + 1, next_at = now() + $1::interval FROM due WHERE alerts.id = due.id
			RETURNING alerts.*
		)
		SELECT t.id, t.kind, t.at, coalesce(o.login || '/' || p.name, ''), t.run_id, coalesce(r.run_number, 0), coalesce(a.number, 0),
			t.job_id, coalesce(j.name, ''), t.detail, t.tries
		FROM taken t LEFT JOIN repositories p ON p.id = t.repo_id LEFT JOIN owners o ON o.id = p.owner_id
		LEFT JOIN runs r ON r.id = t.run_id LEFT JOIN attempts a ON a.id = t.attempt_id LEFT JOIN jobs j ON j.id = t.job_id`,
		prepared, lease, kept)
	if err != nil {
		return nil, fmt.Errorf("take alert: %w", err)
	}
	alert, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[Alert])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("take alert: %w", err)
	}
	return alert, nil
}

// AlertDelivered notes that an alert has reached the administrators.
func (d *DB) AlertDelivered(ctx context.Context, id int64) error {
	return d.settleAlert(ctx, `UPDATE alerts SET delivered_at = now() WHERE id = $1 AND delivered_at IS NULL`, id)
}

// PutOffAlert has an alert delivered again after a pause.
func (d *DB) PutOffAlert(ctx context.Context, id int64, pause time.Duration) error {
	return d.settleAlert(ctx, `UPDATE alerts SET next_at = now() + $2::interval WHERE id = $1 AND delivered_at IS NULL`, id, pause)
}

// KeepAlert has an alert wait until kept ones are asked for: its time never comes. Its tries are counted anew.
func (d *DB) KeepAlert(ctx context.Context, id int64) error {
	return d.settleAlert(ctx, `UPDATE alerts SET next_at = 'infinity', tries = 0 WHERE id = $1 AND delivered_at IS NULL`, id)
}

func (d *DB) settleAlert(ctx context.Context, statement string, id int64, args ...any) error {
	if _, err := d.Pool.Exec(ctx, statement, append([]any{prepared, id}, args...)...); err != nil {
		return fmt.Errorf("alert %d: %w", id, err)
	}
	return nil
}

// AlertStats are the alerts that are still to be delivered; those that are kept do not count.
type AlertStats struct {
	Waiting int
	Oldest  time.Duration // age of the oldest
}

// AlertStats counts the alerts that nobody has taken yet.
func (d *DB) AlertStats(ctx context.Context) (s AlertStats, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT count(*), coalesce(now() - min(at), interval '0') FROM alerts
		WHERE delivered_at IS NULL AND next_at < 'infinity'`, prepared).Scan(&s.Waiting, &s.Oldest)
	if err != nil {
		return s, fmt.Errorf("waiting alerts: %w", err)
	}
	return s, nil
}

// SweepAlerts forgets alerts that were delivered, or kept, more than age ago; at most limit. Those that still wait for
// the webhook stay.
func (d *DB) SweepAlerts(ctx context.Context, age time.Duration, limit int) error {
	_, err := d.Pool.Exec(ctx, `DELETE FROM alerts WHERE id IN (
			SELECT id FROM alerts WHERE delivered_at < now() - $1::interval
			OR (delivered_at IS NULL AND next_at = 'infinity' AND at < now() - $1::interval)
			ORDER BY id LIMIT $2)`, prepared, age, limit)
	if err != nil {
		return fmt.Errorf("sweep alerts: %w", err)
	}
	return nil
}
