package db_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// eventually repeats a look, since transactions of other tests in the same Postgres hold events back for a moment.
func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, time.Minute, 2*time.Millisecond)
}

// events returns the n settled events after a place.
func events(t *testing.T, d *db.DB, after db.EventPlace, n int) []db.StatusEvent {
	t.Helper()
	var got []db.StatusEvent
	eventually(t, func() bool {
		var err error
		got, err = d.StatusEvents(t.Context(), after, 1000)
		require.NoError(t, err)
		return len(got) >= n
	})
	require.Len(t, got, n)
	return got
}

// told is an event in short: run or the name of the job, status, and * for the first.
func told(list []db.StatusEvent) []string {
	var out []string
	for _, e := range list {
		name := "run"
		if e.JobID != 0 {
			name = e.JobName
		}
		first := ""
		if e.First {
			first = "*"
		}
		out = append(out, fmt.Sprintf("%s %d %s%s", name, e.Attempt, e.Status, first))
	}
	return out
}

func TestChangesOfStatusAreNoted(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	a, b, hidden := dbtest.Job("a"), dbtest.Job("b"), dbtest.Job("c")
	b.Status, hidden.IsHidden = ci.StatusBlocked, true
	run, attempt := dbtest.Run(t, d, repo, a, b, hidden)
	got := events(t, d, db.EventPlace{}, 3)
	require.Equal(t, []string{"run 1 waiting*", "a 1 waiting*", "b 1 blocked*"}, told(got))
	require.Equal(t, []int64{repo.ID, repo.OwnerID, run.ID, a.ID, run.RunNumber}, []int64{got[1].RepoID, got[1].OwnerID, got[1].RunID, got[1].JobID, got[1].RunNumber})
	require.WithinDuration(t, time.Now(), got[0].At, time.Minute)

	exec := func(query string, args ...any) {
		t.Helper()
		_, err := d.Pool.Exec(t.Context(), query, args...)
		require.NoError(t, err)
	}
	exec(`UPDATE jobs SET status = 'running' WHERE id = $1`, a.ID)
	exec(`UPDATE jobs SET status = 'running', reason = 'again' WHERE id = $1`, a.ID) // no change
	exec(`UPDATE jobs SET status = 'cancelling' WHERE id = $1`, a.ID)                // none that clients see
	exec(`UPDATE jobs SET status = 'skipped', is_hidden = true WHERE id = $1`, b.ID) // its cells are shown from now on
	exec(`UPDATE jobs SET status = 'failure' WHERE id = $1`, b.ID)                   // nobody sees it any more
	exec(`UPDATE runs SET status = 'running' WHERE id = $1`, run.ID)
	step := db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure, Ended: []db.JobEnd{{JobID: a.ID, Status: ci.StatusFailure}}}
	for range 2 { // a repetition is noted once
		_, err := d.RecordStep(t.Context(), step)
		require.NoError(t, err)
	}
	exec(`UPDATE runs SET status = 'waiting', attempt = 2 WHERE id = $1`, run.ID)
	exec(`UPDATE runs SET attempt = 3 WHERE id = $1`, run.ID)
	got = events(t, d, got[2].Place, 7)
	require.Equal(t, []string{
		"a 1 running", "b 1 skipped", "run 1 running", "a 1 failure", "run 1 failure", "run 2 waiting*", "run 3 waiting*",
	}, told(got))

	exec(`DELETE FROM runs WHERE id = $1`, run.ID)
	got = events(t, d, got[4].Place, 2)
	require.Zero(t, got[0].RunNumber, "the run is gone, the events are not")
}

// What a transaction wrote that commits late is neither skipped nor read before its turn.
func TestNoEventAppearsBehindAReader(t *testing.T) {
	d := dbtest.Open(t)
	insert := `INSERT INTO status_events (repo_id, owner_id, run_id, attempt, status) VALUES (1, 1, $1, 1, 'waiting')`
	slow, err := d.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = slow.Exec(t.Context(), insert, 1)
	require.NoError(t, err)
	_, err = d.Pool.Exec(t.Context(), insert, 2)
	require.NoError(t, err)
	got, err := d.StatusEvents(t.Context(), db.EventPlace{}, 10)
	require.NoError(t, err)
	require.Empty(t, got, "the second waits for the first")
	_, err = slow.Exec(t.Context(), insert, 3)
	require.NoError(t, err)
	require.NoError(t, slow.Commit(t.Context()))
	all := events(t, d, db.EventPlace{}, 3)
	require.Equal(t, []int64{1, 3, 2}, []int64{all[0].RunID, all[1].RunID, all[2].RunID}, "by transaction, then by id")
	require.Len(t, events(t, d, all[0].Place, 2), 2)
}

// Readers that follow while many write see everything once and in one order.
func TestFollowersMissNothing(t *testing.T) {
	d := dbtest.Open(t)
	const writers, each = 8, 40
	done := make(chan error, writers)
	for w := range writers {
		go func() { done <- writeEvents(t.Context(), d, w, each) }()
	}
	var place db.EventPlace
	seen := map[int64]int{}
	eventually(t, func() bool {
		list, err := d.StatusEvents(t.Context(), place, 7)
		require.NoError(t, err)
		for _, e := range list {
			require.True(t, place.Before(e.Place))
			place = e.Place
			seen[e.RunID]++
		}
		return len(seen) == writers*each
	})
	for range writers {
		require.NoError(t, <-done)
	}
	for run, times := range seen {
		require.Equal(t, 1, times, "run %d", run)
	}
}

func writeEvents(ctx context.Context, d *db.DB, writer, each int) error {
	for i := range each {
		err := pgx.BeginFunc(ctx, d.Pool, func(tx pgx.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO status_events (repo_id, owner_id, run_id, attempt, status) VALUES (1, 1, $1, 1, 'waiting')`, writer*1000+i)
			if err == nil && i%3 == 0 {
				_, err = tx.Exec(ctx, `SELECT count(*) FROM status_events`) // others commit meanwhile
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func TestASnapshotAndItsEventsFitTogether(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	a := dbtest.Job("a")
	run, _ := dbtest.Run(t, d, repo, a)
	slow, err := d.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = slow.Exec(t.Context(), `UPDATE jobs SET status = 'running' WHERE id = $1`, a.ID)
	require.NoError(t, err)
	_, err = d.Pool.Exec(t.Context(), `UPDATE runs SET status = 'running' WHERE id = $1`, run.ID)
	require.NoError(t, err)

	s, err := d.RunSnapshot(t.Context(), repo.ID, run.ID)
	require.NoError(t, err)
	require.Equal(t, []ci.Status{ci.StatusRunning, ci.StatusWaiting}, []ci.Status{s.Runs[0].Status, s.Jobs[0].Status})
	require.NoError(t, slow.Commit(t.Context()))
	var left []db.StatusEvent
	eventually(t, func() bool {
		left = nil
		list, err := d.StatusEvents(t.Context(), s.Seen.End(), 100)
		require.NoError(t, err)
		for _, e := range list {
			if !s.Seen.Has(e) {
				left = append(left, e)
			}
		}
		return len(left) > 0
	})
	require.Equal(t, []string{"a 1 running"}, told(left), "what the snapshot shows is not told again")

	open, err := d.OpenRunsSnapshot(t.Context(), repo.ID, 10)
	require.NoError(t, err)
	require.Len(t, open.Runs, 1)
	_, err = d.RunSnapshot(t.Context(), repo.ID+1, run.ID)
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestEventPlaces(t *testing.T) {
	p, ok := db.ParseEventPlace("12-7")
	require.True(t, ok)
	require.Equal(t, db.EventPlace{XID: 12, ID: 7}, p)
	for _, bad := range []string{"", "-", "1", "1-", "-1", "x-1", "01-1", "1-+1", "1-1-1", "99999999999999999999-1", "1 -1"} {
		_, ok := db.ParseEventPlace(bad)
		require.False(t, ok, bad)
	}
}

func TestEventsOfOneRunAndOneRepository(t *testing.T) {
	d := dbtest.Open(t)
	owner := dbtest.Owner(t, d)
	repo, other := dbtest.Repository(t, d, owner), dbtest.Repository(t, d, owner)
	one, _ := dbtest.Run(t, d, repo, dbtest.Job("a"))
	dbtest.Run(t, d, repo, dbtest.Job("b"))
	dbtest.Run(t, d, other, dbtest.Job("c"))
	all := events(t, d, db.EventPlace{}, 6)
	of := func(run int64, after, until db.EventPlace) []db.StatusEvent {
		list, err := d.RepoStatusEvents(t.Context(), repo.ID, run, after, until, 100)
		require.NoError(t, err)
		return list
	}
	end := all[5].Place
	require.Len(t, of(0, db.EventPlace{}, end), 4)
	require.Len(t, of(one.ID, db.EventPlace{}, end), 2)
	require.Len(t, of(one.ID, all[0].Place, end), 1)
	require.Len(t, of(0, db.EventPlace{}, all[0].Place), 1)

	complete, err := d.EventsSince(t.Context(), all[0].Place)
	require.NoError(t, err)
	require.True(t, complete)
	_, err = d.Pool.Exec(t.Context(), `DELETE FROM status_events WHERE (xid, id) IN (SELECT xid, id FROM status_events ORDER BY xid, id LIMIT 2)`)
	require.NoError(t, err)
	for place, want := range map[db.EventPlace]bool{all[0].Place: false, all[2].Place: true, end: true, {XID: 1 << 60}: false} {
		complete, err = d.EventsSince(t.Context(), place)
		require.NoError(t, err)
		require.Equal(t, want, complete, place)
	}
}

func TestOldEventsAreSwept(t *testing.T) {
	d := dbtest.Open(t)
	dbtest.Run(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), dbtest.Job("a"))
	all := events(t, d, db.EventPlace{}, 2)
	age := func(interval string) {
		_, err := d.Pool.Exec(t.Context(), `UPDATE status_events SET at = now() - $1::text::interval`, interval)
		require.NoError(t, err)
	}
	sweep := func(limit int) int {
		n, err := d.SweepStatusEvents(t.Context(), time.Hour, limit)
		require.NoError(t, err)
		return n
	}
	age("2 hours")
	require.Zero(t, sweep(10), "nobody has read them")
	from, err := d.HoldEvents(t.Context(), "hooks", "me")
	require.NoError(t, err)
	require.NoError(t, d.FanOut(t.Context(), "hooks", "me", from, all[0].Place, nil))
	require.Equal(t, 1, sweep(10))
	age("4 hours")
	require.Equal(t, 1, sweep(10), "a reader that stands still does not hold them for ever")
	require.Zero(t, sweep(10))
}

func TestOneReadsTheEventsAtATime(t *testing.T) {
	d := dbtest.Open(t)
	hold := func(holder string) (db.EventPlace, error) { return d.HoldEvents(t.Context(), "hooks", holder) }
	from, err := hold("a")
	require.NoError(t, err)
	_, err = hold("b")
	require.ErrorIs(t, err, db.ErrNotHolder)
	to := db.EventPlace{XID: 5, ID: 1}
	require.NoError(t, d.FanOut(t.Context(), "hooks", "a", from, to, nil))
	require.ErrorIs(t, d.FanOut(t.Context(), "hooks", "a", from, to, nil), db.ErrNotHolder, "read already")
	again, err := hold("a")
	require.NoError(t, err)
	require.Equal(t, to, again)
	// The holder is gone.
	_, err = d.Pool.Exec(t.Context(), `UPDATE event_readers SET held_until = now() - interval '1 s'`)
	require.NoError(t, err)
	taken, err := hold("b")
	require.NoError(t, err)
	require.Equal(t, to, taken)
	require.ErrorIs(t, d.FanOut(t.Context(), "hooks", "a", to, db.EventPlace{XID: 6}, nil), db.ErrNotHolder)
	_, err = hold("a")
	require.ErrorIs(t, err, db.ErrNotHolder)
	_, err = d.Pool.Exec(t.Context(), `UPDATE event_readers SET held_until = now() + interval '5 s'`)
	require.NoError(t, err)
	_, err = hold("b")
	require.NoError(t, err, "it renews its lease")
	require.NoError(t, d.ReleaseEvents(t.Context(), "hooks", "a"), "who has none changes nothing")
	_, err = hold("a")
	require.ErrorIs(t, err, db.ErrNotHolder)
	require.NoError(t, d.ReleaseEvents(t.Context(), "hooks", "b"))
	require.Eventually(t, func() bool { _, err := hold("a"); return err == nil }, time.Minute, time.Millisecond)
}

// A dump that is restored elsewhere has numbers of transactions that are still to come there.
func TestARestoredLogIsMended(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	dbtest.Run(t, d, repo, dbtest.Job("read"))
	_, err := d.Pool.Exec(t.Context(), `UPDATE status_events SET xid = (xid::text::bigint + 1000000000)::text::xid8`)
	require.NoError(t, err)
	_, err = d.Pool.Exec(t.Context(), `UPDATE event_readers SET (xid, id) = (SELECT xid, id FROM status_events ORDER BY xid DESC, id DESC LIMIT 1)`)
	require.NoError(t, err)
	_, err = d.Pool.Exec(t.Context(), `INSERT INTO status_events (xid, repo_id, owner_id, run_id, attempt, status)
		SELECT max(xid), 1, 1, 77, 1, 'waiting' FROM status_events`)
	require.NoError(t, err)

	mended, err := d.MendStatusEvents(t.Context())
	require.NoError(t, err)
	require.True(t, mended)
	dbtest.Run(t, d, repo, dbtest.Job("new"))
	from, err := d.HoldEvents(t.Context(), "hooks", "me")
	require.NoError(t, err)
	got := events(t, d, from, 3)
	require.EqualValues(t, 77, got[0].RunID, "what was not read yet is read first")
	require.Equal(t, []string{"run 1 waiting*", "new 1 waiting*"}, told(got[1:]))
	mended, err = d.MendStatusEvents(t.Context())
	require.NoError(t, err)
	require.False(t, mended)
}
