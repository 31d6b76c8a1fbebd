package db_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestReleaseTaskSparesConfirmedTasks(t *testing.T) {
	d := dbtest.Open(t)
	gone, confirmed := claimedTask(t, d), claimedTask(t, d)
	report(t, d, db.Report{TaskID: confirmed.TaskID})
	ended, err := d.ReleaseTask(t.Context(), gone.TaskID, "gone")
	require.NoError(t, err)
	require.Equal(t, []db.TaskEnded{{TaskID: gone.TaskID, JobID: gone.JobID, Status: db.TaskLost, Cause: db.CauseUnconfirmed, Reason: "gone"}}, ended)
	task := readTask(t, d, gone.TaskID)
	require.Equal(t, db.TaskLost, task.Status)
	require.False(t, task.DeliveredAt.IsZero())

	for range 2 {
		ended, err = d.ReleaseTask(t.Context(), confirmed.TaskID, "gone")
		require.NoError(t, err)
		require.Empty(t, ended)
	}
	require.Equal(t, db.TaskRunning, readTask(t, d, confirmed.TaskID).Status)
}

func TestLoseRunnerTasks(t *testing.T) {
	d := dbtest.Open(t)
	running, cancelling, other := claimedTask(t, d), claimedTask(t, d), claimedTask(t, d)
	runner := readTask(t, d, running.TaskID).RunnerID
	_, err := d.Exec("UPDATE tasks SET runner_id = ? WHERE id = ?", runner, cancelling.TaskID)
	require.NoError(t, err)
	_, err = d.Exec("UPDATE tasks SET status = 'cancelling', cancel_requested_at = now() WHERE id = ?", cancelling.TaskID)
	require.NoError(t, err)
	report(t, d, db.Report{TaskID: running.TaskID, Complete: true, Steps: []db.Step{{Status: ci.StatusSuccess}, {Index: 1, Status: ci.StatusRunning}}})
	_, err = d.Supervise(t.Context(), running.TaskID)
	require.NoError(t, err)

	ended, err := d.LoseRunnerTasks(t.Context(), runner, "restarted")
	require.NoError(t, err)
	require.Equal(t, []db.TaskEnded{
		{TaskID: running.TaskID, JobID: running.JobID, Status: db.TaskLost, Cause: db.CauseLost, Reason: "restarted", Attached: true, Supervised: true},
		{TaskID: cancelling.TaskID, JobID: cancelling.JobID, Status: db.TaskCancelled, Reason: "restarted"},
	}, ended)
	task := readTask(t, d, running.TaskID)
	require.Equal(t, ci.StatusSuccess, task.Steps[0].Status)
	require.Equal(t, ci.StatusFailure, task.Steps[1].Status)
	require.True(t, task.DeliveredAt.IsZero(), "its workflow has to be told")
	require.Equal(t, db.TaskRunning, readTask(t, d, other.TaskID).Status)
}

func TestLoseUnconfirmed(t *testing.T) {
	d := dbtest.Open(t)
	old, fresh, confirmed := claimedTask(t, d), claimedTask(t, d), claimedTask(t, d)
	report(t, d, db.Report{TaskID: confirmed.TaskID})
	_, err := d.Exec("UPDATE tasks SET claimed_at = now() - interval '1 minute' WHERE id IN (?, ?)", old.TaskID, confirmed.TaskID)
	require.NoError(t, err)
	lose := func() []db.TaskEnded {
		ended, err := d.LoseUnconfirmed(t.Context(), 30*time.Second, 10, "never confirmed")
		require.NoError(t, err)
		return ended
	}
	require.Empty(t, lose(), "no gateway has been up at all")
	require.NoError(t, d.TouchUptime(t.Context()))
	require.Empty(t, lose(), "the gateway has come up too late for the runner to confirm")
	_, err = d.Exec("UPDATE gateway_uptime SET since = now() - interval '1 hour'")
	require.NoError(t, err)
	ended := lose()
	require.Len(t, ended, 1)
	require.Equal(t, old.TaskID, ended[0].TaskID)
	require.Equal(t, db.TaskRunning, readTask(t, d, fresh.TaskID).Status)
	require.Empty(t, lose())
}

func TestUptimeBeginsAnewAfterAGap(t *testing.T) {
	d := dbtest.Open(t)
	since := func() (at time.Time) {
		require.NoError(t, d.TouchUptime(t.Context()))
		require.NoError(t, d.NewRaw("SELECT since FROM gateway_uptime").Scan(t.Context(), &at))
		return at
	}
	first := since()
	require.Equal(t, first, since())
	_, err := d.Exec("UPDATE gateway_uptime SET seen_at = now() - interval '11 seconds'")
	require.NoError(t, err)
	require.True(t, since().After(first))
}

func TestUnattendedTasks(t *testing.T) {
	d := dbtest.Open(t)
	attached, supervised, alone := claimedTask(t, d), claimedTask(t, d), claimedTask(t, d)
	_, err := d.Attach(t.Context(), attached.JobID, 1)
	require.NoError(t, err)
	_, err = d.Supervise(t.Context(), supervised.TaskID)
	require.NoError(t, err)
	got, err := d.UnattendedTasks(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Equal(t, []db.TaskRef{{TaskID: attached.TaskID, JobID: attached.JobID}}, got)
	got, err = d.UnattendedTasks(t.Context(), time.Minute, 10)
	require.NoError(t, err)
	require.Empty(t, got)
	require.Equal(t, db.TaskRunning, readTask(t, d, alone.TaskID).Status)
}

func TestOneSweepsAtATime(t *testing.T) {
	d := dbtest.Open(t)
	called, err := d.TrySweep(t.Context(), func(ctx context.Context) error {
		inner, err := d.TrySweep(ctx, func(context.Context) error { return nil })
		require.False(t, inner)
		return err
	})
	require.NoError(t, err)
	require.True(t, called)
	called, err = d.TrySweep(t.Context(), func(context.Context) error { return nil })
	require.NoError(t, err)
	require.True(t, called)
}

func TestQueueStats(t *testing.T) {
	d := dbtest.Open(t)
	stats, err := d.QueueStats(t.Context())
	require.NoError(t, err)
	require.Zero(t, stats)
	claimedTask(t, d)
	offered := claimedTask(t, d)
	require.NoError(t, d.OfferAgain(t.Context(), db.OfferAgain{JobID: offered.JobID, Try: 2}))
	stats, err = d.QueueStats(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, stats.Depth)
	require.Greater(t, stats.Oldest, time.Duration(0))
}
