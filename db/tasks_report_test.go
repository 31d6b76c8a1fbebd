package db_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// claimedTask makes a run of one job with two steps, and claims it.
func claimedTask(t testing.TB, d *db.DB) *db.Claimed {
	t.Helper()
	offeredJob(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), "linux")
	return mustClaim(t, d, newRunner(t, d, db.Scope{}, "linux"))
}

func readTask(t testing.TB, d *db.DB, id int64) *db.Task {
	t.Helper()
	task := &db.Task{}
	require.NoError(t, d.NewSelect().Model(task).Where("task.id = ?", id).Scan(t.Context()))
	return task
}

func report(t testing.TB, d *db.DB, r db.Report) db.TaskState {
	t.Helper()
	s, err := d.ReportTask(t.Context(), r)
	require.NoError(t, err)
	return s
}

func TestReportOfARunningTask(t *testing.T) {
	d := dbtest.Open(t)
	id := claimedTask(t, d).TaskID
	s := report(t, d, db.Report{TaskID: id, StartedAt: time.Now().Add(-time.Hour)})
	require.Equal(t, db.TaskRunning, s.Status)
	require.False(t, s.Ended)
	task := readTask(t, d, id)
	require.False(t, task.ConfirmedAt.IsZero())
	require.Equal(t, task.ClaimedAt, task.StartedAt, "a clock that is behind counts from the claim")

	report(t, d, db.Report{TaskID: id, Complete: true, Steps: []db.Step{{Index: 0, Status: ci.StatusRunning, StartedAt: task.ClaimedAt}, {Index: 1, Status: ci.StatusWaiting}}})
	report(t, d, db.Report{TaskID: id, Steps: []db.Step{{Index: 0, Status: ci.StatusSuccess, LogLength: 3}}})
	task = readTask(t, d, id)
	require.Equal(t, []db.Step{{Index: 0, Status: ci.StatusSuccess, LogLength: 3}, {Index: 1, Status: ci.StatusWaiting}}, task.Steps,
		"missing steps keep what was reported before")
	require.Zero(t, task.StoppedAt)
}

func TestFinalReport(t *testing.T) {
	d := dbtest.Open(t)
	id := claimedTask(t, d).TaskID
	s := report(t, d, db.Report{TaskID: id, Final: db.TaskFailure, StoppedAt: time.Now().Add(time.Hour), Complete: true,
		Steps: []db.Step{{Index: 0, Status: ci.StatusSuccess}, {Index: 1, Status: ci.StatusRunning}}})
	require.True(t, s.Ended)
	require.Equal(t, db.TaskFailure, s.Status)
	task := readTask(t, d, id)
	require.Equal(t, ci.StatusFailure, task.Steps[1].Status, "an open step ends with its task")
	require.WithinDuration(t, time.Now(), task.StoppedAt, 10*time.Second, "a clock that is ahead counts up to now")
	require.False(t, task.DeliveredAt.IsZero(), "nobody is attached: nobody has to be told")

	again := report(t, d, db.Report{TaskID: id, Final: db.TaskSuccess, Outputs: map[string]string{"late": "x"}})
	require.False(t, again.Ended)
	require.Equal(t, db.TaskFailure, again.Status, "the first end stays")
	require.Empty(t, again.SentOutputs)
	_, err := d.ReportTask(t.Context(), db.Report{TaskID: 1 << 40})
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestFinalReportOfAnAttachedTaskIsToBeDelivered(t *testing.T) {
	d := dbtest.Open(t)
	claimed := claimedTask(t, d)
	_, err := d.Supervise(t.Context(), claimed.TaskID)
	require.NoError(t, err)
	s := report(t, d, db.Report{TaskID: claimed.TaskID, Final: db.TaskSuccess})
	require.True(t, s.Supervised)

	waiting, err := d.Undelivered(t.Context(), 0, 0, 10)
	require.NoError(t, err)
	require.Equal(t, []db.TaskEnded{{TaskID: claimed.TaskID, JobID: claimed.JobID, Status: db.TaskSuccess, Attached: true, Supervised: true}}, waiting)
	none, err := d.Undelivered(t.Context(), claimed.TaskID, 0, 10)
	require.NoError(t, err)
	require.Empty(t, none)
	require.NoError(t, d.MarkDelivered(t.Context(), []int64{claimed.TaskID}))
	waiting, err = d.Undelivered(t.Context(), 0, 0, 10)
	require.NoError(t, err)
	require.Empty(t, waiting)
}

func TestAnyResultOfACancellingTaskIsCancelled(t *testing.T) {
	d := dbtest.Open(t)
	claimed := claimedTask(t, d)
	_, err := d.Exec("UPDATE tasks SET status = 'cancelling', cancel_requested_at = now()")
	require.NoError(t, err)
	s := report(t, d, db.Report{TaskID: claimed.TaskID, Complete: true, Steps: []db.Step{{Index: 0, Status: ci.StatusRunning}}})
	require.Equal(t, db.TaskCancelling, s.Status)
	require.True(t, s.CancelRequested)
	require.Len(t, readTask(t, d, claimed.TaskID).Steps, 1, "reports are still stored")
	s = report(t, d, db.Report{TaskID: claimed.TaskID, Final: db.TaskSuccess})
	require.Equal(t, db.TaskCancelled, s.Status)
}

func TestOutputs(t *testing.T) {
	d := dbtest.Open(t)
	id := claimedTask(t, d).TaskID
	s := report(t, d, db.Report{TaskID: id, Outputs: map[string]string{"b": "1", "a": "2"}})
	require.Equal(t, []string{"a", "b"}, s.SentOutputs)
	s = report(t, d, db.Report{TaskID: id, Outputs: map[string]string{"b": "other", "c": ""}})
	require.Equal(t, []string{"a", "b", "c"}, s.SentOutputs)
	var value string
	require.NoError(t, d.NewRaw("SELECT value FROM task_outputs WHERE key = 'b'").Scan(t.Context(), &value))
	require.Equal(t, "1", value, "the first value wins")

	many := map[string]string{}
	for i := range db.MaxTaskOutputs {
		many[fmt.Sprint(i)] = ""
	}
	require.Len(t, report(t, d, db.Report{TaskID: id, Outputs: many}).SentOutputs, 3, "too many in all: none is taken")
	for i := range 20 {
		report(t, d, db.Report{TaskID: id, Outputs: map[string]string{fmt.Sprint("big", i): strings.Repeat("x", 1<<20)}})
	}
	s, err := d.TaskState(t.Context(), id)
	require.NoError(t, err)
	require.Less(t, len(s.SentOutputs), 3+18, "the size of all is limited")
}

func TestEndOfAnEphemeralRunnersTaskRemovesIt(t *testing.T) {
	d := dbtest.Open(t)
	id := claimedTask(t, d).TaskID
	_, err := d.Exec("UPDATE runners SET is_ephemeral = true")
	require.NoError(t, err)
	removed := func() (n int) {
		require.NoError(t, d.NewRaw("SELECT count(*) FROM runners WHERE removed_at IS NOT NULL").Scan(t.Context(), &n))
		return n
	}
	report(t, d, db.Report{TaskID: id})
	require.Zero(t, removed())
	report(t, d, db.Report{TaskID: id, Final: db.TaskSuccess})
	require.Equal(t, 1, removed())
}

func TestTouchTask(t *testing.T) {
	d := dbtest.Open(t)
	claimed := claimedTask(t, d)
	supervised, err := d.TouchTask(t.Context(), claimed.TaskID)
	require.NoError(t, err)
	require.False(t, supervised)
	require.False(t, readTask(t, d, claimed.TaskID).ConfirmedAt.IsZero())
	_, err = d.Supervise(t.Context(), claimed.TaskID)
	require.NoError(t, err)
	supervised, err = d.TouchTask(t.Context(), claimed.TaskID)
	require.NoError(t, err)
	require.True(t, supervised)

	facts, err := d.TaskFacts(t.Context(), claimed.TaskID)
	require.NoError(t, err)
	require.Equal(t, 2, facts.Steps)
	require.Equal(t, claimed.JobID, facts.JobID)
	_, err = d.TaskFacts(t.Context(), 1<<40)
	require.ErrorIs(t, err, db.ErrNotFound)
}
