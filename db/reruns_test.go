package db_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// followOpen clones jobs as they are, and has the clones of open ones follow them.
func followOpen(jobs []*db.Job) ([]*db.Job, error) {
	clones := make([]*db.Job, len(jobs))
	for i, j := range jobs {
		clone := *j
		if j.StoppedAt.IsZero() && j.FollowsID == 0 {
			clone.FollowsID = j.ID
		}
		clones[i] = &clone
	}
	return clones, nil
}

// cloneUndone clones jobs as if nothing had become of them.
func cloneUndone(jobs []*db.Job) ([]*db.Job, error) {
	clones, err := followOpen(jobs)
	for _, j := range clones {
		j.Status, j.Reason, j.StoppedAt = j.InitialStatus(), "", time.Time{}
	}
	return clones, err
}

func (f *fixture) rerun(t *testing.T, run *db.Run, early bool) (*db.Attempt, error) {
	t.Helper()
	return f.CreateRerun(t.Context(), db.NewAttempt{Run: run, TriggerUserID: f.owner.ID, Early: early, Clone: followOpen})
}

func (f *fixture) jobsOf(t *testing.T, a *db.Attempt) []*db.Job {
	t.Helper()
	jobs, err := f.JobsOfAttempt(t.Context(), a.RunID, a.Number)
	require.NoError(t, err)
	return jobs
}

func TestRerunsOfTheSameAttemptConflict(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"))
	_, err := f.rerun(t, run, false)
	require.ErrorIs(t, err, db.ErrConflict, "the run is not done")
	require.Equal(t, 1, run.Attempt, "nothing has changed")

	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure})
	first, second, third := *run, *run, *run
	_, err = f.rerun(t, &first, false)
	require.NoError(t, err)
	require.Equal(t, []any{2, ci.StatusWaiting, true}, []any{first.Attempt, first.Status, first.StoppedAt.IsZero()})
	for _, early := range []bool{false, true} {
		_, err = f.rerun(t, &second, early)
		require.ErrorIs(t, err, db.ErrConflict)
	}
	refused := errors.New("refused")
	_, err = f.CreateRerun(t.Context(), db.NewAttempt{Run: &third, Early: true, Clone: func([]*db.Job) ([]*db.Job, error) { return nil, refused }})
	require.ErrorIs(t, err, refused)
}

func TestClonesNameEachOther(t *testing.T) {
	f := newFixture(t)
	late, caller, cell, child := job("late"), job("call"), job("late"), job("child")
	late.Kind, late.IsHidden, caller.Kind = ci.JobDeferred, true, ci.JobCall
	caller.CallSecrets, caller.Outputs = &ci.CallSecrets{Inherit: true}, map[string]string{"a": "b"}
	cell.Retry = &ci.Retry{MaxAttempts: 2}
	run, attempt := f.run(t, late, caller, cell, child)
	f.exec(t, `UPDATE jobs SET origin_id = ? WHERE id = ?`, late.ID, cell.ID)
	f.exec(t, `UPDATE jobs SET parent_id = ? WHERE id = ?`, caller.ID, child.ID)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure})
	f.exec(t, `UPDATE jobs SET stopped_at = now(), status = 'success'`)

	next, err := f.rerun(t, run, false)
	require.NoError(t, err)
	clones := f.jobsOf(t, next)
	require.Len(t, clones, 4)
	require.Equal(t, []int64{0, 0, clones[0].ID, 0}, []int64{clones[0].OriginID, clones[1].OriginID, clones[2].OriginID, clones[3].OriginID})
	require.Equal(t, []int64{0, 0, 0, clones[1].ID}, []int64{clones[0].ParentID, clones[1].ParentID, clones[2].ParentID, clones[3].ParentID})
	require.NotEqual(t, late.ID, clones[0].ID)
	for i, c := range clones {
		require.Equal(t, []any{i, next.ID, 2, late.LabelSetID}, []any{c.Cell, c.AttemptID, c.Attempt, c.LabelSetID})
	}
	require.Equal(t, []any{ci.JobCall, caller.CallSecrets, caller.Outputs}, []any{clones[1].Kind, clones[1].CallSecrets, clones[1].Outputs})
	require.Equal(t, []any{cell.Retry, (*ci.Retry)(nil)}, []any{clones[2].Retry, clones[3].Retry})

	_, err = f.CreateRerun(t.Context(), db.NewAttempt{Run: run, Early: true, Clone: func(jobs []*db.Job) ([]*db.Job, error) {
		return jobs[3:], nil
	}})
	require.ErrorContains(t, err, "without its caller")
}

func TestARerunKeepsItsFilesUnlessItHasOthers(t *testing.T) {
	f := newFixture(t)
	run := newRun(f)
	require.NoError(t, f.PrepareRun(t.Context(), run))
	files := []*db.AttemptFile{
		{N: 0, RepoID: f.repo.ID, Repository: "a/b", Path: "ci.yml", Ref: "refs/heads/main", SHA: sha1, Content: []byte("own"), Calls: map[string]db.CallTarget{
			"./x.yml": {File: 1}, "./y.yml": {Problem: "was not found"},
		}},
		{N: 1, RepoID: f.repo.ID, Repository: "a/b", Path: "x.yml", Ref: "refs/heads/main", SHA: sha1, Content: []byte{}},
	}
	gate := &ci.Concurrency{Group: "g", QueueAll: true}
	attempt, err := f.CreateRun(t.Context(), db.NewRun{Run: run, Jobs: []*db.Job{job("a")}, Files: files, Concurrency: gate})
	require.NoError(t, err)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure})
	stored, err := f.Attempt(t.Context(), run.ID, 1)
	require.NoError(t, err)
	require.Equal(t, gate, stored.Concurrency)
	_, err = f.Attempt(t.Context(), run.ID, 2)
	require.ErrorIs(t, err, db.ErrNotFound)

	again, err := f.rerun(t, run, false)
	require.NoError(t, err)
	stored, err = f.Attempt(t.Context(), run.ID, 2)
	require.NoError(t, err)
	require.Nil(t, stored.Concurrency)
	copied, err := f.AttemptFiles(t.Context(), again.ID)
	require.NoError(t, err)
	require.Len(t, copied, 2)
	require.Equal(t, []any{files[0].Calls, "own", sha1, again.ID}, []any{copied[0].Calls, string(copied[0].Content), copied[0].SHA, copied[0].AttemptID})

	f.record(t, db.RunStep{RunID: run.ID, AttemptID: again.ID, Status: ci.StatusFailure})
	third, err := f.CreateRerun(t.Context(), db.NewAttempt{Run: run, Files: files[:1], Clone: followOpen})
	require.NoError(t, err)
	own, err := f.AttemptFiles(t.Context(), third.ID)
	require.NoError(t, err)
	require.Len(t, own, 1)
}

func TestARerunOfWhatNobodyApprovedWaitsAgain(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"), job("b", "a"))
	f.exec(t, `UPDATE runs SET approval = 'needed'`)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusCancelled})
	_, err := f.ApproveRun(t.Context(), run.ID, f.owner.ID)
	require.ErrorIs(t, err, db.ErrFinished)

	again, err := f.CreateRerun(t.Context(), db.NewAttempt{Run: run, TriggerUserID: f.owner.ID, Clone: cloneUndone})
	require.NoError(t, err)
	require.Equal(t, []ci.Status{ci.StatusBlocked, ci.StatusBlocked}, []ci.Status{run.Status, again.Status})
	require.Equal(t, ci.StatusBlocked, f.jobsOf(t, again)[0].Status)
	wake, err := f.ApproveRun(t.Context(), run.ID, f.owner.ID)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 2}}, wake)
}

// TestNoEndIsMissed lets jobs end while early reruns are made that follow them: each end is either in the new attempt,
// or news to it.
func TestNoEndIsMissed(t *testing.T) {
	f := newFixture(t)
	const jobs, rounds = 6, 8
	for round := range rounds {
		var rows []*db.Job
		for i := range jobs {
			rows = append(rows, job(fmt.Sprintf("j%d", i)))
		}
		run, attempt := f.run(t, rows...)
		var group errgroup.Group
		for i := range jobs / 2 {
			ended := []db.JobEnd{{JobID: rows[jobs-1-i].ID, Status: ci.StatusSuccess}, {JobID: rows[i].ID, Status: ci.StatusFailure}}
			group.Go(func() error {
				_, err := f.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Ended: ended})
				return err
			})
		}
		group.Go(func() error {
			for range 3 {
				_, err := f.CreateRerun(t.Context(), db.NewAttempt{Run: run, Early: true, Clone: followOpen})
				if err != nil {
					return err
				}
			}
			return nil
		})
		require.NoError(t, group.Wait(), "round %d", round)
		f.nothingMissed(t, run)
	}
}

// nothingMissed holds that who follows a job that has ended either knows or will be told.
func (f *fixture) nothingMissed(t *testing.T, run *db.Run) {
	t.Helper()
	var missed []int64
	err := f.NewRaw(`SELECT j.id FROM jobs j JOIN jobs s ON s.id = j.follows_id LEFT JOIN news n ON n.attempt_id = j.attempt_id
		WHERE j.run_id = ? AND j.stopped_at IS NULL AND s.stopped_at IS NOT NULL AND coalesce(n.n, 0) <= coalesce(n.seen, 0)`, run.ID).
		Scan(t.Context(), &missed)
	require.NoError(t, err)
	require.Empty(t, missed)
}

func TestAnEarlyRerunWaitsForAnEndUnderWay(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b")
	run, attempt := f.run(t, a, b)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Ended: []db.JobEnd{{JobID: a.ID, Status: ci.StatusFailure}}})
	second, err := f.rerun(t, run, true)
	require.NoError(t, err)
	require.Equal(t, b.ID, f.jobsOf(t, second)[1].FollowsID)

	// The end of b is being stored: its row is locked, and who follows it is not told yet.
	tx, err := f.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), `UPDATE jobs SET status = 'success', reason = 'done', stopped_at = now() WHERE id = $1`, b.ID)
	require.NoError(t, err)
	var group errgroup.Group
	var third *db.Attempt
	group.Go(func() (err error) {
		third, err = f.CreateRerun(t.Context(), db.NewAttempt{Run: run, Early: true, Clone: followOpen})
		return err
	})
	f.awaitLockWait(t)
	require.NoError(t, tx.Commit(t.Context()))
	require.NoError(t, group.Wait())
	got := f.jobsOf(t, third)[1]
	require.Equal(t, []any{ci.StatusSuccess, "done", false}, []any{got.Status, got.Reason, got.StoppedAt.IsZero()})
}

// awaitLockWait returns when a transaction waits for another one.
func (f *fixture) awaitLockWait(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		var waiting bool
		err := f.NewRaw(`SELECT EXISTS (SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).
			Scan(t.Context(), &waiting)
		return err == nil && waiting
	}, 10*time.Second, 5*time.Millisecond)
}

func TestOpenAttemptNumbers(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"))
	_, err := f.rerun(t, run, true)
	require.NoError(t, err)
	open, err := f.OpenAttemptNumbers(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, open)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure})
	open, err = f.OpenAttemptNumbers(t.Context(), run.ID)
	require.NoError(t, err)
	require.Equal(t, []int{2}, open)
	failed, err := f.HasFailed(t.Context(), run.ID, 2)
	require.NoError(t, err)
	require.False(t, failed)
	f.exec(t, `UPDATE jobs SET status = 'cancelled' WHERE attempt = 2`)
	failed, err = f.HasFailed(t.Context(), run.ID, 2)
	require.NoError(t, err)
	require.True(t, failed)
}
