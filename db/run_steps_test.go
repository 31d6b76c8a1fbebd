package db_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestLoadPlanMarksTheWorkflowAsSeen(t *testing.T) {
	f := newFixture(t)
	_, attempt := f.run(t, job("a"), job("b", "a"))
	plan, err := f.LoadPlan(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.Len(t, plan.Jobs, 2)
	require.Equal(t, []string{"a"}, plan.Jobs[1].Needs)
	f.reload(t, attempt)
	require.False(t, attempt.WorkflowSeenAt.IsZero())
	_, err = f.LoadPlan(t.Context(), 404)
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestRecordStepMayBeRepeated(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b", "a")
	run, attempt := f.run(t, a, b)
	step := db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Offered: []int64{b.ID}, CancelSeen: true,
		Ended: []db.JobEnd{{JobID: a.ID, Status: ci.StatusFailure, Reason: "why"}},
	}
	f.record(t, step)
	f.record(t, step)
	f.reload(t, b)
	require.Equal(t, ci.StatusWaiting, b.Status)
	last := db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure,
		Ended: []db.JobEnd{{JobID: b.ID, Status: ci.StatusSkipped}},
	}
	f.record(t, last)
	f.reload(t, run)
	first := run.StoppedAt
	f.record(t, step)
	f.record(t, last)

	f.reload(t, run)
	f.reload(t, attempt)
	f.reload(t, a)
	f.reload(t, b)
	require.Equal(t, ci.StatusFailure, run.Status)
	require.Equal(t, first, run.StoppedAt, "the end of a run never moves")
	require.Equal(t, ci.StatusFailure, attempt.Status)
	require.False(t, attempt.CancelSeenAt.IsZero())
	require.Equal(t, "why", a.Reason)
	require.Equal(t, ci.StatusSkipped, b.Status)
	n, err := f.NewSelect().Model((*db.Offer)(nil)).Where("job_id = ?", b.ID).Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestOffersTellTheGateways(t *testing.T) {
	f := newFixture(t)
	conn, err := f.Pool.Acquire(t.Context())
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "LISTEN pawl_offers")
	require.NoError(t, err)

	a, b := job("a"), job("b")
	f.run(t, a, b)
	f.offer(t, a, b)
	n, err := conn.Conn().WaitForNotification(t.Context())
	require.NoError(t, err)
	require.JSONEq(t, `[{"s":1,"o":1,"r":1,"n":2}]`, n.Payload)
}

func TestACancelledRunMakesNoOffersButForJobsWithAnIf(t *testing.T) {
	f := newFixture(t)
	plain, always := job("plain"), job("always")
	always.IfExpr = "always()"
	run, _ := f.run(t, plain, always)
	f.cancel(t, run)
	f.offer(t, plain, always)

	o, err := f.Attach(t.Context(), plain.ID, 1)
	require.NoError(t, err)
	require.Equal(t, db.OfferWithdrawn, o.State)
	o, err = f.Attach(t.Context(), always.ID, 1)
	require.NoError(t, err)
	require.Equal(t, db.OfferQueued, o.State)
}

func TestAttachFollowsAnOffer(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	f.run(t, a)
	f.offer(t, a)

	o, err := f.Attach(t.Context(), a.ID, 1)
	require.NoError(t, err)
	require.Equal(t, db.OfferTask{State: db.OfferQueued, Waited: o.Waited}, o)

	task := f.claim(t, a, f.runner(t))
	require.True(t, task.Attached, "a claim takes over that the workflow watches")
	o, err = f.Attach(t.Context(), a.ID, 1)
	require.NoError(t, err)
	require.Equal(t, []any{db.OfferClaimed, task.ID, db.TaskRunning}, []any{o.State, o.TaskID, o.Status})

	o, err = f.Supervise(t.Context(), task.ID)
	require.NoError(t, err)
	require.Equal(t, db.TaskRunning, o.Status)
	f.reload(t, task)
	require.True(t, task.Supervised)
}

func TestEndTask(t *testing.T) {
	for name, c := range map[string]struct {
		claimed, capable bool
		mode             db.EndMode
		want             db.OfferTask
	}{
		"queued":                   {mode: db.EndGraceful, want: db.OfferTask{State: db.OfferWithdrawn}},
		"running":                  {claimed: true, mode: db.EndGraceful, want: db.OfferTask{State: db.OfferClaimed, Status: db.TaskCancelled, Reason: "why"}},
		"running, capable":         {claimed: true, capable: true, mode: db.EndGraceful, want: db.OfferTask{State: db.OfferClaimed, Status: db.TaskCancelling}},
		"running, capable, forced": {claimed: true, capable: true, mode: db.EndForced, want: db.OfferTask{State: db.OfferClaimed, Status: db.TaskCancelled, Reason: "why"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a := job("a")
			f.run(t, a)
			f.offer(t, a)
			var task *db.Task
			if c.claimed {
				var capabilities []string
				if c.capable {
					capabilities = []string{db.CapabilityCancelling}
				}
				task = f.claim(t, a, f.runner(t, capabilities...))
				c.want.TaskID = task.ID
			}
			got, err := f.EndTask(t.Context(), a.ID, c.mode, "why")
			require.NoError(t, err)
			got.Running = 0
			require.Equal(t, c.want, got)
			again, err := f.EndTask(t.Context(), a.ID, c.mode, "other")
			require.NoError(t, err)
			require.Equal(t, got.Status, again.Status)
			require.Equal(t, got.Reason, again.Reason, "the first end stays")
			if got.Status == db.TaskCancelled {
				f.reload(t, task)
				require.Equal(t, ci.StatusSuccess, task.Steps[0].Status)
				require.Equal(t, ci.StatusCancelled, task.Steps[1].Status, "open steps take the status of their task")
			}
		})
	}
}

func TestTakeBack(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	run, _ := f.run(t, a)
	f.offer(t, a)
	state := func() db.OfferTask {
		o, err := f.TakeBack(t.Context(), a.ID, time.Hour)
		require.NoError(t, err)
		return o
	}
	wait := func() { f.exec(t, `UPDATE offers SET created_at = created_at - interval '61 min'`) }
	require.Equal(t, db.OfferQueued, state().State)
	wait()
	require.NoError(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID))
	require.True(t, state().Held)
	require.NoError(t, f.ResumeRun(t.Context(), run.ID, 1, f.owner.ID))
	o := state()
	require.Equal(t, db.OfferQueued, o.State, "the wait begins anew after a pause")
	require.Less(t, o.Waited, time.Minute)
	wait()
	attached, err := f.Attach(t.Context(), a.ID, 1)
	require.NoError(t, err)
	require.Greater(t, attached.Waited, time.Hour)
	require.Equal(t, db.OfferTask{State: db.OfferWithdrawn}, state())

	b := job("b")
	f.run(t, b)
	f.offer(t, b)
	f.claim(t, b, f.runner(t))
	wait()
	o, err = f.TakeBack(t.Context(), b.ID, time.Hour)
	require.NoError(t, err)
	require.Equal(t, db.TaskRunning, o.Status, "who has a runner keeps it")
}

func TestCheckTaskLosesOnlyWhatSomebodyCouldHaveHeard(t *testing.T) {
	for name, c := range map[string]struct {
		gateway string // SQL
		want    db.TaskStatus
	}{
		"no gateway ever":           {``, db.TaskRunning},
		"gateway gone":              {`INSERT INTO gateway_uptime VALUES (true, now() - interval '1 h', now() - interval '1 min')`, db.TaskRunning},
		"gateway just back":         {`INSERT INTO gateway_uptime VALUES (true, now() - interval '5 s', now())`, db.TaskRunning},
		"gateway up the whole time": {`INSERT INTO gateway_uptime VALUES (true, now() - interval '1 h', now())`, db.TaskLost},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			a := job("a")
			f.run(t, a)
			f.offer(t, a)
			task := f.claim(t, a, f.runner(t))
			_, err := f.NewRaw(`UPDATE tasks SET heartbeat_at = now() - interval '2 min'`).Exec(t.Context())
			require.NoError(t, err)
			if c.gateway != "" {
				_, err = f.NewRaw(c.gateway).Exec(t.Context())
				require.NoError(t, err)
			}
			got, err := f.CheckTask(t.Context(), task.ID, time.Minute)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Status)
		})
	}
}

func TestOfferAgainMakesANewOffer(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	f.run(t, a)
	f.offer(t, a)
	f.claim(t, a, f.runner(t))
	require.NoError(t, f.OfferAgain(t.Context(), db.OfferAgain{JobID: a.ID, Try: 2}))
	require.NoError(t, f.OfferAgain(t.Context(), db.OfferAgain{JobID: a.ID, Try: 2}))
	o, err := f.Attach(t.Context(), a.ID, 2)
	require.NoError(t, err)
	require.Equal(t, db.OfferQueued, o.State)
	f.reload(t, a)
	require.Equal(t, ci.StatusWaiting, a.Status)
}

func TestCheckTaskOfNoTask(t *testing.T) {
	f := newFixture(t)
	_, err := f.CheckTask(t.Context(), 999, time.Minute)
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestNothingIsOfferedOfWhatHasEnded(t *testing.T) {
	for name, end := range map[string]func(*fixture, *db.Run, *db.Attempt, *db.Job) db.RunStep{
		"the attempt": func(_ *fixture, r *db.Run, a *db.Attempt, _ *db.Job) db.RunStep {
			return db.RunStep{RunID: r.ID, AttemptID: a.ID, Status: ci.StatusFailure}
		},
		"the job": func(_ *fixture, r *db.Run, a *db.Attempt, j *db.Job) db.RunStep {
			return db.RunStep{RunID: r.ID, AttemptID: a.ID, Ended: []db.JobEnd{{JobID: j.ID, Status: ci.StatusFailure}}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			j := job("a")
			run, attempt := f.run(t, j)
			f.record(t, end(f, run, attempt, j))
			heard := f.listen(t)
			require.NoError(t, f.OfferAgain(t.Context(), db.OfferAgain{JobID: j.ID, Try: 1}))
			n, err := f.NewSelect().Model((*db.Offer)(nil)).Count(t.Context())
			require.NoError(t, err)
			require.Zero(t, n)
			require.Empty(t, heard())
		})
	}
}

func TestGatewaysHearOfQueuedOffersOnly(t *testing.T) {
	f := newFixture(t)
	queued, claimed := job("queued"), job("claimed")
	claimed.RunsOn = []string{"other"}
	f.run(t, queued, claimed)
	f.offer(t, queued, claimed)
	f.claim(t, claimed, f.runner(t))
	heard := f.listen(t)
	f.offer(t, queued, claimed) // a late retry
	notices := heard()
	require.Len(t, notices, 1)
	require.JSONEq(t, fmt.Sprintf(`[{"s":%d,"o":%d,"r":%d,"n":1}]`, queued.LabelSetID, f.owner.ID, f.repo.ID), notices[0])
}

// listen returns a function that tells which notices of offers have come since.
func (f *fixture) listen(t *testing.T) func() []string {
	t.Helper()
	conn, err := f.Pool.Acquire(t.Context())
	require.NoError(t, err)
	t.Cleanup(conn.Release)
	_, err = conn.Exec(t.Context(), "LISTEN "+db.OffersChannel)
	require.NoError(t, err)
	return func() (notices []string) {
		_, err := f.NewRaw("SELECT pg_notify(?, 'end')", db.OffersChannel).Exec(t.Context())
		require.NoError(t, err)
		for {
			n, err := conn.Conn().WaitForNotification(t.Context())
			require.NoError(t, err)
			if n.Payload == "end" {
				return notices
			}
			notices = append(notices, n.Payload)
		}
	}
}
