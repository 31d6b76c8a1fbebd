package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// alert stores an alert of an attempt of its own.
func (f *fixture) alert(t *testing.T, attempt int64) (id int64) {
	t.Helper()
	require.NoError(t, f.NewRaw(`INSERT INTO alerts (kind, attempt_id, detail) VALUES ('job', ?, 'it broke') RETURNING id`, attempt).
		Scan(t.Context(), &id))
	return id
}

func (f *fixture) takeAlert(t *testing.T, kept bool) *db.Alert {
	t.Helper()
	a, err := f.TakeAlert(t.Context(), time.Minute, kept)
	require.NoError(t, err)
	return a
}

func TestAnAlertIsTakenByOneAtATime(t *testing.T) {
	f := newFixture(t)
	first, second := f.alert(t, 1), f.alert(t, 2)
	require.Equal(t, first, f.takeAlert(t, false).ID, "the oldest first")
	require.Equal(t, second, f.takeAlert(t, false).ID)
	require.Nil(t, f.takeAlert(t, false))
	require.NoError(t, f.AlertDelivered(t.Context(), first))
	_, err := f.Exec("UPDATE alerts SET next_at = now()")
	require.NoError(t, err)
	again := f.takeAlert(t, false)
	require.Equal(t, second, again.ID)
	require.Equal(t, 2, again.Tries)
	require.Nil(t, f.takeAlert(t, false))
}

// Whoever was slow changes nothing of what another has delivered meanwhile.
func TestADeliveredAlertStaysDelivered(t *testing.T) {
	f := newFixture(t)
	id := f.alert(t, 1)
	require.NoError(t, f.AlertDelivered(t.Context(), id))
	var at, later time.Time
	read := `SELECT delivered_at FROM alerts WHERE next_at < now()`
	require.NoError(t, f.NewRaw(read).Scan(t.Context(), &at))
	require.NoError(t, f.PutOffAlert(t.Context(), id, time.Hour))
	require.NoError(t, f.KeepAlert(t.Context(), id))
	require.NoError(t, f.AlertDelivered(t.Context(), id))
	require.NoError(t, f.NewRaw(read).Scan(t.Context(), &later))
	require.Equal(t, at, later)
}

func TestKeptAlertsWaitUntilTheyAreAskedFor(t *testing.T) {
	f := newFixture(t)
	kept, waiting := f.alert(t, 1), f.alert(t, 2)
	require.Equal(t, kept, f.takeAlert(t, false).ID)
	require.NoError(t, f.KeepAlert(t.Context(), kept))
	stats, err := f.AlertStats(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, stats.Waiting)
	require.Greater(t, stats.Oldest, time.Duration(0))
	require.Equal(t, waiting, f.takeAlert(t, true).ID, "others first")
	require.Nil(t, f.takeAlert(t, false))
	got := f.takeAlert(t, true)
	require.Equal(t, kept, got.ID)
	require.Equal(t, 1, got.Tries, "counted anew")
	require.Nil(t, f.takeAlert(t, true))
}

func TestSweepAlerts(t *testing.T) {
	f := newFixture(t)
	delivered, kept, waiting := f.alert(t, 1), f.alert(t, 2), f.alert(t, 3)
	require.NoError(t, f.AlertDelivered(t.Context(), delivered))
	require.NoError(t, f.KeepAlert(t.Context(), kept))
	sweep := func(limit int) (left []int64) {
		require.NoError(t, f.SweepAlerts(t.Context(), 24*time.Hour, limit))
		require.NoError(t, f.NewRaw("SELECT id FROM alerts ORDER BY id").Scan(t.Context(), &left))
		return left
	}
	require.Equal(t, []int64{delivered, kept, waiting}, sweep(10))
	_, err := f.Exec("UPDATE alerts SET at = at - interval '2 days', delivered_at = delivered_at - interval '2 days'")
	require.NoError(t, err)
	require.Equal(t, []int64{kept, waiting}, sweep(1))
	require.Equal(t, []int64{waiting}, sweep(10), "however long the webhook takes")
}
