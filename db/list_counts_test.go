package db_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// count counts rows as nobody could for a list of millions.
func (f *fixture) count(t *testing.T, table, condition string, args ...any) int {
	t.Helper()
	var n int
	require.NoError(t, f.NewRaw("SELECT count(*) FROM "+table+" WHERE "+condition, args...).Scan(t.Context(), &n))
	return n
}

// requireCounts compares what lists say of their lengths with the rows, for every filter that a count is kept of.
func requireCounts(t *testing.T, f *fixture) {
	t.Helper()
	ctx, one := t.Context(), db.Page{Limit: 1}
	source := int64(0)
	for status := ci.StatusWaiting; status <= ci.StatusSkipped; status++ {
		runs := map[string]db.RunFilter{
			"true":                                {},
			fmt.Sprint("repo_id = ", f.repo.ID):   {RepoID: f.repo.ID},
			fmt.Sprint("owner_id = ", f.owner.ID): {OwnerID: f.owner.ID},
			"event = 'push'":                      {Event: "push"},
			fmt.Sprintf("repo_id = %d AND event = 'push'", f.repo.ID):                                 {RepoID: f.repo.ID, Event: "push"},
			fmt.Sprintf("repo_id = %d AND workflow_file = 'w.yml' AND source_repo_id = 0", f.repo.ID): {RepoID: f.repo.ID, WorkflowFile: "w.yml", SourceRepoID: &source},
		}
		for condition, filter := range runs {
			filter.Page = one
			_, l, err := f.Runs(ctx, filter)
			require.NoError(t, err)
			require.Equal(t, f.count(t, "runs", condition), l.Total, condition)
			filter.Statuses = []ci.Status{status, ci.StatusSuccess, status}
			_, l, err = f.Runs(ctx, filter)
			require.NoError(t, err)
			require.Equal(t, f.count(t, "runs", condition+" AND status IN (?, 'success')", status.String()), l.Total, condition)
		}
		for condition, filter := range map[string]db.JobFilter{
			"true": {}, fmt.Sprint("repo_id = ", f.repo.ID): {RepoID: f.repo.ID}, fmt.Sprint("owner_id = ", f.owner.ID): {OwnerID: f.owner.ID},
		} {
			filter.Page, filter.Statuses = one, []ci.Status{status}
			_, l, err := f.Jobs(ctx, filter)
			require.NoError(t, err)
			require.Equal(t, f.count(t, "jobs", condition+" AND status = ? AND NOT is_hidden", status.String()), l.Total, condition)
		}
	}
	_, l, err := f.Tasks(ctx, f.repo.ID, one)
	require.NoError(t, err)
	require.Equal(t, f.count(t, "tasks", "repo_id = ?", f.repo.ID), l.Total)
	var differ int
	require.NoError(t, f.NewRaw(`SELECT count(*) FROM (SELECT 1 FROM list_counts
		GROUP BY list, scope, scope_id, status, event, workflow_file, source_repo_id
		HAVING coalesce(sum(n) FILTER (WHERE block = -1), 0) <> coalesce(sum(n) FILTER (WHERE block >= 0), 0)) AS d`).Scan(ctx, &differ))
	require.Zero(t, differ, "the whole is the sum of the blocks")
}

// Whatever changes a list changes its length, folded or not.
func TestListCountsFollowEveryChange(t *testing.T) {
	f := newFixture(t)
	other := dbtest.Repository(t, f.DB, dbtest.Owner(t, f.DB))
	a, b := job("a"), job("b", "a")
	run, _ := f.run(t, a, b)
	dbtest.Run(t, f.DB, other, job("c"))
	requireCounts(t, f)
	f.offer(t, a)
	f.claim(t, a, f.runner(t))
	for _, change := range []string{
		"UPDATE runs SET status = 'running' WHERE id = ?0", "UPDATE jobs SET status = 'success' WHERE run_id = ?0",
		"UPDATE jobs SET is_hidden = true WHERE run_id = ?0 AND key = 'b'", "UPDATE jobs SET status = 'skipped' WHERE run_id = ?0 AND key = 'b'",
		"UPDATE jobs SET is_hidden = false WHERE run_id = ?0", "UPDATE runs SET event = 'schedule', workflow_file = 'x.yml' WHERE id = ?0",
		"UPDATE tasks SET repo_id = repo_id + 100 WHERE run_id = ?0", "UPDATE tasks SET repo_id = repo_id - 100 WHERE run_id = ?0",
		"UPDATE runs SET owner_id = owner_id + 100 WHERE id = ?0", "UPDATE runs SET title = 'x' WHERE id = ?0", "DELETE FROM runs WHERE id = ?0",
	} {
		f.exec(t, change, run.ID)
		requireCounts(t, f)
		require.NoError(t, f.FoldListCounts(t.Context()))
		requireCounts(t, f)
	}
	require.Zero(t, f.count(t, "list_deltas", "true"))
	require.Zero(t, f.count(t, "tasks", "true"), "they went with their run")

	f.exec(t, "UPDATE list_counts SET n = n + 7")
	f.exec(t, "SELECT recount_lists()")
	requireCounts(t, f)
}

// Writers and sweeps get in nobody's way, and lose nothing.
func TestListCountsOfManyAtOnce(t *testing.T) {
	f := newFixture(t)
	var runs []*db.Run
	for range 8 {
		run, _ := f.run(t, job("a"), job("b"))
		runs = append(runs, run)
	}
	var work sync.WaitGroup
	for i := range 8 {
		work.Go(func() {
			random := rand.New(rand.NewPCG(uint64(i), 0))
			for range 50 {
				status := ci.Status(1 + random.IntN(8)).String()
				// Each changes its own run, and all of them change the same lists.
				_, err := f.Pool.Exec(t.Context(), "WITH r AS (UPDATE runs SET status = $2 WHERE id = $1) UPDATE jobs SET status = $2 WHERE run_id = $1",
					runs[i].ID, status)
				if err == nil && random.IntN(5) == 0 {
					err = f.FoldListCounts(t.Context())
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	work.Wait()
	requireCounts(t, f)
	require.NoError(t, f.FoldListCounts(t.Context()))
	requireCounts(t, f)
}
