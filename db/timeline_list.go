package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// TimelineEntry is something that was decided, or happened, in an attempt, as it is shown.
type TimelineEntry struct {
	At     time.Time
	Event  string
	JobID  int64 // 0: the attempt as a whole
	Job    string
	Detail string
}

// The events that come of tasks and not of the run's workflow.
const (
	EventClaimed   = "claimed"
	EventTaskEnded = "task-ended"
)

// timelineEvents are what the workflow of attempt $1 decided, in its order, with what its tasks tell. A runner takes a
// job and ends it without asking the workflow, so that neither is among its decisions.
const timelineEvents = `WITH events AS (
		SELECT at, 0 AS source, n::bigint, job_id, event, detail FROM timeline WHERE attempt_id = $1
		UNION ALL
		SELECT t.claimed_at, 1, t.id, t.job_id, '` + EventClaimed + `',
			format('by runner %s (task %s, try %s)', coalesce(r.name, 'unknown'), t.id, t.try)
		FROM jobs j JOIN tasks t ON t.job_id = j.id LEFT JOIN runners r ON r.id = t.runner_id WHERE j.attempt_id = $1
		UNION ALL
		SELECT t.stopped_at, 2, t.id, t.job_id, '` + EventTaskEnded + `',
			format('%s (task %s)', concat_ws(': ', t.status, nullif(t.reason, '')), t.id)
		FROM jobs j JOIN tasks t ON t.job_id = j.id WHERE j.attempt_id = $1 AND t.stopped_at IS NOT NULL
	) `

// Timeline returns a page of what was decided and what happened in an attempt, in order of time, and how much there is.
// It is there as long as the attempt is.
func (d *DB) Timeline(ctx context.Context, attempt int64, p Page) ([]TimelineEntry, int, error) {
	var total int
	if err := d.Pool.QueryRow(ctx, timelineEvents+`SELECT count(*) FROM events`, attempt).Scan(&total); err != nil {
		return nil, 0, fmt.Errorf("timeline of attempt %d: %w", attempt, err)
	}
	if p.Offset >= total {
		return nil, total, nil
	}
	rows, err := d.Pool.Query(ctx, timelineEvents+`SELECT e.at, e.event, e.job_id, coalesce(j.name, ''), e.detail
		FROM events e LEFT JOIN jobs j ON j.id = e.job_id
		ORDER BY e.at, e.source, e.n OFFSET $2 LIMIT nullif($3::bigint, 0)`, attempt, p.Offset, p.Limit)
	if err != nil {
		return nil, 0, fmt.Errorf("timeline of attempt %d: %w", attempt, err)
	}
	events, err := pgx.CollectRows(rows, pgx.RowToStructByPos[TimelineEntry])
	if err != nil {
		return nil, 0, fmt.Errorf("timeline of attempt %d: %w", attempt, err)
	}
	return events, total, nil
}
