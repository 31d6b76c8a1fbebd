package db

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// EventPlace is a place in the log of status changes. Places are ordered by transaction first (0004_events.up.sql says
// why); the zero value is before all events.
type EventPlace struct {
	XID uint64
	ID  int64
}

// String is the place as clients see it.
func (p EventPlace) String() string { return fmt.Sprintf("%d-%d", p.XID, p.ID) }

// ParseEventPlace is the inverse of String.
func ParseEventPlace(s string) (p EventPlace, ok bool) {
	xid, id, _ := strings.Cut(s, "-")
	var err1, err2 error
	p.XID, err1 = strconv.ParseUint(xid, 10, 64)
	p.ID, err2 = strconv.ParseInt(id, 10, 64)
	return p, err1 == nil && err2 == nil && p.String() == s
}

// Before tells whether p comes before q.
func (p EventPlace) Before(q EventPlace) bool {
	return p.XID < q.XID || (p.XID == q.XID && p.ID < q.ID)
}

// xid is the transaction as the driver passes it on, which has no type for it.
func (p EventPlace) xid() string { return strconv.FormatUint(p.XID, 10) }

// StatusEvent is one change of the status of a run or, when JobID is not 0, of a job.
type StatusEvent struct {
	Place           EventPlace
	At              time.Time
	RepoID, OwnerID int64
	RunID           int64
	Attempt         int
	JobID           int64
	Status          ci.Status
	// First: the job is new, or the attempt of the run is.
	First bool
	// RunNumber and JobName are as of the reading; zero and empty when the run or job is gone.
	RunNumber int64
	JobName   string
}

// settled are the events below which none can appear any more.
const settled = `e.xid < pg_snapshot_xmin(pg_current_snapshot())`

const selectEvents = `SELECT e.xid::text, e.id, e.at, e.repo_id, e.owner_id, e.run_id, e.attempt, e.job_id, e.status, e.is_first,
	coalesce(r.run_number, 0), coalesce(j.name, '')
	FROM status_events e LEFT JOIN runs r ON r.id = e.run_id LEFT JOIN jobs j ON j.id = e.job_id`

// StatusEvents returns the settled events after a place, in their order; at most limit. A transaction of whatever
// database of the same Postgres that writes and stays open holds the later ones back; none is left out.
func (d *DB) StatusEvents(ctx context.Context, after EventPlace, limit int) ([]StatusEvent, error) {
	return d.statusEvents(ctx, selectEvents+`
		WHERE (e.xid, e.id) > ($1::text::xid8, $2) AND `+settled+` ORDER BY e.xid, e.id LIMIT $3`, after.xid(), after.ID, limit)
}

// RepoStatusEvents is StatusEvents for one repository, and for one run unless run is 0, up to the place until.
func (d *DB) RepoStatusEvents(ctx context.Context, repo, run int64, after, until EventPlace, limit int) ([]StatusEvent, error) {
	return d.statusEvents(ctx, selectEvents+`
		WHERE e.repo_id = $1 AND ($2 = 0 OR e.run_id = $2) AND (e.xid, e.id) > ($3::text::xid8, $4)
		AND (e.xid, e.id) <= ($5::text::xid8, $6) AND `+settled+` ORDER BY e.xid, e.id LIMIT $7`,
		repo, run, after.xid(), after.ID, until.xid(), until.ID, limit)
}

func (d *DB) statusEvents(ctx context.Context, query string, args ...any) ([]StatusEvent, error) {
	rows, err := d.Pool.Query(ctx, query, append([]any{prepared}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("status events: %w", err)
	}
	events, err := pgx.CollectRows(rows, scanStatusEvent)
	if err != nil {
		return nil, fmt.Errorf("status events: %w", err)
	}
	return events, nil
}

func scanStatusEvent(row pgx.CollectableRow) (e StatusEvent, err error) {
	var xid string
	err = row.Scan(&xid, &e.Place.ID, &e.At, &e.RepoID, &e.OwnerID, &e.RunID, &e.Attempt, &e.JobID, &e.Status, &e.First,
		&e.RunNumber, &e.JobName)
	if err == nil {
		e.Place.XID, err = strconv.ParseUint(xid, 10, 64)
	}
	return e, err
}

// EventsEnd is the place after all settled events: whoever begins here sees all that is not settled yet.
func (d *DB) EventsEnd(ctx context.Context) (EventPlace, error) {
	s, err := d.eventsSeen(ctx, d.Pool)
	return s.End(), err
}

// EventsSince tells whether the log still holds everything after a place: not if what followed it may have been
// swept, nor if it is a place of the future, which happens when the database came out of a backup.
func (d *DB) EventsSince(ctx context.Context, p EventPlace) (complete bool, err error) {
	err = d.Pool.QueryRow(ctx, `SELECT $1::text::xid8 <= pg_snapshot_xmax(pg_current_snapshot())
		AND coalesce((SELECT (e.xid, e.id) <= ($1::text::xid8, $2) FROM status_events e ORDER BY e.xid, e.id LIMIT 1), false)`,
		prepared, p.xid(), p.ID).Scan(&complete)
	if err != nil {
		return false, fmt.Errorf("status events: %w", err)
	}
	return complete, nil
}

// EventsSeen says which events a transaction sees the effects of.
type EventsSeen struct {
	xmin, xmax uint64
	open       map[uint64]bool // between both, not seen
}

// End is the place that everything before is seen of.
func (s EventsSeen) End() EventPlace { return EventPlace{XID: s.xmin} }

// Has tells whether the effects of an event are seen.
func (s EventsSeen) Has(e StatusEvent) bool { return e.Place.XID < s.xmax && !s.open[e.Place.XID] }

// parseEventsSeen reads a pg_snapshot, xmin:xmax:xid,xid...
func parseEventsSeen(text string) (s EventsSeen, err error) {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return s, fmt.Errorf("snapshot %q", text)
	}
	s.open = map[uint64]bool{}
	s.xmin, err = strconv.ParseUint(parts[0], 10, 64)
	if err == nil {
		s.xmax, err = strconv.ParseUint(parts[1], 10, 64)
	}
	for open := range strings.SplitSeq(parts[2], ",") {
		if open == "" || err != nil {
			break
		}
		var xid uint64
		xid, err = strconv.ParseUint(open, 10, 64)
		s.open[xid] = true
	}
	return s, err
}

func (d *DB) eventsSeen(ctx context.Context, q queryRower) (EventsSeen, error) {
	var text string
	err := q.QueryRow(ctx, `SELECT pg_current_snapshot()::text`).Scan(&text)
	var s EventsSeen
	if err == nil {
		s, err = parseEventsSeen(text)
	}
	if err != nil {
		return s, fmt.Errorf("snapshot of status events: %w", err)
	}
	return s, nil
}

// SweepStatusEvents forgets the oldest events that are older than age; at most limit. Those that a reader has not read
// yet are kept three times as long. It returns how many there were.
func (d *DB) SweepStatusEvents(ctx context.Context, age time.Duration, limit int) (int, error) {
	tag, err := d.Pool.Exec(ctx, `DELETE FROM status_events s USING (
			SELECT e.xid, e.id, e.at FROM status_events e ORDER BY e.xid, e.id LIMIT $2
		) AS oldest
		WHERE s.xid = oldest.xid AND s.id = oldest.id AND oldest.at < now() - $1::interval
		AND (oldest.at < now() - 3 * $1::interval
			OR NOT EXISTS (SELECT 1 FROM event_readers r WHERE (r.xid, r.id) < (s.xid, s.id)))`, prepared, age, limit)
	if err != nil {
		return 0, fmt.Errorf("sweep status events: %w", err)
	}
	return int(tag.RowsAffected()), nil
}

// MendStatusEvents makes the log readable after the database was restored in another Postgres, whose count of
// transactions is another one: what its readers have read is forgotten, and the rest becomes of today. It tells whether
// there was anything to mend.
func (d *DB) MendStatusEvents(ctx context.Context) (mended bool, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		err := tx.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM event_readers WHERE xid > pg_snapshot_xmax(pg_current_snapshot()))
			OR EXISTS (SELECT 1 FROM status_events WHERE xid > pg_snapshot_xmax(pg_current_snapshot()))`).Scan(&mended)
		if err != nil || !mended {
			return err
		}
		for _, statement := range []string{
			`LOCK TABLE status_events, event_readers IN EXCLUSIVE MODE`,
			`DELETE FROM status_events s WHERE NOT EXISTS (SELECT 1 FROM event_readers r WHERE (r.xid, r.id) < (s.xid, s.id))`,
			`UPDATE status_events SET xid = pg_current_xact_id()`,
			`UPDATE event_readers SET xid = pg_current_xact_id(), id = 0`,
		} {
			if _, err := tx.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("mend status events: %w", err)
	}
	return mended, nil
}

// ErrNotHolder is returned to a reader that has lost its lease, or its place to another one.
var ErrNotHolder = errors.New("another process reads the events")

// HoldEvents takes or renews the lease of a reader for its holder, and returns the reader's place. ErrNotHolder: another
// one has it. A lease that was not renewed for leaseFor is free.
func (d *DB) HoldEvents(ctx context.Context, reader, holder string) (EventPlace, error) {
	var xid string
	var p EventPlace
	// A lease is written again only when half of it is over.
	err := d.Pool.QueryRow(ctx, `WITH held AS (
			UPDATE event_readers SET holder = $2, held_until = now() + $3::interval
			WHERE name = $1 AND (held_until < now() OR (holder = $2 AND held_until < now() + $3::interval / 2))
			RETURNING xid, id
		)
		SELECT xid::text, id FROM held UNION ALL
		SELECT xid::text, id FROM event_readers WHERE name = $1 AND holder = $2 AND held_until >= now() + $3::interval / 2`,
		prepared, reader, holder, leaseFor).Scan(&xid, &p.ID)
	if errors.Is(err, pgx.ErrNoRows) {
		return p, ErrNotHolder
	}
	if err == nil {
		p.XID, err = strconv.ParseUint(xid, 10, 64)
	}
	if err != nil {
		return p, fmt.Errorf("hold events: %w", err)
	}
	return p, nil
}

// ReleaseEvents gives the lease of a reader back, so that the next one need not wait for its end.
func (d *DB) ReleaseEvents(ctx context.Context, reader, holder string) error {
	_, err := d.Pool.Exec(ctx, `UPDATE event_readers SET held_until = now() WHERE name = $1 AND holder = $2`, prepared, reader, holder)
	if err != nil {
		return fmt.Errorf("release events: %w", err)
	}
	return nil
}

// leaseFor is how long a reader that died keeps others from reading.
const leaseFor = 20 * time.Second

// moveReader moves the place of a reader within the transaction that stores what was made of the events. ErrNotHolder:
// somebody else has read them meanwhile.
func moveReader(ctx context.Context, tx pgx.Tx, reader, holder string, from, to EventPlace) error {
	tag, err := tx.Exec(ctx, `UPDATE event_readers SET xid = $5::text::xid8, id = $6
		WHERE name = $1 AND holder = $2 AND xid = $3::text::xid8 AND id = $4`,
		reader, holder, from.xid(), from.ID, to.xid(), to.ID)
	if err == nil && tag.RowsAffected() == 0 {
		err = ErrNotHolder
	}
	return err
}
