package db_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// served claims n offers and tells, in letters, from which of the repositories they were.
func served(t *testing.T, d *db.DB, r *db.Runner, n int, repos ...*db.Repository) string {
	t.Helper()
	var order strings.Builder
	for range n {
		c := mustClaim(t, d, r)
		for i, repo := range repos {
			if repo.ID == c.RepoID {
				order.WriteByte(byte('A' + i))
			}
		}
	}
	return order.String()
}

// newRepos makes repositories of owners of their own.
func newRepos(t *testing.T, d *db.DB, n int) (repos []*db.Repository) {
	t.Helper()
	for range n {
		repos = append(repos, dbtest.Repository(t, d, dbtest.Owner(t, d)))
	}
	return repos
}

func TestRepositoriesTakeTurns(t *testing.T) {
	d := dbtest.Open(t)
	repos := newRepos(t, d, 3)
	runner := newRunner(t, d, db.Scope{}, "linux")
	offerJobs(t, d, repos[0], 50)
	offerJobs(t, d, repos[1], 1)
	require.Equal(t, "AB", served(t, d, runner, 2, repos...), "who queues one is not behind all fifty of another")
	offerJobs(t, d, repos[1], 2)
	offerJobs(t, d, repos[2], 3)
	require.Equal(t, "ABCABCACAA", served(t, d, runner, 10, repos...))
	offerJobs(t, d, repos[1], 1)
	require.Equal(t, "AB", served(t, d, runner, 2, repos...))
	// One that asks again and again, one at a time, takes turns too.
	for range 5 {
		offerJobs(t, d, repos[2], 1)
		require.Equal(t, "AC", served(t, d, runner, 2, repos...))
	}
}

func TestOffersThatNobodyTakesHoldUpNoTurns(t *testing.T) {
	for name, stick := range map[string]func(*testing.T, *db.DB, *db.Repository){
		"of an owner without runners": func(t *testing.T, d *db.DB, _ *db.Repository) {
			offerJobs(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), 1)
		},
		"with labels that nobody has": func(t *testing.T, d *db.DB, repo *db.Repository) {
			offeredJob(t, d, repo, "gpu")
		},
		"of a full repository": func(t *testing.T, d *db.DB, repo *db.Repository) {
			full := dbtest.Repository(t, d, repo.Owner)
			offerJobs(t, d, full, 1)
			limit(t, d, db.LimitRepository, full.ID, 0)
		},
		"that are held": func(t *testing.T, d *db.DB, repo *db.Repository) {
			held := dbtest.Repository(t, d, repo.Owner)
			require.NoError(t, d.EditRepository(t.Context(), held.ID, db.RepositoryChange{Paused: new(true)}))
			offerJobs(t, d, held, 1)
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := dbtest.Open(t)
			owner := dbtest.Owner(t, d)
			big, small := dbtest.Repository(t, d, owner), dbtest.Repository(t, d, owner)
			stick(t, d, big)
			runner := newRunner(t, d, db.Scope{OwnerID: owner.ID}, "linux")
			offerJobs(t, d, big, 20)
			for range 5 {
				offerJobs(t, d, small, 1)
				require.Equal(t, "AB", served(t, d, runner, 2, big, small))
			}
		})
	}
}

// Queues with other labels go on where the one that was served last is, so that they neither overtake nor wait.
func TestTurnsOfSeveralQueuesAreComparable(t *testing.T) {
	d := dbtest.Open(t)
	repos := newRepos(t, d, 2)
	runner := newRunner(t, d, db.Scope{}, "linux", "gpu")
	offerJobs(t, d, repos[0], 20)
	require.Equal(t, "AAAAAAAAAA", served(t, d, runner, 10, repos...))
	offeredJob(t, d, repos[1], "gpu")
	offeredJob(t, d, repos[1], "gpu")
	require.Equal(t, "BABAA", served(t, d, runner, 5, repos...))
}

func TestPriorityGoesBeforeTurns(t *testing.T) {
	d := dbtest.Open(t)
	repos := newRepos(t, d, 2)
	runner := newRunner(t, d, db.Scope{}, "linux")
	offerJobs(t, d, repos[0], 3)
	urgent, later := dbtest.Job("urgent", "linux"), dbtest.Job("later", "linux")
	urgent.Priority, later.Priority = 10, -10
	dbtest.Run(t, d, repos[1], later, urgent)
	dbtest.Offer(t, d, later, urgent)
	require.Equal(t, "BAAAB", served(t, d, runner, 5, repos...))
}

func TestOnlyJobsForRunnersAreOffered(t *testing.T) {
	f := newFixture(t)
	call, deferred := job("call"), job("deferred")
	call.Kind, deferred.Kind = ci.JobCall, ci.JobDeferred
	f.run(t, call, deferred)
	f.offer(t, call, deferred)
	n, err := f.NewSelect().Model((*db.Offer)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

func (f *fixture) offerAgain(t *testing.T, o db.OfferAgain) {
	t.Helper()
	require.NoError(t, f.OfferAgain(t.Context(), o))
}

// latest is the state of the latest offer of a job, and whether its workflow sees that it is held.
func (f *fixture) latest(t *testing.T, j *db.Job, try int) (db.OfferState, bool) {
	t.Helper()
	o, err := f.Attach(t.Context(), j.ID, try)
	require.NoError(t, err)
	return o.State, o.Held
}

func TestARetryMayBeHeldForAWhile(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	run, _ := f.run(t, a)
	f.offer(t, a)
	f.claim(t, a, f.runner(t))
	heard := f.listen(t)
	later := db.OfferAgain{JobID: a.ID, Try: 2, NotBefore: time.Now().Add(time.Hour)}
	f.offerAgain(t, later)
	f.offerAgain(t, later)
	state, held := f.latest(t, a, 2)
	require.Equal(t, db.OfferQueued, state)
	require.True(t, held)
	require.Empty(t, heard())
	f.reload(t, a)
	require.Equal(t, ci.StatusWaiting, a.Status)
	require.NoError(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID))
	require.NoError(t, f.ResumeRun(t.Context(), run.ID, 1, f.owner.ID))
	_, held = f.latest(t, a, 2)
	require.True(t, held, "the end of a pause does not end the wait")

	for range 2 {
		f.offerAgain(t, db.OfferAgain{JobID: a.ID, Try: 2})
		_, held = f.latest(t, a, 2)
		require.False(t, held)
	}
	require.NotEmpty(t, heard())
	f.claim(t, a, f.runner(t))
}

func TestARetryOfAPausedRunWaitsOn(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	run, _ := f.run(t, a)
	f.offerAgain(t, db.OfferAgain{JobID: a.ID, Try: 2, NotBefore: time.Now().Add(time.Hour)})
	require.NoError(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID))
	f.offerAgain(t, db.OfferAgain{JobID: a.ID, Try: 2})
	_, held := f.latest(t, a, 2)
	require.True(t, held)
	require.NoError(t, f.ResumeRun(t.Context(), run.ID, 1, f.owner.ID))
	_, held = f.latest(t, a, 2)
	require.False(t, held)
}
