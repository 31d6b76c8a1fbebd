package trigger_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// grouped is a workflow with a concurrency group.
func grouped(concurrency string) string {
	return "on: [push, workflow_dispatch]\nconcurrency: " + concurrency + "\njobs:\n  a: {runs-on: linux, steps: [{run: x}]}\n"
}

// statuses are those of the run, its attempt and the attempt's jobs.
func (f *fixture) statuses(t *testing.T, id int64, attempt int) []ci.Status {
	t.Helper()
	run := &db.Run{ID: id}
	require.NoError(t, f.db.NewSelect().Model(run).WherePK().Scan(t.Context()))
	a, err := f.db.Attempt(t.Context(), id, attempt)
	require.NoError(t, err)
	out := []ci.Status{run.Status, a.Status}
	for _, j := range f.jobs(t, run, attempt) {
		out = append(out, j.Status)
	}
	return out
}

func TestRunsEnterTheirGroupWhenTheyAreMade(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("deploy-${{ github.ref_name }}"), "One")
	first := f.latest(t)
	require.Equal(t, []ci.Status{ci.StatusWaiting, ci.StatusWaiting, ci.StatusWaiting}, f.statuses(t, first.ID, 1))
	attempt, err := f.db.Attempt(t.Context(), first.ID, 1)
	require.NoError(t, err)
	require.Equal(t, &ci.Concurrency{Group: "deploy-main"}, attempt.Concurrency)

	second := f.dispatch(t, "ci.yml")
	require.Equal(t, ci.StatusBlocked, second.Status)
	require.Equal(t, []ci.Status{ci.StatusBlocked, ci.StatusBlocked, ci.StatusBlocked}, f.statuses(t, second.ID, 1))
	require.Len(t, f.engine.started, 2, "its workflow waits")
	require.Empty(t, f.engine.wakes())

	third := f.dispatch(t, "ci.yml")
	require.Equal(t, []db.RunRef{{RunID: second.ID, Attempt: 1}}, f.engine.wakes(), "who was replaced hears of it")
	require.Equal(t, []ci.Status{ci.StatusBlocked, ci.StatusBlocked, ci.StatusBlocked}, f.statuses(t, third.ID, 1))
	f.git(t, "push", "-q", "origin", "main:other")
	require.Equal(t, ci.StatusWaiting, f.latest(t).Status, "another group")

	f.end(t, first, 1, ci.StatusFailure, db.JobEnd{JobID: f.jobs(t, first, 1)[0].ID, Status: ci.StatusFailure})
	require.NoError(t, f.db.BlockAttempt(t.Context(), attempt.ID))
	again, err := f.rerun(t, &f.runs(t)[0])
	require.NoError(t, err)
	require.Equal(t, ci.StatusBlocked, again.Run.Status, "a rerun enters again")
	require.Equal(t, []ci.Status{ci.StatusBlocked, ci.StatusBlocked, ci.StatusBlocked}, f.statuses(t, first.ID, 2))
}

func TestANewRunHasTheOldOneCancelled(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("{group: g, cancel-in-progress: true}"), "One")
	f.push(t, "x", "x", "Two")
	runs := f.runs(t)
	require.Equal(t, []db.RunRef{{RunID: runs[0].ID, Attempt: 1}}, f.engine.wakes())
	require.Equal(t, ci.StatusBlocked, runs[1].Status, "until the old one has ended")
}

func TestOnlyWhoStillWaitsIsBlocked(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("g"), "One")
	first, second := f.latest(t), f.dispatch(t, "ci.yml")
	f.exec(t, `UPDATE attempts SET status = 'waiting'; UPDATE jobs SET status = 'waiting'`)
	f.end(t, first, 1, ci.StatusSuccess) // and the second is let in
	attempt, err := f.db.Attempt(t.Context(), second.ID, 1)
	require.NoError(t, err)
	require.NoError(t, f.db.BlockAttempt(t.Context(), attempt.ID))
	require.Equal(t, ci.StatusWaiting, f.statuses(t, second.ID, 1)[1])
}

func TestAGroupIsEvaluatedAnewForARerun(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("attempt-${{ github.run_attempt }}-${{ github.triggering_actor }}"), "One")
	run := f.latest(t)
	f.end(t, run, 1, ci.StatusFailure, db.JobEnd{JobID: f.jobs(t, run, 1)[0].ID, Status: ci.StatusFailure})
	f.owner = f.person(t, "zoe")
	_, err := f.rerun(t, f.latest(t))
	require.NoError(t, err)
	for number, want := range map[int]string{1: "attempt-1-ann", 2: "attempt-2-zoe"} {
		a, err := f.db.Attempt(t.Context(), run.ID, number)
		require.NoError(t, err)
		require.Equal(t, want, a.Concurrency.Group)
	}
}

func TestAnEmptyGroupIsNone(t *testing.T) {
	for _, group := range []string{`""`, `"${{ github.head_ref }}"`, `"\0"`} {
		t.Run(group, func(t *testing.T) {
			f := newFixture(t)
			f.push(t, file, grouped("{group: "+group+"}"), "One")
			a, err := f.db.Attempt(t.Context(), f.latest(t).ID, 1)
			require.NoError(t, err)
			require.Nil(t, a.Concurrency)
		})
	}
}

func TestRunsAreStoredWhileTemporalCannotBeTold(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("g"), "One")
	f.engine.down = errors.New("temporal is away")
	for i := range 3 {
		f.push(t, "x", fmt.Sprint(i), "More")
	}
	require.Len(t, f.runs(t), 4)
	require.Equal(t, 1, len(f.engine.started))
	unseen, err := f.db.UnstartedAttempts(t.Context(), 0, 10)
	require.NoError(t, err)
	require.NotEmpty(t, unseen)
}
