package db_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// longer makes a list of n runs in the repository, which have every step-th number.
func (f *fixture) longer(t *testing.T, n, step int) {
	t.Helper()
	f.exec(t, `WITH added AS (INSERT INTO runs (repo_id, owner_id, run_number, workflow_file, workflow_path, workflow_name, title, event, ref, sha, actor_id, status)
		SELECT ?, ?1, n * ?3, 'w.yml', 'w.yml', 'w', 'w', 'push', CASE WHEN n <= 30 THEN 'refs/heads/short' ELSE 'refs/heads/long' END, 'aa', ?1,
			(ARRAY['success', 'success', 'failure', 'running'])[1 + n % 4]
		FROM generate_series(1, ?2) AS n RETURNING id, actor_id, status)
		INSERT INTO attempts (run_id, number, trigger_user_id, status) SELECT id, 1, actor_id, status FROM added`, f.repo.ID, f.owner.ID, n, step)
}

func numbers(views []*db.RunView) []int64 {
	out := make([]int64, len(views))
	for i, v := range views {
		out[i] = v.Run.RunNumber
	}
	return out
}

// A page is the same from whichever end, or block, it is looked for.
func TestDeepPages(t *testing.T) {
	f := newFixture(t)
	f.longer(t, 3*db.FarPage, 10)
	for _, statuses := range [][]ci.Status{nil, {ci.StatusFailure}, {ci.StatusRunning, ci.StatusSuccess, ci.StatusRunning}} {
		all, l, err := f.Runs(t.Context(), db.RunFilter{RepoID: f.repo.ID, Statuses: statuses})
		require.NoError(t, err)
		require.Len(t, all, l.Total)
		want := numbers(all)
		require.True(t, slices.IsSortedFunc(want, func(a, b int64) int { return int(b - a) }))
		for offset := 0; offset < l.Total+100; offset += 977 {
			views, again, err := f.Runs(t.Context(), db.RunFilter{
				RepoID: f.repo.ID, Statuses: statuses, Page: db.Page{Offset: offset, Limit: 50},
			})
			require.NoError(t, err)
			require.Equal(t, l, again)
			require.Equal(t, want[min(offset, l.Total):min(offset+50, l.Total)], numbers(views))
		}
	}
}

// Where no count is kept, counting stops; the list goes on to its end.
func TestPartialCounts(t *testing.T) {
	f := newFixture(t)
	f.longer(t, db.CountLimit+100, 1)
	filter := db.RunFilter{RepoID: f.repo.ID, Ref: "refs/heads/short", Page: db.Page{Limit: 50}}
	views, l, err := f.Runs(t.Context(), filter)
	require.NoError(t, err)
	require.Equal(t, db.Listed{Total: 30}, l)
	require.Len(t, views, 30)

	filter.Ref = "refs/heads/long"
	views, l, err = f.Runs(t.Context(), filter)
	require.NoError(t, err)
	require.Equal(t, db.Listed{Total: db.CountLimit, Partial: true, Next: views[49].Run.RunNumber}, l)
	filter.Page.Offset = db.CountLimit + 50
	views, l, err = f.Runs(t.Context(), filter)
	require.NoError(t, err)
	require.Len(t, views, 20)
	require.EqualValues(t, 31, views[19].Run.RunNumber)
	require.Zero(t, l.Next)
}

// Following the keys shows everything that was there at the start once, whatever comes and goes meanwhile.
func TestKeysetPages(t *testing.T) {
	f := newFixture(t)
	first, _ := f.run(t, job("a"))
	for range 6 {
		f.run(t, job("a"))
	}
	var seen []int64
	filter := db.RunFilter{RepoID: f.repo.ID, Page: db.Page{Limit: 2, Keyset: true}}
	for {
		views, l, err := f.Runs(t.Context(), filter)
		require.NoError(t, err)
		require.Zero(t, l.Total)
		seen = append(seen, numbers(views)...)
		if l.Next == 0 {
			break
		}
		filter.Page.After = l.Next
		f.run(t, job("a"))
		f.exec(t, "DELETE FROM runs WHERE id = ?", views[0].Run.ID)
	}
	require.Equal(t, []int64{7, 6, 5, 4, 3, 2, 1}, seen)

	for _, descending := range []bool{false, true} {
		var ids []int64
		jobs := db.JobFilter{OwnerID: f.owner.ID, Descending: descending, Statuses: []ci.Status{ci.StatusWaiting, ci.StatusBlocked}}
		jobs.Page = db.Page{Limit: 2, Keyset: true}
		for more := true; more; more = jobs.Page.After != 0 {
			views, l, err := f.Jobs(t.Context(), jobs)
			require.NoError(t, err)
			for _, v := range views {
				ids = append(ids, v.Job.ID)
			}
			jobs.Page.After = l.Next
		}
		if descending {
			slices.Reverse(ids)
		}
		require.True(t, slices.IsSorted(ids))
		require.Len(t, ids, f.count(t, "jobs", "owner_id = ?", f.owner.ID))
	}

	tasks, l, err := f.Tasks(t.Context(), f.repo.ID, db.Page{Keyset: true, After: 1, Limit: 2})
	require.NoError(t, err)
	require.Empty(t, tasks)
	require.Zero(t, l)
	require.NotZero(t, first.ID)
}
