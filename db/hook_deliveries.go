package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// FanOut stores the deliveries that were made of events and moves the reader on, in one transaction. What was stored
// before is left as it is. ErrNotHolder: nothing was stored, since another process has read the events.
func (d *DB) FanOut(ctx context.Context, reader, holder string, from, to EventPlace, deliveries []*HookDelivery) error {
	err := d.inTx(ctx, func(tx pgx.Tx) error {
		if err := moveReader(ctx, tx, reader, holder, from, to); err != nil {
			return err
		}
		batch := &pgx.Batch{}
		for _, h := range deliveries {
			// The hook may have been deleted since it was read.
			batch.Queue(`INSERT INTO hook_deliveries (hook_id, event_id, event, action, repo_id, payload)
				SELECT id, $2, $3, $4, $5, $6 FROM hooks WHERE id = $1 FOR KEY SHARE
				ON CONFLICT (hook_id, event_id) DO NOTHING`, h.HookID, h.EventID, h.Event, h.Action, h.RepoID, h.Payload)
		}
		return tx.SendBatch(ctx, batch).Close()
	})
	if err != nil {
		return fmt.Errorf("fan out: %w", err)
	}
	return nil
}

// AddDelivery stores a delivery that is not of an event, and gives it its id.
func (d *DB) AddDelivery(ctx context.Context, h *HookDelivery) error {
	err := d.Pool.QueryRow(ctx, `INSERT INTO hook_deliveries (hook_id, guid, is_redelivery, event, action, repo_id, payload)
		SELECT id, $2, $3, $4, $5, $6, $7 FROM hooks WHERE id = $1 FOR KEY SHARE RETURNING id, created_at`,
		h.HookID, h.GUID, h.IsRedelivery, h.Event, h.Action, h.RepoID, h.Payload).Scan(&h.ID, &h.CreatedAt)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("add delivery: %w", err)
	}
	return nil
}

// UnstartedDeliveries returns the ids of pending deliveries whose workflow was not started yet, by id; at most limit.
func (d *DB) UnstartedDeliveries(ctx context.Context, limit int) ([]int64, error) {
	rows, err := d.Pool.Query(ctx, `SELECT id FROM hook_deliveries WHERE state = 'pending' AND workflow_at IS NULL
		ORDER BY id LIMIT $1`, prepared, limit)
	if err != nil {
		return nil, fmt.Errorf("unstarted deliveries: %w", err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[int64])
	if err != nil {
		return nil, fmt.Errorf("unstarted deliveries: %w", err)
	}
	return ids, nil
}

// DeliveriesStarted notes that the workflows of deliveries were started.
func (d *DB) DeliveriesStarted(ctx context.Context, ids []int64) error {
	_, err := d.Pool.Exec(ctx, `UPDATE hook_deliveries SET workflow_at = now() WHERE id = ANY($1)`, prepared, ids)
	if err != nil {
		return fmt.Errorf("started deliveries: %w", err)
	}
	return nil
}

// HookDelivery returns a delivery with its hook, for who sends it. ErrNotFound if it is gone.
func (d *DB) HookDelivery(ctx context.Context, id int64) (*HookDelivery, error) {
	return d.hookDelivery(ctx, 0, id)
}

// DeliveryOf returns a delivery of a hook, with all there is. ErrNotFound if there is none.
func (d *DB) DeliveryOf(ctx context.Context, hook, id int64) (*HookDelivery, error) {
	return d.hookDelivery(ctx, hook, id)
}

func (d *DB) hookDelivery(ctx context.Context, hook, id int64) (*HookDelivery, error) {
	h := &HookDelivery{}
	q := d.NewSelect().Model(h).Relation("Hook").Where("delivery.id = ?", id)
	if hook != 0 {
		q = q.Where("delivery.hook_id = ?", hook)
	}
	err := q.Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("delivery %d: %w", id, err)
	}
	return h, nil
}

// Deliveries returns a page of the deliveries of a hook, the newest first and without bodies and headers, and how many
// there are.
func (d *DB) Deliveries(ctx context.Context, hook int64, p Page) ([]*HookDelivery, int, error) {
	var out []*HookDelivery
	q := d.NewSelect().Model(&out).ExcludeColumn("payload", "request_headers", "response_headers", "response_body").
		Where("delivery.hook_id = ?", hook)
	n, err := p.scan(ctx, q, "delivery.id DESC")
	if err != nil {
		return nil, 0, fmt.Errorf("list deliveries: %w", err)
	}
	return out, n, nil
}

// DeliveryTry is one attempt to send a delivery.
type DeliveryTry struct {
	DeliveryID int64
	// Number counts the tries from 1, so that noting one twice changes nothing.
	Number int
	// State is what the delivery is after it: still pending, or over.
	State           DeliveryState
	StatusCode      int
	Error           string
	Duration        time.Duration
	RequestHeaders  map[string]string
	ResponseHeaders map[string]string
	ResponseBody    []byte
}

// RecordTry notes what came of a try. A delivery that is over stays as it is.
func (d *DB) RecordTry(ctx context.Context, t DeliveryTry) error {
	_, err := d.Pool.Exec(ctx, `UPDATE hook_deliveries SET state = $2, tries = greatest(tries, $3), status_code = $4, error = $5,
			duration_ms = $6, request_headers = $7, response_headers = $8, response_body = $9, tried_at = now()
		WHERE id = $1 AND state = 'pending'`, t.DeliveryID, string(t.State), t.Number, t.StatusCode, cleanText(t.Error),
		t.Duration.Milliseconds(), jsonObject(t.RequestHeaders), jsonObject(t.ResponseHeaders), nonNil(t.ResponseBody))
	if err != nil {
		return fmt.Errorf("try of delivery %d: %w", t.DeliveryID, err)
	}
	return nil
}

func jsonObject(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// FailDelivery ends a delivery that is still pending; reason is kept if no try has left a better one. It tells whether
// it was.
func (d *DB) FailDelivery(ctx context.Context, id int64, reason string) (failed bool, err error) {
	tag, err := d.Pool.Exec(ctx, `UPDATE hook_deliveries SET state = 'failed', error = CASE WHEN error = '' THEN $2 ELSE error END
		WHERE id = $1 AND state = 'pending'`, id, cleanText(reason))
	if err != nil {
		return false, fmt.Errorf("fail delivery %d: %w", id, err)
	}
	return tag.RowsAffected() > 0, nil
}

// DeliveryStats are the deliveries that are still to be made.
type DeliveryStats struct {
	Pending int64
	Oldest  time.Duration
	// Unread is the age of the oldest event that was not looked at yet.
	Unread time.Duration
}

// DeliveryStats counts what is pending.
func (d *DB) DeliveryStats(ctx context.Context) (s DeliveryStats, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT count(*), coalesce(now() - min(created_at), interval '0'), coalesce((
			SELECT now() - e.at FROM status_events e JOIN event_readers r ON r.name = 'hooks'
			WHERE (e.xid, e.id) > (r.xid, r.id) ORDER BY e.xid, e.id LIMIT 1), interval '0')
		FROM hook_deliveries WHERE state = 'pending'`, prepared).Scan(&s.Pending, &s.Oldest, &s.Unread)
	if err != nil {
		return s, fmt.Errorf("pending deliveries: %w", err)
	}
	return s, nil
}

// SweepDeliveries forgets deliveries that are older than age, and those of each hook beyond the newest keep. Pending ones
// of that age have lost their workflow, and go too. At most limit of each kind.
func (d *DB) SweepDeliveries(ctx context.Context, age time.Duration, keep, limit int) error {
	for _, s := range []struct {
		text string
		args []any
	}{
		{`DELETE FROM hook_deliveries WHERE id IN (
			SELECT id FROM hook_deliveries WHERE created_at < now() - $1::interval ORDER BY created_at LIMIT $2)`, []any{age, limit}},
		{`DELETE FROM hook_deliveries WHERE id IN (
			SELECT old.id FROM hooks h CROSS JOIN LATERAL (
				SELECT id, state FROM hook_deliveries WHERE hook_id = h.id ORDER BY id DESC OFFSET $1
			) AS old WHERE old.state <> 'pending' LIMIT $2)`, []any{keep, limit}},
	} {
		if _, err := d.Pool.Exec(ctx, s.text, append([]any{prepared}, s.args...)...); err != nil {
			return fmt.Errorf("sweep deliveries: %w", err)
		}
	}
	return nil
}
