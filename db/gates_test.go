package db_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// gated is a run with one job, for the tests of gates.
type gated struct {
	*fixture
	run     *db.Run
	attempt *db.Attempt
	job     *db.Job
}

func (f *fixture) gated(t *testing.T) gated {
	t.Helper()
	j := job("a")
	run, attempt := f.run(t, j)
	return gated{f, run, attempt, j}
}

var (
	plain   = ci.Concurrency{Group: "deploy"}
	instead = ci.Concurrency{Group: "deploy", CancelInProgress: true}
	queued  = ci.Concurrency{Group: "deploy", QueueAll: true}
)

// enter has the whole attempt enter a gate, enterJob its job.
func (g gated) enter(t *testing.T, c ci.Concurrency) db.GateAnswer {
	t.Helper()
	return g.enterAs(t, 0, c)
}

func (g gated) enterJob(t *testing.T, c ci.Concurrency) db.GateAnswer {
	t.Helper()
	return g.enterAs(t, g.job.ID, c)
}

func (g gated) enterAs(t *testing.T, job int64, c ci.Concurrency) db.GateAnswer {
	t.Helper()
	a, err := g.EnterGate(t.Context(), db.GateEntry{RepoID: g.run.RepoID, RunID: g.run.ID, AttemptID: g.attempt.ID, JobID: job, Concurrency: c})
	require.NoError(t, err)
	return a
}

func (g gated) ref() db.RunRef { return db.RunRef{RunID: g.run.ID, Attempt: g.attempt.Number} }

// end ends the attempt, and returns who is woken.
func (g gated) end(t *testing.T) []db.RunRef {
	t.Helper()
	return g.record(t, db.RunStep{RunID: g.run.ID, AttemptID: g.attempt.ID, Status: ci.StatusSuccess, Release: true,
		Ended: []db.JobEnd{{JobID: g.job.ID, Status: ci.StatusSuccess}}})
}

// state is the state of the first place that the attempt or its job has, or nothing.
func (g gated) state(t *testing.T) db.GateState {
	t.Helper()
	rows, err := g.GatesOf(t.Context(), g.attempt.ID)
	require.NoError(t, err)
	if len(rows) == 0 {
		return ""
	}
	return rows[0].State
}

func (g gated) cancelReason(t *testing.T) string {
	t.Helper()
	g.reload(t, g.attempt)
	if g.attempt.CancelRequestedAt.IsZero() {
		return ""
	}
	return g.attempt.CancelReason
}

// news tells whether the attempt has news that it has not seen.
func (g gated) news(t *testing.T) bool {
	t.Helper()
	var unseen bool
	require.NoError(t, g.NewRaw("SELECT EXISTS (SELECT 1 FROM news WHERE attempt_id = ? AND n > seen)", g.attempt.ID).Scan(t.Context(), &unseen))
	return unseen
}

// Each cell of the table of execution-semantics.md §6 by GitHub's rule, and queue: max. Members enter in the order given;
// the states are those after the last.
func TestEnteringAGate(t *testing.T) {
	const holding, pending, leaving, replaced, refused = db.GateHolding, db.GatePending, db.GateLeaving, db.GateReplaced, db.GateRefused
	tests := []struct {
		name    string
		members []ci.Concurrency
		want    []db.GateState
	}{
		{"none active", []ci.Concurrency{plain}, []db.GateState{holding}},
		{"none active, cancel-in-progress", []ci.Concurrency{instead}, []db.GateState{holding}},
		{"none active, queue: max", []ci.Concurrency{queued}, []db.GateState{holding}},
		// The holder is safe although no runner has picked any of its jobs.
		{"held", []ci.Concurrency{plain, plain}, []db.GateState{holding, pending}},
		{"held, cancel-in-progress", []ci.Concurrency{plain, instead}, []db.GateState{leaving, pending}},
		{"held, queue: max", []ci.Concurrency{plain, queued}, []db.GateState{holding, pending}},
		{"one waits", []ci.Concurrency{plain, plain, plain}, []db.GateState{holding, replaced, pending}},
		{"one waits, cancel-in-progress", []ci.Concurrency{plain, plain, instead}, []db.GateState{leaving, replaced, pending}},
		{"one waits, queue: max", []ci.Concurrency{plain, plain, queued}, []db.GateState{holding, pending, pending}},
		{"one is told to stop", []ci.Concurrency{plain, instead, plain}, []db.GateState{leaving, replaced, pending}},
		{"one is told to stop, cancel-in-progress", []ci.Concurrency{plain, instead, instead}, []db.GateState{leaving, replaced, pending}},
		{"members of queue: max wait", []ci.Concurrency{queued, queued, queued, plain}, []db.GateState{holding, pending, pending, pending}},
		{"members of queue: max wait, cancel-in-progress", []ci.Concurrency{queued, queued, instead}, []db.GateState{leaving, pending, pending}},
		{"both kinds wait", []ci.Concurrency{queued, queued, plain, plain}, []db.GateState{holding, pending, replaced, pending}},
		{"another case", []ci.Concurrency{plain, {Group: "DEPLOY"}}, []db.GateState{holding, pending}},
		{"another group", []ci.Concurrency{plain, {Group: "deploy "}}, []db.GateState{holding, holding}},
	}
	for _, level := range []string{"workflow", "job", "both"} {
		for _, tt := range tests {
			t.Run(tt.name+"/"+level, func(t *testing.T) {
				f := newFixture(t)
				members := make([]gated, len(tt.members))
				var last db.GateAnswer
				for i, c := range tt.members {
					members[i] = f.gated(t)
					if level == "job" || level == "both" && i%2 == 0 {
						last = members[i].enterJob(t, c)
					} else {
						last = members[i].enter(t, c)
					}
				}
				require.Equal(t, tt.want[len(tt.want)-1], last.State)
				for i, m := range members {
					require.Equal(t, tt.want[i], m.state(t), "member %d", i)
					isOut := tt.want[i] == replaced || tt.want[i] == leaving
					require.Equal(t, isOut, m.news(t), "member %d: who is out has news", i)
					whole := level == "workflow" || level == "both" && i%2 == 1
					require.Equal(t, isOut && whole, m.cancelReason(t) != "", "member %d: an attempt that is out is cancelled", i)
				}
				require.NotEqual(t, refused, last.State)
			})
		}
	}
}

func TestWhoHasToMakeWayIsToldWhy(t *testing.T) {
	f := newFixture(t)
	holder, waiting, newest := f.gated(t), f.gated(t), f.gated(t)
	holder.enter(t, plain)
	answer := waiting.enter(t, plain)
	require.Equal(t, db.GateAnswer{State: db.GatePending, Reason: `run #1 holds the concurrency group "deploy"; place 1 in the queue`}, answer)
	answer = newest.enter(t, instead)
	require.ElementsMatch(t, []db.RunRef{holder.ref(), waiting.ref()}, answer.Wake)
	require.Equal(t, "cancelled by run #3 (cancel-in-progress)", holder.cancelReason(t))
	require.Equal(t, "replaced by run #3", waiting.cancelReason(t))
	rows, err := f.GatesOf(t.Context(), waiting.attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []db.GateRow{{State: db.GateReplaced, Reason: "replaced by run #3", Title: "deploy"}}, rows)

	require.Equal(t, []db.RunRef{newest.ref()}, holder.end(t))
	require.Equal(t, db.GateHolding, newest.state(t))
	require.True(t, newest.news(t))
	require.Empty(t, waiting.end(t), "who was replaced passes nothing on")
}

func TestAHolderThatIsToldToStopHasItsTasksCancelled(t *testing.T) {
	f := newFixture(t)
	holder, next := f.gated(t), f.gated(t)
	holder.enter(t, plain)
	f.offer(t, holder.job)
	task := f.claim(t, holder.job, f.runner(t))
	next.enter(t, instead)
	f.reload(t, task)
	require.Equal(t, db.TaskCancelled, task.Status)
	require.Equal(t, "cancelled by run #2 (cancel-in-progress)", task.Reason)
	require.Equal(t, db.GatePending, next.state(t), "it waits for the end of the holder")
}

func TestAnEntryMayBeRepeated(t *testing.T) {
	f := newFixture(t)
	holder, waiting, newest := f.gated(t), f.gated(t), f.gated(t)
	for range 2 {
		require.Equal(t, db.GateHolding, holder.enter(t, plain).State)
	}
	for range 2 {
		require.Equal(t, db.GatePending, waiting.enter(t, plain).State)
	}
	newest.enter(t, plain)
	again := waiting.enter(t, plain)
	require.Equal(t, db.GateAnswer{State: db.GateReplaced, Reason: "replaced by run #3"}, again, "it does not come back")
	require.Equal(t, db.GatePending, newest.state(t))
	holder.end(t)
	require.Equal(t, db.GateHolding, newest.enter(t, plain).State)
}

func TestTheQueueOfAGateIsFIFO(t *testing.T) {
	f := newFixture(t)
	holder := f.gated(t)
	holder.enter(t, queued)
	var waiting []gated
	for i := range 5 {
		m := f.gated(t)
		if i%2 == 0 {
			m.enterJob(t, queued)
		} else {
			m.enter(t, queued)
		}
		waiting = append(waiting, m)
	}
	for i, m := range waiting {
		require.Equal(t, []db.RunRef{m.ref()}, holder.end(t), "member %d", i)
		require.Equal(t, db.GateHolding, m.state(t), "member %d", i)
		holder = m
	}
	require.Empty(t, holder.end(t))
	require.Empty(t, holder.state(t))
}

func TestNoMoreThanTheMostWaitInAQueue(t *testing.T) {
	f := newFixture(t)
	f.gated(t).enter(t, queued)
	for range ci.MaxQueuedInGroup {
		require.Equal(t, db.GatePending, f.gated(t).enter(t, queued).State)
	}
	extra := f.gated(t)
	answer := extra.enter(t, queued)
	require.Equal(t, db.GateRefused, answer.State)
	require.Equal(t, `100 wait for the concurrency group "deploy", and no more may`, answer.Reason)
	require.Empty(t, extra.state(t))
}

func TestGatesOfRepositoriesAreTheirOwn(t *testing.T) {
	f := newFixture(t)
	other := &fixture{DB: f.DB, owner: f.owner, repo: dbtest.Repository(t, f.DB, f.owner)}
	require.Equal(t, db.GateHolding, f.gated(t).enter(t, plain).State)
	require.Equal(t, db.GateHolding, other.gated(t).enter(t, plain).State)
}

// An early rerun begins while the attempt before goes on; they never cancel each other.
func TestARunDoesNotCancelItself(t *testing.T) {
	f := newFixture(t)
	first := f.gated(t)
	first.enter(t, plain)
	j := job("a")
	attempt := &db.Attempt{RunID: first.run.ID, Number: 2, TriggerUserID: f.owner.ID, Status: ci.StatusWaiting}
	f.insert(t, attempt)
	require.NoError(t, f.NewRaw("SELECT id FROM attempts WHERE run_id = ? AND number = 2", first.run.ID).Scan(t.Context(), &attempt.ID))
	second := gated{f, first.run, attempt, j}
	require.Equal(t, db.GatePending, second.enter(t, instead).State)
	require.Equal(t, db.GateHolding, first.state(t))
	require.Empty(t, first.cancelReason(t))
	require.Equal(t, []db.RunRef{{RunID: first.run.ID, Attempt: 2}}, first.end(t))
}

// A job whose group its own attempt or caller is in would wait for ever.
func TestAJobThatWouldWaitForItself(t *testing.T) {
	for name, c := range map[string]struct {
		// holder tells which job, of caller, inner caller, job and sibling, is in the group before; "run" is the attempt.
		holder string
		// behind: somebody else holds the group, and the holder waits for it.
		behind bool
		want   db.GateState
	}{
		"its run holds it":             {holder: "run", want: db.GateRefused},
		"its run waits for it":         {holder: "run", behind: true, want: db.GateRefused},
		"its caller holds it":          {holder: "inner", want: db.GateRefused},
		"the caller's caller holds it": {holder: "caller", want: db.GateRefused},
		"a caller waits for it":        {holder: "caller", behind: true, want: db.GateRefused},
		"a sibling holds it":           {holder: "sibling", want: db.GatePending},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			jobs := map[string]*db.Job{"caller": job("caller"), "inner": job("inner"), "job": job("job"), "sibling": job("sibling")}
			jobs["caller"].Kind, jobs["inner"].Kind = ci.JobCall, ci.JobCall
			run, attempt := f.run(t, jobs["caller"], jobs["inner"], jobs["job"], jobs["sibling"])
			for child, parent := range map[string]string{"inner": "caller", "job": "inner", "sibling": "inner"} {
				_, err := f.NewRaw("UPDATE jobs SET parent_id = ? WHERE id = ?", jobs[parent].ID, jobs[child].ID).Exec(t.Context())
				require.NoError(t, err)
			}
			if c.behind {
				f.gated(t).enter(t, plain)
			}
			g := gated{f, run, attempt, jobs["job"]}
			var holder int64
			if c.holder != "run" {
				holder = jobs[c.holder].ID
			}
			g.enterAs(t, holder, plain)
			answer := g.enterJob(t, instead)
			require.Equal(t, c.want, answer.State)
			if c.want == db.GateRefused {
				require.Contains(t, answer.Reason, `its own run is in the concurrency group "deploy"`)
			}
		})
	}
}

func TestWhatHasEndedEntersNothing(t *testing.T) {
	f := newFixture(t)
	g := f.gated(t)
	f.record(t, db.RunStep{RunID: g.run.ID, AttemptID: g.attempt.ID, Ended: []db.JobEnd{{JobID: g.job.ID, Status: ci.StatusSuccess}}})
	require.Equal(t, db.GateRefused, g.enterJob(t, plain).State)
	require.Equal(t, db.GateHolding, g.enter(t, plain).State)
	g.end(t)
	require.Equal(t, db.GateRefused, g.enter(t, plain).State)
}

// Only the jobs that end leave their gates.
func TestJobsLeaveOneByOne(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b")
	run, attempt := f.run(t, a, b)
	g := gated{f, run, attempt, a}
	g.enterAs(t, a.ID, ci.Concurrency{Group: "a"})
	g.enterAs(t, b.ID, ci.Concurrency{Group: "b"})
	next := f.gated(t)
	next.enter(t, ci.Concurrency{Group: "a"})
	wake := f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Release: true, Ended: []db.JobEnd{{JobID: a.ID, Status: ci.StatusSuccess}}})
	require.Equal(t, []db.RunRef{next.ref()}, wake)
	rows, err := f.GatesOf(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []db.GateRow{{JobID: b.ID, State: db.GateHolding, Title: "b"}}, rows)
}

func TestMendGates(t *testing.T) {
	f := newFixture(t)
	wake, err := f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, wake)

	dead, next, last := f.gated(t), f.gated(t), f.gated(t)
	dead.enter(t, plain)
	next.enter(t, queued)
	last.enter(t, queued)
	wake, err = f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Empty(t, wake, "all is well")

	_, err = f.Exec("UPDATE attempts SET stopped_at = now() WHERE id = ?", dead.attempt.ID)
	require.NoError(t, err)
	wake, err = f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{next.ref()}, wake)
	require.Equal(t, db.GateHolding, next.state(t))

	_, err = f.Exec("DELETE FROM gate_entries WHERE attempt_id = ?", next.attempt.ID)
	require.NoError(t, err)
	wake, err = f.MendGates(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{last.ref()}, wake, "nobody held it")
}

// Thousands of members, of this group and others, of now and before, are never gone through.
func TestBigGatesAreFoundByIndex(t *testing.T) {
	f := newFixture(t)
	g := f.gated(t)
	for gate, states := range map[string]string{"deploy": "ARRAY['replaced']", "other": "ARRAY['pending', 'replaced']"} {
		_, err := f.Exec(`INSERT INTO gate_entries (repo_id, gate, title, run_id, attempt_id, job_id, state, queue)
			SELECT ?0, ?1, ?1, ?2, ?3, nextval('jobs_id_seq'), (`+states+`)[1 + i % cardinality(`+states+`)], 'max' FROM generate_series(1, 5000) i`,
			f.repo.ID, gate, g.run.ID, g.attempt.ID)
		require.NoError(t, err)
	}
	_, err := f.Exec("INSERT INTO gates SELECT ?, 'gate ' || i FROM generate_series(1, 5000) i", f.repo.ID)
	require.NoError(t, err)
	_, err = f.Exec("ANALYZE")
	require.NoError(t, err)

	one, list := []any{f.repo.ID, "deploy"}, []any{[]int64{f.repo.ID}, []string{"deploy"}}
	args := map[string][]any{"peers": one, "grant": list, "lock": list, "places": {g.attempt.ID, false, []int64{1, 2}}}
	tx, err := f.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(t.Context()) }()
	for _, mode := range []string{"force_generic_plan", "force_custom_plan"} {
		_, err = tx.Exec(t.Context(), "SET LOCAL plan_cache_mode = "+mode)
		require.NoError(t, err)
		for name, query := range db.HotGateQueries {
			rows, err := tx.Query(t.Context(), "EXPLAIN "+query, args[name]...)
			require.NoError(t, err)
			lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
			require.NoError(t, err)
			plan := strings.Join(lines, "\n")
			require.NotContains(t, plan, "Seq Scan", fmt.Sprintf("%s, %s", name, mode))
		}
	}
}
