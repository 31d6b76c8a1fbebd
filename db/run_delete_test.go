package db_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// owned counts the rows that name a run, its attempt, its job or its task, by table. Changes of status are not its own.
func (f *fixture) owned(t *testing.T, run, attempt, job, task int64) map[string]int {
	t.Helper()
	var columns []struct{ TableName, ColumnName string }
	require.NoError(t, f.NewRaw(`SELECT table_name, column_name FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
		WHERE table_schema = current_schema() AND table_type = 'BASE TABLE' AND column_name IN ('run_id', 'attempt_id', 'job_id', 'task_id')`).
		Scan(t.Context(), &columns))
	ids := map[string]int64{"run_id": run, "attempt_id": attempt, "job_id": job, "task_id": task}
	out := map[string]int{}
	for _, c := range columns {
		var n int
		query := fmt.Sprintf(`SELECT count(*) FROM %q WHERE %q = ?`, c.TableName, c.ColumnName)
		require.NoError(t, f.NewRaw(query, ids[c.ColumnName]).Scan(t.Context(), &n))
		if n > 0 && c.TableName != "status_events" {
			out[c.TableName] += n
		}
	}
	return out
}

// end ends a run and all of it.
func (f *fixture) end(t *testing.T, run *db.Run, attempt *db.Attempt, status ci.Status) {
	t.Helper()
	for _, table := range []string{"tasks", "jobs"} {
		f.exec(t, fmt.Sprintf(`UPDATE %s SET status = ?, stopped_at = now() WHERE run_id = ? AND stopped_at IS NULL`, table), status.String(), run.ID)
	}
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: status, Release: true})
}

func TestDeleteRunRemovesAllThatItOwned(t *testing.T) {
	f := newFixture(t)
	j := job("a")
	run, attempt := f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.exec(t, `INSERT INTO task_logs (task_id) VALUES (?)`, task.ID)
	appendRows(t, f.DB, task.ID, 3, 4)
	f.exec(t, `INSERT INTO task_outputs (task_id, key, value) VALUES (?, 'a', 'b')`, task.ID)
	f.exec(t, `INSERT INTO deployments (job_id, run_id, attempt_id, repo_id, environment_id, environment, state)
		VALUES (?, ?, ?, ?, 1, 'prod', 'approved')`, j.ID, run.ID, attempt.ID, f.repo.ID)
	f.exec(t, `INSERT INTO attempt_files (attempt_id, n, repo_id, repository, path, ref, sha, content) VALUES (?, 0, ?, '', '', '', '', '')`,
		attempt.ID, f.repo.ID)
	f.exec(t, `INSERT INTO news (attempt_id) VALUES (?)`, attempt.ID)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Events: []db.TimelineEvent{{N: 1, Event: "x"}}})
	f.exec(t, `INSERT INTO alerts (kind, run_id, attempt_id, detail, delivered_at) VALUES ('run', ?, ?, '', now())`, run.ID, attempt.ID)
	before := f.owned(t, run.ID, attempt.ID, j.ID, task.ID)
	for _, table := range []string{"alerts", "attempt_files", "attempts", "deployments", "jobs", "log_chunks", "news", "offers", "task_logs",
		"task_outputs", "tasks", "timeline"} {
		require.NotZero(t, before[table], table)
	}

	_, err := f.DeleteRun(t.Context(), f.repo.ID, run.ID)
	require.ErrorIs(t, err, db.ErrUnfinished)
	require.Equal(t, before, f.owned(t, run.ID, attempt.ID, j.ID, task.ID), "nothing is gone")
	f.end(t, run, attempt, ci.StatusSuccess)
	_, err = f.DeleteRun(t.Context(), f.repo.ID+1, run.ID)
	require.ErrorIs(t, err, db.ErrNotFound)
	_, err = f.DeleteRun(t.Context(), f.repo.ID, run.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]int{"log_chunks": 2, "discarded_logs": 1}, f.owned(t, run.ID, attempt.ID, j.ID, task.ID))
	_, err = f.DeleteRun(t.Context(), f.repo.ID, run.ID)
	require.ErrorIs(t, err, db.ErrNotFound)

	// The chunks go a few at a time.
	for _, want := range []struct {
		chunks int64
		more   bool
	}{{1, true}, {1, true}, {0, false}} {
		chunks, more, err := f.DiscardLogs(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, want.chunks, chunks)
		require.Equal(t, want.more, more)
	}
	require.Empty(t, f.owned(t, run.ID, attempt.ID, j.ID, task.ID))
}

// What its workflow and its runner still say of a deleted run changes nothing.
func TestADeletedRunStaysDeleted(t *testing.T) {
	f := newFixture(t)
	j := job("a")
	run, attempt := f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.exec(t, `INSERT INTO task_logs (task_id) VALUES (?)`, task.ID)
	last := db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess, Release: true, Ended: []db.JobEnd{{JobID: j.ID, Status: ci.StatusSuccess}},
		Events: []db.TimelineEvent{{N: 2, Event: "ended"}},
	}
	f.record(t, last)
	f.exec(t, `INSERT INTO alerts (kind, run_id, attempt_id, detail) VALUES ('run', ?, ?, '')`, run.ID, attempt.ID)
	_, err := f.DeleteRun(t.Context(), f.repo.ID, run.ID)
	require.NoError(t, err)

	_, err = f.RecordStep(t.Context(), last)
	require.ErrorIs(t, err, db.ErrNotFound, "a repetition of the last step")
	_, err = f.ReportTask(t.Context(), db.Report{TaskID: task.ID, Final: db.TaskSuccess})
	require.ErrorIs(t, err, db.ErrNotFound)
	ok, err := f.AppendLog(t.Context(), db.LogAppend{TaskID: task.ID, Rows: 1, Chunks: []db.LogChunk{{RowCount: 1, Data: []byte("x")}}})
	require.NoError(t, err)
	require.False(t, ok)
	_, err = f.LoadPlan(t.Context(), attempt.ID)
	require.ErrorIs(t, err, db.ErrNotFound)
	offer, err := f.Attach(t.Context(), j.ID, 1)
	require.NoError(t, err)
	require.Equal(t, db.OfferWithdrawn, offer.State)
	require.NoError(t, f.OfferAgain(t.Context(), db.OfferAgain{JobID: j.ID, Try: 2}))
	require.Equal(t, map[string]int{"alerts": 2}, f.owned(t, run.ID, attempt.ID, j.ID, task.ID), "administrators have not heard of it")
	alert, err := f.TakeAlert(t.Context(), 0, true)
	require.NoError(t, err)
	require.Equal(t, run.ID, alert.RunID)
}

// Whoever waits behind a deleted run is let in.
func TestDeleteRunLeavesGates(t *testing.T) {
	f := newFixture(t)
	first, second := f.gated(t), f.gated(t)
	first.enter(t, plain)
	second.enter(t, plain)
	f.exec(t, `UPDATE attempts SET stopped_at = now() WHERE id = ?`, first.attempt.ID)
	f.exec(t, `UPDATE runs SET stopped_at = now() WHERE id = ?`, first.run.ID)
	wake, err := f.DeleteRun(t.Context(), f.repo.ID, first.run.ID)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{second.ref()}, wake)
}

// A run is deleted or rerun, never both.
func TestDeleteRunAgainstRerun(t *testing.T) {
	f := newFixture(t)
	for range 20 {
		j := job("a")
		run, attempt := f.run(t, j)
		f.end(t, run, attempt, ci.StatusFailure)
		f.reload(t, run)
		var deleted, rerun error
		var both sync.WaitGroup
		both.Go(func() { _, deleted = f.DeleteRun(t.Context(), f.repo.ID, run.ID) })
		both.Go(func() {
			next := *run
			_, rerun = f.CreateRerun(t.Context(), db.NewAttempt{Run: &next, TriggerUserID: f.owner.ID, Clone: func(jobs []*db.Job) ([]*db.Job, error) {
				for _, j := range jobs {
					j.Status = ci.StatusWaiting
				}
				return jobs, nil
			}})
		})
		both.Wait()
		n, err := f.NewSelect().Model((*db.Run)(nil)).Where("id = ?", run.ID).Count(t.Context())
		require.NoError(t, err)
		if rerun == nil {
			require.True(t, errors.Is(deleted, db.ErrUnfinished) || errors.Is(deleted, db.ErrConflict), "%v", deleted)
			require.Equal(t, 1, n)
		} else {
			require.ErrorIs(t, rerun, db.ErrConflict)
			require.NoError(t, deleted)
			require.Zero(t, n)
		}
	}
}

// A log of many chunks goes with its repository as well.
func TestLogsOfADeletedRepositoryAreDiscarded(t *testing.T) {
	d := dbtest.Open(t)
	task := claimedTask(t, d).TaskID
	appendRows(t, d, task, 1, 1, 1)
	_, err := d.NewRaw(`DELETE FROM repositories`).Exec(t.Context())
	require.NoError(t, err)
	chunks, more, err := d.DiscardLogs(t.Context(), 100)
	require.NoError(t, err)
	require.EqualValues(t, 3, chunks)
	require.True(t, more)
}
