package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// enterCalled has the job enter the gate of the workflow that it calls.
func (g gated) enterCalled(t *testing.T, job *db.Job, c ci.Concurrency) db.GateAnswer {
	t.Helper()
	a, err := g.EnterGate(t.Context(), db.GateEntry{
		RepoID: g.run.RepoID, RunID: g.run.ID, AttemptID: g.attempt.ID, JobID: job.ID, Called: true, Concurrency: c,
	})
	require.NoError(t, err)
	return a
}

// A caller may be in two gates, its own and that of the workflow that it calls, and leaves both with its end.
func TestACallerIsInTwoGates(t *testing.T) {
	f := newFixture(t)
	first, second := f.gated(t), f.gated(t)
	other := ci.Concurrency{Group: "other"}
	require.Equal(t, db.GateHolding, first.enterJob(t, plain).State)
	require.Equal(t, db.GateHolding, first.enterCalled(t, first.job, other).State)
	require.Equal(t, db.GateHolding, first.enterCalled(t, first.job, other).State, "it is a member already")
	rows, err := f.GatesOf(t.Context(), first.attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []db.GateRow{
		{JobID: first.job.ID, State: db.GateHolding, Title: "deploy"}, {JobID: first.job.ID, Called: true, State: db.GateHolding, Title: "other"},
	}, rows)

	require.Equal(t, db.GatePending, second.enterJob(t, plain).State)
	answer := second.enterCalled(t, second.job, ci.Concurrency{Group: "other", CancelInProgress: true})
	require.Equal(t, db.GatePending, answer.State)
	require.Equal(t, []db.RunRef{first.ref()}, answer.Wake)
	news, err := f.ReadNews(t.Context(), first.attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []any{first.job.ID, db.GateLeaving}, []any{news.Gates[1].JobID, news.Gates[1].State}, "the job has to go, whatever gate it is in")

	refs := first.record(t, db.RunStep{RunID: first.run.ID, AttemptID: first.attempt.ID, Release: true,
		Ended: []db.JobEnd{{JobID: first.job.ID, Status: ci.StatusCancelled}}})
	require.Equal(t, []db.RunRef{second.ref()}, refs)
	require.Equal(t, db.GateHolding, second.enterJob(t, plain).State)
	require.Equal(t, db.GateHolding, second.enterCalled(t, second.job, other).State)
}

func TestWhoWouldWaitForItsOwnCallIsRefused(t *testing.T) {
	enter := map[string]func(*testing.T, gated, *db.Job, *db.Job) db.GateAnswer{
		"the run, and then the call": func(t *testing.T, g gated, caller, _ *db.Job) db.GateAnswer {
			g.enter(t, plain)
			return g.enterCalled(t, caller, plain)
		},
		"the caller, and then its call": func(t *testing.T, g gated, caller, _ *db.Job) db.GateAnswer {
			g.enterAs(t, caller.ID, plain)
			return g.enterCalled(t, caller, plain)
		},
		"the call, and then a job of it": func(t *testing.T, g gated, caller, child *db.Job) db.GateAnswer {
			g.enterCalled(t, caller, plain)
			return g.enterAs(t, child.ID, plain)
		},
		"the call, and then a call of a job of it": func(t *testing.T, g gated, caller, child *db.Job) db.GateAnswer {
			g.enterCalled(t, caller, plain)
			return g.enterCalled(t, child, plain)
		},
	}
	for name, do := range enter {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			caller, child := job("caller"), job("child")
			run, attempt := f.run(t, caller, child)
			_, err := f.NewRaw("UPDATE jobs SET parent_id = ? WHERE id = ?", caller.ID, child.ID).Exec(t.Context())
			require.NoError(t, err)
			answer := do(t, gated{f, run, attempt, caller}, caller, child)
			require.Equal(t, db.GateRefused, answer.State)
			require.Equal(t, `deadlock: its own run is in the concurrency group "deploy" already, so that it would wait for ever`, answer.Reason)
		})
	}
}

// A gate held for a call is mended as any other, should the caller have ended without leaving it.
func TestGatesOfCallsAreMended(t *testing.T) {
	f := newFixture(t)
	first, second := f.gated(t), f.gated(t)
	first.enterCalled(t, first.job, plain)
	second.enterCalled(t, second.job, plain)
	refs, err := f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, refs)
	_, err = f.NewRaw("UPDATE jobs SET stopped_at = now() WHERE id = ?", first.job.ID).Exec(t.Context())
	require.NoError(t, err)
	refs, err = f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{second.ref()}, refs)
}
