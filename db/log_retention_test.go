package db_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// aged makes a run with a log that ended so many days ago.
func (f *fixture) aged(t *testing.T, days int, status ci.Status) (*db.Run, int64) {
	t.Helper()
	j := job("a")
	run, attempt := f.run(t, j)
	f.offer(t, j)
	task := f.claim(t, j, f.runner(t))
	f.exec(t, `INSERT INTO task_logs (task_id) VALUES (?)`, task.ID)
	appendRows(t, f.DB, task.ID, 2, 3)
	f.end(t, run, attempt, status)
	f.exec(t, `UPDATE runs SET stopped_at = now() - make_interval(days => ?) - interval '1 min' WHERE id = ?`, days, run.ID)
	f.reload(t, run)
	return run, task.ID
}

func (f *fixture) expired(t *testing.T, task int64) bool {
	t.Helper()
	log, err := f.TaskLog(t.Context(), task)
	require.NoError(t, err)
	return !log.ExpiredAt.IsZero()
}

// expire sweeps until nothing is due, and returns how many logs have expired.
func (f *fixture) expire(t *testing.T, r db.Retention) (logs int64) {
	t.Helper()
	for {
		e, err := f.ExpireLogs(t.Context(), r, 1)
		require.NoError(t, err)
		if e.Runs == 0 {
			return logs
		}
		logs += e.Logs
		require.Equal(t, e.Logs*50, e.Bytes)
	}
}

func TestLogsExpire(t *testing.T) {
	f := newFixture(t)
	_, fresh := f.aged(t, 9, ci.StatusSuccess)
	old, oldTask := f.aged(t, 10, ci.StatusSuccess)
	_, cancelled := f.aged(t, 11, ci.StatusCancelled)
	_, failed := f.aged(t, 19, ci.StatusFailure)
	_, oldFailed := f.aged(t, 20, ci.StatusFailure)
	open, _ := f.run(t, job("a"))

	require.Zero(t, f.expire(t, db.Retention{}), "for ever")
	require.EqualValues(t, 3, f.expire(t, db.Retention{LogDays: 10, FailedLogDays: 20}))
	require.Equal(t, []bool{false, true, true, false, true},
		[]bool{f.expired(t, fresh), f.expired(t, oldTask), f.expired(t, cancelled), f.expired(t, failed), f.expired(t, oldFailed)})
	f.reload(t, old)
	require.False(t, old.LogsExpiredAt.IsZero())
	f.reload(t, open)
	require.True(t, open.LogsExpiredAt.IsZero())
	ok, err := f.AppendLog(t.Context(), db.LogAppend{TaskID: oldTask, Expected: 5, Rows: 1})
	require.NoError(t, err)
	require.False(t, ok, "nothing is added to what is gone")
	chunks, _, err := f.DiscardLogs(t.Context(), 100)
	require.NoError(t, err)
	require.EqualValues(t, 6, chunks)

	require.Zero(t, f.expire(t, db.Retention{LogDays: 10, FailedLogDays: 20}), "a repetition does nothing")
	require.EqualValues(t, 1, f.expire(t, db.Retention{LogDays: 9, FailedLogDays: 0}), "those of failed runs stay for ever")
	require.Zero(t, f.expire(t, db.Retention{FailedLogDays: 1}), "and never for less than others")
	require.EqualValues(t, 1, f.expire(t, db.Retention{LogDays: 15, FailedLogDays: 1}))
}

func TestRepositoriesSayHowLongLogsAreKept(t *testing.T) {
	f := newFixture(t)
	_, success := f.aged(t, 5, ci.StatusSuccess)
	_, failure := f.aged(t, 5, ci.StatusFailure)
	days := func(n int) *int { return &n }
	set := func(c db.RepositoryChange) { require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, c)) }
	set(db.RepositoryChange{LogDays: days(100)})
	require.Zero(t, f.expire(t, db.Retention{LogDays: 1, FailedLogDays: 1}), "longer than the installation, also for failed runs")
	set(db.RepositoryChange{LogDays: days(3), FailedLogDays: days(7)})
	require.EqualValues(t, 1, f.expire(t, db.Retention{}))
	require.Equal(t, []bool{true, false}, []bool{f.expired(t, success), f.expired(t, failure)})
	set(db.RepositoryChange{FailedLogDays: days(0)})
	require.EqualValues(t, 1, f.expire(t, db.Retention{LogDays: 90, FailedLogDays: 4}))
}

// A rerun has logs of its own, which expire in their turn.
func TestARerunsLogsExpireToo(t *testing.T) {
	f := newFixture(t)
	run, _ := f.aged(t, 5, ci.StatusFailure)
	require.EqualValues(t, 1, f.expire(t, db.Retention{LogDays: 1, FailedLogDays: 1}))
	next := *run
	_, err := f.CreateRerun(t.Context(), db.NewAttempt{Run: &next, TriggerUserID: f.owner.ID, Clone: func(jobs []*db.Job) ([]*db.Job, error) {
		return jobs, nil
	}})
	require.NoError(t, err)
	require.True(t, next.LogsExpiredAt.IsZero())
}

func TestDueRuns(t *testing.T) {
	f := newFixture(t)
	old, _ := f.aged(t, 10, ci.StatusSuccess)
	f.aged(t, 5, ci.StatusSuccess)
	f.run(t, job("a"))
	due, err := f.DueRuns(t.Context(), db.Retention{}, 10)
	require.NoError(t, err)
	require.Empty(t, due)
	due, err = f.DueRuns(t.Context(), db.Retention{RunDays: 7}, 10)
	require.NoError(t, err)
	require.Equal(t, []db.DueRun{{RepoID: f.repo.ID, RunID: old.ID}}, due)
	days := 3
	require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{RunDays: &days}))
	due, err = f.DueRuns(t.Context(), db.Retention{RunDays: 7}, 10)
	require.NoError(t, err)
	require.Len(t, due, 2)
	due, err = f.DueRuns(t.Context(), db.Retention{RunDays: db.MaxRetentionDays}, 1)
	require.NoError(t, err)
	require.Len(t, due, 1)
}

// The sweep finds what is due by an index, however many runs are not.
func TestSweepsUseIndexes(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	run, _ := dbtest.Run(t, d, repo)
	_, err := d.NewRaw(`INSERT INTO runs (repo_id, owner_id, run_number, workflow_file, workflow_path, workflow_name, title, event, ref, sha, actor_id, status, stopped_at)
		SELECT repo_id, owner_id, n, workflow_file, workflow_path, workflow_name, title, event, ref, sha, actor_id,
			CASE WHEN n % 4 = 0 THEN 'failure' ELSE 'success' END, now() - make_interval(mins => n)
		FROM runs, generate_series(10, 20000) AS n WHERE id = ?`, run.ID).Exec(t.Context())
	require.NoError(t, err)
	_, err = d.NewRaw(`ANALYZE`).Exec(t.Context())
	require.NoError(t, err)
	for query, index := range map[string]string{db.DueLogsQuery: "runs_logs", db.DueRunsQuery: "runs_ended"} {
		query = strings.NewReplacer("$1", "30", "$2", "60", "$3", "50").Replace(query)
		var lines []string
		require.NoError(t, d.NewRaw("EXPLAIN "+query).Scan(t.Context(), &lines))
		plan := strings.Join(lines, "\n")
		require.Contains(t, plan, index, plan)
		require.NotContains(t, plan, "Seq Scan on runs", plan)
	}
	status, err := d.LatestStatus(t.Context(), repo.ID, "w.yml", "refs/heads/main", "push")
	require.NoError(t, err)
	require.Equal(t, ci.StatusFailure, status, fmt.Sprint(status))
}
