package db_test

import (
	"crypto/sha256"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func newRunner(t testing.TB, d *db.DB, s db.Scope, labels ...string) *db.Runner {
	t.Helper()
	id := uuid.New()
	r := &db.Runner{UUID: id, TokenHash: []byte("hash"), Name: "runner-" + id.String()[:8], OwnerID: s.OwnerID, RepoID: s.RepoID, Labels: labels}
	require.NoError(t, d.CreateRunner(t.Context(), r))
	return r
}

func claimFor(t testing.TB, d *db.DB, r *db.Runner) db.Claim {
	t.Helper()
	sets, err := d.LabelSetsWithin(t.Context(), r.Labels)
	require.NoError(t, err)
	hash := sha256.Sum256([]byte(uuid.NewString()))
	return db.Claim{RunnerID: r.ID, Scope: r.Scope(), LabelSets: sets, TokenHash: hash[:], IsEphemeral: r.IsEphemeral}
}

func mustClaim(t testing.TB, d *db.DB, r *db.Runner) *db.Claimed {
	t.Helper()
	got, err := d.Claim(t.Context(), claimFor(t, d, r))
	require.NoError(t, err)
	require.NotNil(t, got.Task, "nothing to claim")
	return got.Task
}

// offeredJob makes a run of one job and offers it.
func offeredJob(t testing.TB, d *db.DB, repo *db.Repository, labels ...string) *db.Job {
	t.Helper()
	job := dbtest.Job("job", labels...)
	dbtest.Run(t, d, repo, job)
	dbtest.Offer(t, d, job)
	return job
}

func TestClaimMakesATask(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	job := offeredJob(t, d, repo, "linux")
	runner := newRunner(t, d, db.Scope{}, "linux", "x64")

	got := mustClaim(t, d, runner)
	require.Equal(t, job.ID, got.JobID)
	require.Equal(t, job.RunID, got.RunID)
	require.Equal(t, job.Payload, got.Payload)
	require.Equal(t, 2, got.Steps)
	require.Equal(t, 1, got.Attempt)
	require.False(t, got.Attached)
	require.Greater(t, got.Waited, time.Duration(0))

	var stored db.Job
	require.NoError(t, d.NewSelect().Model(&stored).Where("job.id = ?", job.ID).Relation("Task").Scan(t.Context()))
	require.Equal(t, ci.StatusRunning, stored.Status)
	require.Equal(t, got.TaskID, stored.TaskID)
	require.False(t, stored.StartedAt.IsZero())
	require.Equal(t, db.TaskRunning, stored.Task.Status)
	for _, table := range []string{"attempts", "runs"} {
		var status string
		require.NoError(t, d.NewRaw("SELECT status FROM "+table+" WHERE started_at IS NOT NULL").Scan(t.Context(), &status))
		require.Equal(t, "running", status, table)
	}
	log, err := d.TaskLog(t.Context(), got.TaskID)
	require.NoError(t, err)
	require.Zero(t, log.RowCount)

	again, err := d.Claim(t.Context(), claimFor(t, d, runner))
	require.NoError(t, err)
	require.Nil(t, again.Task)
	require.False(t, again.Contended)
}

func TestClaimMatchesScopeAndLabels(t *testing.T) {
	d := dbtest.Open(t)
	owner, other := dbtest.Owner(t, d), dbtest.Owner(t, d)
	repo, sibling := dbtest.Repository(t, d, owner), dbtest.Repository(t, d, owner)
	tests := []struct {
		name   string
		runsOn []string
		scope  db.Scope
		labels []string
		want   bool
	}{
		{"instance takes all", []string{"linux"}, db.Scope{}, []string{"linux"}, true},
		{"owner takes its own", []string{"linux"}, db.Scope{OwnerID: owner.ID}, []string{"linux"}, true},
		{"owner leaves others'", []string{"linux"}, db.Scope{OwnerID: other.ID}, []string{"linux"}, false},
		{"repository takes its own", []string{"linux"}, db.Scope{RepoID: repo.ID}, []string{"linux"}, true},
		{"repository leaves others'", []string{"linux"}, db.Scope{RepoID: sibling.ID}, []string{"linux"}, false},
		{"every label is needed", []string{"linux", "gpu"}, db.Scope{}, []string{"linux"}, false},
		{"order does not count", []string{"linux", "gpu"}, db.Scope{}, []string{"gpu", "x", "linux"}, true},
		{"case counts", []string{"Linux"}, db.Scope{}, []string{"linux"}, false},
		{"no labels fit any runner", nil, db.Scope{}, nil, true},
		{"no labels fit a labelled runner", nil, db.Scope{}, []string{"linux"}, true},
		{"a runner without labels takes nothing labelled", []string{"linux"}, db.Scope{}, nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			job := offeredJob(t, d, repo, tt.runsOn...)
			got, err := d.Claim(t.Context(), claimFor(t, d, newRunner(t, d, tt.scope, tt.labels...)))
			require.NoError(t, err)
			require.Equal(t, tt.want, got.Task != nil)
			_, err = d.EndTask(t.Context(), job.ID, db.EndForced, "next case")
			require.NoError(t, err)
		})
	}
}

func TestClaimOrder(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	runner := newRunner(t, d, db.Scope{}, "a", "b")
	first, second, urgent := offeredJob(t, d, repo, "b"), offeredJob(t, d, repo, "a"), offeredJob(t, d, repo, "a", "b")
	_, err := d.Exec("UPDATE offers SET priority = 1 WHERE job_id = ?", urgent.ID)
	require.NoError(t, err)
	for i, want := range []*db.Job{urgent, first, second} {
		got, err := d.Claim(t.Context(), claimFor(t, d, runner))
		require.NoError(t, err)
		require.Equal(t, want.ID, got.Task.JobID, "claim %d", i)
		require.Equal(t, i < 2, got.Next != nil, "claim %d", i)
	}
}

func TestClaimRefusesRunnersThatMayNot(t *testing.T) {
	d := dbtest.Open(t)
	offeredJob(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), "linux")
	disabled, removed := newRunner(t, d, db.Scope{}, "linux"), newRunner(t, d, db.Scope{}, "linux")
	require.NoError(t, d.SetRunnerDisabled(t.Context(), disabled.ID, true))
	require.NoError(t, d.RemoveRunner(t.Context(), removed.ID))
	for _, r := range []*db.Runner{disabled, removed} {
		got, err := d.Claim(t.Context(), claimFor(t, d, r))
		require.NoError(t, err)
		require.Nil(t, got.Task)
		require.False(t, got.Contended, "they do not even look")
	}
}

func TestClaimOfAnEphemeralRunner(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	runner := newRunner(t, d, db.Scope{}, "linux")
	runner.IsEphemeral = true
	_, err := d.Exec("UPDATE runners SET is_ephemeral = true WHERE id = ?", runner.ID)
	require.NoError(t, err)
	for range 4 {
		offeredJob(t, d, repo, "linux")
	}
	claim := claimFor(t, d, runner)

	var wg sync.WaitGroup
	var mu sync.Mutex
	var tasks []*db.Claimed
	for i := range 4 {
		wg.Go(func() {
			c := claim
			c.TokenHash = fmt.Appendf(nil, "token %d", i)
			got, err := d.Claim(t.Context(), c)
			mu.Lock()
			defer mu.Unlock()
			if got.Task != nil && err == nil {
				tasks = append(tasks, got.Task)
			}
		})
	}
	wg.Wait()
	require.Len(t, tasks, 1, "one task, however many polls")

	got, err := d.Claim(t.Context(), claim)
	require.NoError(t, err)
	require.Nil(t, got.Task, "it has an unfinished task")

	_, err = d.RefuseTask(t.Context(), tasks[0].TaskID, "test")
	require.NoError(t, err)
	_, err = d.Claim(t.Context(), claim)
	require.ErrorIs(t, err, db.ErrRunnerUsed)
}

func TestConcurrentClaimsTakeEachOfferOnce(t *testing.T) {
	d := dbtest.Open(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	const jobs, runners = 100, 16
	var all []*db.Job
	for i := range jobs {
		all = append(all, dbtest.Job(fmt.Sprintf("job-%d", i), "linux"))
	}
	dbtest.Run(t, d, repo, all...)
	dbtest.Offer(t, d, all...)

	var mu sync.Mutex
	taken := map[int64]int{}
	var wg sync.WaitGroup
	for range runners {
		runner := newRunner(t, d, db.Scope{}, "linux")
		wg.Go(func() {
			for {
				got, err := d.Claim(t.Context(), claimFor(t, d, runner))
				if err != nil || (got.Task == nil && !got.Contended) {
					return
				}
				if got.Task != nil {
					mu.Lock()
					taken[got.Task.JobID]++
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, taken, jobs)
	for job, n := range taken {
		require.Equal(t, 1, n, "job %d", job)
	}
}

// An offer that somebody else has locked, such as its own workflow that attaches, is not lost to a runner that looks
// just then: it is told to look again.
func TestClaimTellsOfLockedOffers(t *testing.T) {
	d := dbtest.Open(t)
	job := offeredJob(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), "linux")
	runner := newRunner(t, d, db.Scope{}, "linux")
	tx, err := d.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	_, err = tx.Exec("UPDATE offers SET attached = true WHERE job_id = ?", job.ID)
	require.NoError(t, err)
	got, err := d.Claim(t.Context(), claimFor(t, d, runner))
	require.NoError(t, err)
	require.Nil(t, got.Task)
	require.True(t, got.Contended)

	require.NoError(t, tx.Commit())
	require.True(t, mustClaim(t, d, runner).Attached)
}
