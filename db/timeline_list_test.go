package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestTimeline(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	j := job("build")
	_, attempt := f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.exec(t, `UPDATE tasks SET claimed_at = '2026-01-01T00:00:10Z', stopped_at = '2026-01-01T00:00:30Z', status = 'lost', reason = 'gone'`)
	f.exec(t, `DELETE FROM timeline`)
	f.exec(t, `INSERT INTO timeline (attempt_id, n, at, job_id, event, detail) VALUES
		(?0, 1, '2026-01-01T00:00:00Z', 0, 'started', ''), (?0, 2, '2026-01-01T00:00:10Z', ?1, 'offered', ''),
		(?0, 3, '2026-01-01T00:00:20Z', 0, 'paused', 'by anna')`, attempt.ID, j.ID)
	events, n, err := f.Timeline(ctx, attempt.ID, db.Page{})
	require.NoError(t, err)
	require.Equal(t, 5, n)
	var got []string
	for _, e := range events {
		got = append(got, e.Event)
	}
	require.Equal(t, []string{"started", "offered", "claimed", "paused", "task-ended"}, got)
	require.Equal(t, "build", events[2].Job)
	require.Contains(t, events[2].Detail, "by runner runner (task ")
	require.Contains(t, events[4].Detail, "lost: gone")
	require.Equal(t, task.JobID, events[4].JobID)

	page, n, err := f.Timeline(ctx, attempt.ID, db.Page{Offset: 3, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, "by anna", page[0].Detail)
	page, n, err = f.Timeline(ctx, attempt.ID, db.Page{Offset: 99, Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Empty(t, page)
}
