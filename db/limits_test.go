package db_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

func limit(t testing.TB, d *db.DB, kind db.LimitKind, id int64, most int) {
	t.Helper()
	require.NoError(t, d.SetJobLimit(t.Context(), kind, id, &most))
}

// running is what a limit counts.
func running(t testing.TB, d *db.DB, kind db.LimitKind, id int64) (n int) {
	t.Helper()
	require.NoError(t, d.NewRaw("SELECT running FROM job_limits WHERE kind = ? AND id = ?", string(kind), id).Scan(t.Context(), &n))
	return n
}

// offerJobs makes a run of n jobs, and offers them all.
func offerJobs(t testing.TB, d *db.DB, repo *db.Repository, n int) []*db.Job {
	t.Helper()
	jobs := make([]*db.Job, n)
	for i := range jobs {
		jobs[i] = dbtest.Job(fmt.Sprint("job", i), "linux")
	}
	dbtest.Run(t, d, repo, jobs...)
	dbtest.Offer(t, d, jobs...)
	return jobs
}

func tryClaim(t testing.TB, d *db.DB, r *db.Runner) *db.Claimed {
	t.Helper()
	got, err := d.Claim(t.Context(), claimFor(t, d, r))
	require.NoError(t, err)
	return got.Task
}

func TestJobLimit(t *testing.T) {
	f := newFixture(t)
	for _, kind := range []db.LimitKind{db.LimitRepository, db.LimitOwner} {
		most, err := f.JobLimit(t.Context(), kind, f.repo.ID)
		require.NoError(t, err)
		require.Nil(t, most)
		limit(t, f.DB, kind, f.repo.ID, 3)
		limit(t, f.DB, kind, f.repo.ID, 0)
		most, err = f.JobLimit(t.Context(), kind, f.repo.ID)
		require.NoError(t, err)
		require.Zero(t, *most)
		require.NoError(t, f.SetJobLimit(t.Context(), kind, f.repo.ID, nil))
		most, err = f.JobLimit(t.Context(), kind, f.repo.ID)
		require.NoError(t, err)
		require.Nil(t, most)
	}
}

func TestClaimsKeepToTheLimits(t *testing.T) {
	for name, c := range map[string]struct {
		repo, owner int // -1: none
		before      int // claimed before the limits are set
		want        int // claimed in all, of four jobs in each of two repositories
	}{
		"none":                         {-1, -1, 0, 8},
		"repository":                   {2, -1, 0, 6},
		"owner":                        {-1, 3, 0, 3},
		"both, repository is smaller":  {1, 5, 0, 5},
		"both, owner is smaller":       {3, 2, 0, 2},
		"nothing of the repository":    {0, -1, 0, 4},
		"nothing of the owner":         {-1, 0, 0, 0},
		"what runs counts":             {-1, 3, 2, 3},
		"what runs above it goes on":   {-1, 1, 3, 3},
		"the repository's count alone": {2, -1, 2, 6},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			sibling := dbtest.Repository(t, f.DB, f.owner)
			offerJobs(t, f.DB, f.repo, 4)
			offerJobs(t, f.DB, sibling, 4)
			runner := newRunner(t, f.DB, db.Scope{}, "linux")
			claimed := 0
			for range c.before {
				mustClaim(t, f.DB, runner)
				claimed++
			}
			if c.repo >= 0 {
				limit(t, f.DB, db.LimitRepository, f.repo.ID, c.repo)
			}
			if c.owner >= 0 {
				limit(t, f.DB, db.LimitOwner, f.owner.ID, c.owner)
			}
			for tryClaim(t, f.DB, runner) != nil {
				claimed++
			}
			require.Equal(t, c.want, claimed)
		})
	}
}

func TestFullRepositoriesHideNoOthers(t *testing.T) {
	d := dbtest.Open(t)
	full := dbtest.Repository(t, d, dbtest.Owner(t, d))
	runner := newRunner(t, d, db.Scope{}, "linux")
	offerJobs(t, d, full, 50)
	limit(t, d, db.LimitRepository, full.ID, 1)
	mustClaim(t, d, runner)
	got, err := d.Claim(t.Context(), claimFor(t, d, runner))
	require.NoError(t, err)
	require.Nil(t, got.Task)
	require.False(t, got.Contended, "there is nothing to try again for")
	other := offeredJob(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), "linux")
	require.Equal(t, other.ID, mustClaim(t, d, runner).JobID)
}

// However a task ends, its place is free again.
func TestEveryEndGivesThePlaceBack(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *db.DB, *db.Claimed) error{
		"report": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.ReportTask(t.Context(), db.Report{TaskID: c.TaskID, Final: db.TaskFailure})
			return err
		},
		"cancel of a run": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.RequestCancel(t.Context(), db.CancelRequest{RunID: c.RunID})
			return err
		},
		"end by the workflow": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.EndTask(t.Context(), c.JobID, db.EndForced, "why")
			return err
		},
		"silence": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.CheckTask(t.Context(), c.TaskID, -time.Minute)
			return err
		},
		"released": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.ReleaseTask(t.Context(), c.TaskID, "why")
			return err
		},
		"refused": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.RefuseTask(t.Context(), c.TaskID, "why")
			return err
		},
		"runner restarted": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.LoseRunnerTasks(t.Context(), readTask(t, d, c.TaskID).RunnerID, "why")
			return err
		},
		"never confirmed": func(t *testing.T, d *db.DB, _ *db.Claimed) error {
			_, err := d.LoseUnconfirmed(t.Context(), -time.Minute, 10, "why")
			return err
		},
		"deleted": func(t *testing.T, d *db.DB, c *db.Claimed) error {
			_, err := d.NewRaw("DELETE FROM runs WHERE id = ?", c.RunID).Exec(t.Context())
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			require.NoError(t, f.TouchUptime(t.Context()))
			limit(t, f.DB, db.LimitRepository, f.repo.ID, 1)
			limit(t, f.DB, db.LimitOwner, f.owner.ID, 1)
			runner := newRunner(t, f.DB, db.Scope{}, "linux")
			offeredJob(t, f.DB, f.repo, "linux")
			offeredJob(t, f.DB, f.repo, "linux")
			c := mustClaim(t, f.DB, runner)
			require.Nil(t, tryClaim(t, f.DB, runner))
			require.Equal(t, 1, running(t, f.DB, db.LimitRepository, f.repo.ID))

			heard := f.listen(t)
			for range 2 {
				err := end(t, f.DB, c)
				require.True(t, err == nil || strings.Contains(err.Error(), "finished"), "%v", err)
			}
			require.Zero(t, running(t, f.DB, db.LimitRepository, f.repo.ID))
			require.Zero(t, running(t, f.DB, db.LimitOwner, f.owner.ID))
			require.Len(t, heard(), 1, "a poll is woken for the other offer")
			mustClaim(t, f.DB, runner)
		})
	}
}

// A free place is told for each queue that has something for it, and only when nothing was free before.
func TestFreePlacesAreTold(t *testing.T) {
	f := newFixture(t)
	sibling := dbtest.Repository(t, f.DB, f.owner)
	runner := newRunner(t, f.DB, db.Scope{}, "linux")
	offerJobs(t, f.DB, f.repo, 2)
	first, second := mustClaim(t, f.DB, runner), mustClaim(t, f.DB, runner)
	here, gpu := offeredJob(t, f.DB, f.repo, "linux"), offeredJob(t, f.DB, f.repo, "gpu")
	offerJobs(t, f.DB, f.repo, 80)
	there := offeredJob(t, f.DB, sibling, "linux")
	notice := func(j *db.Job, n int) string {
		return fmt.Sprintf(`[{"s" : %d, "o" : %d, "r" : %d, "n" : %d}]`, j.LabelSetID, f.owner.ID, j.RepoID, n)
	}
	end := func(c *db.Claimed) { report(t, f.DB, db.Report{TaskID: c.TaskID, Final: db.TaskSuccess}) }
	heard := f.listen(t)

	limit(t, f.DB, db.LimitOwner, f.owner.ID, 2)
	require.ElementsMatch(t, []string{notice(here, 81), notice(gpu, 1), notice(there, 1)}, heard(), "a limit may be a higher one than before")
	end(first)
	require.ElementsMatch(t, []string{notice(here, 1), notice(gpu, 1), notice(there, 1)}, heard())
	end(second)
	require.Empty(t, heard(), "there was a place before")

	limit(t, f.DB, db.LimitRepository, f.repo.ID, 1)
	_ = heard()
	third := mustClaim(t, f.DB, runner)
	require.Equal(t, f.repo.ID, third.RepoID)
	end(third)
	require.ElementsMatch(t, []string{notice(here, 1), notice(gpu, 1)}, heard())
	require.NoError(t, f.SetJobLimit(t.Context(), db.LimitRepository, f.repo.ID, nil))
	require.Len(t, heard(), 2)
}

// Claims, ends and changes of the limits all at once: in no snapshot does a limit count anything but the open tasks, and
// there are never more than it allows.
func TestLimitsAreExact(t *testing.T) {
	const most, jobs, runners = 4, 40, 12
	d := dbtest.Open(t)
	owners := []*db.Owner{dbtest.Owner(t, d), dbtest.Owner(t, d)}
	var repos []*db.Repository
	for i := range 4 {
		repo := dbtest.Repository(t, d, owners[i%2])
		repos = append(repos, repo)
		offerJobs(t, d, repo, jobs)
		limit(t, d, db.LimitRepository, repo.ID, 2)
	}
	limit(t, d, db.LimitOwner, owners[0].ID, most)

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var left sync.WaitGroup
	left.Add(len(repos) * jobs)
	working, finish := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i := range runners {
		r := newRunner(t, d, db.Scope{}, "linux")
		claim := claimFor(t, d, r)
		all.Go(func() { workUntil(working, t, d, claim, i, left.Done) })
	}
	all.Go(func() { watchLimits(working, t, d, owners[0].ID, most) })
	all.Go(func() { changeLimits(working, t, d, repos[3].ID, owners[1].ID) })
	left.Wait()
	finish()
	all.Wait()
	require.False(t, t.Failed())
	for _, repo := range repos[:3] {
		require.Zero(t, running(t, d, db.LimitRepository, repo.ID))
	}
	require.Zero(t, running(t, d, db.LimitOwner, owners[0].ID))
}

// workUntil has a runner claim tasks, and end them: one by one, or all that it has, of several repositories, at once.
func workUntil(ctx context.Context, t *testing.T, d *db.DB, c db.Claim, worker int, done func()) {
	for n := 0; ctx.Err() == nil; n++ {
		c.TokenHash = fmt.Appendf(nil, "token %d of %d", n, worker)
		got, err := d.Claim(ctx, c)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
		case got.Task == nil || n%4 == 0:
			var ended []db.TaskEnded
			ended, err = d.LoseRunnerTasks(context.WithoutCancel(ctx), c.RunnerID, "restarted")
			for range ended {
				done()
			}
		case n%4 == 1:
			_, err = d.ReportTask(context.WithoutCancel(ctx), db.Report{TaskID: got.Task.TaskID, Final: db.TaskSuccess})
			done()
		}
		if err != nil {
			t.Error(err)
			return
		}
	}
}

func watchLimits(ctx context.Context, t *testing.T, d *db.DB, owner int64, most int) {
	for ctx.Err() == nil {
		var wrong string
		var open int
		err := d.Pool.QueryRow(ctx, `WITH open AS MATERIALIZED (SELECT repo_id, owner_id FROM tasks WHERE stopped_at IS NULL), found AS (
				SELECT l.*, (SELECT count(*) FROM open WHERE CASE l.kind WHEN 'repo' THEN repo_id ELSE owner_id END = l.id) AS n FROM job_limits l
			)
			SELECT coalesce((SELECT found::text FROM found WHERE running <> n LIMIT 1), ''), (SELECT count(*) FROM open WHERE owner_id = $1)`,
			owner).Scan(&wrong, &open)
		if ctx.Err() == nil && (err != nil || wrong != "" || open > most) {
			t.Errorf("miscounted: %q, %d open of %d, %v", wrong, open, most, err)
		}
	}
}

// changeLimits ends with both without a limit, so that all jobs are done.
func changeLimits(ctx context.Context, t *testing.T, d *db.DB, repo, owner int64) {
	for i := 0; ctx.Err() == nil; i++ {
		most := i % 4
		set := &most
		if most == 0 {
			set = nil
		}
		for kind, id := range map[db.LimitKind]int64{db.LimitRepository: repo, db.LimitOwner: owner} {
			if err := d.SetJobLimit(ctx, kind, id, set); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
		}
	}
}
