package db_test

import (
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

// offerMany makes runs with n offers in all.
func offerMany(b *testing.B, d *db.DB, repo *db.Repository, n int) {
	b.Helper()
	for n > 0 {
		var jobs []*db.Job
		for i := range min(n, 500) {
			jobs = append(jobs, dbtest.Job(fmt.Sprint("job", i), "linux"))
		}
		dbtest.Run(b, d, repo, jobs...)
		dbtest.Offer(b, d, jobs...)
		n -= len(jobs)
	}
}

// benchmarkClaims times the claims of one runner that finds a queue of 500 to 1,000 offers.
func benchmarkClaims(b *testing.B, d *db.DB, repo *db.Repository, each func(*db.Claimed)) {
	offerMany(b, d, repo, 500)
	claim := claimFor(b, d, newRunner(b, d, db.Scope{}, "linux"))
	left := 0
	for b.Loop() {
		if left == 0 {
			b.StopTimer()
			offerMany(b, d, repo, 500)
			_, err := d.Exec("ANALYZE")
			require.NoError(b, err)
			left = 500
			b.StartTimer()
		}
		left--
		hash := sha256.Sum256([]byte(uuid.NewString()))
		claim.TokenHash = hash[:]
		got, err := d.Claim(b.Context(), claim)
		require.NoError(b, err)
		require.NotNil(b, got.Task)
		each(got.Task)
	}
}

func BenchmarkClaim(b *testing.B) {
	d := dbtest.Open(b)
	repo := dbtest.Repository(b, d, dbtest.Owner(b, d))
	benchmarkClaims(b, d, repo, func(*db.Claimed) {})
}

// BenchmarkClaimWithLimits has limits that are never reached.
func BenchmarkClaimWithLimits(b *testing.B) {
	d := dbtest.Open(b)
	repo := dbtest.Repository(b, d, dbtest.Owner(b, d))
	limit(b, d, db.LimitRepository, repo.ID, 1_000_000)
	limit(b, d, db.LimitOwner, repo.OwnerID, 1_000_000)
	benchmarkClaims(b, d, repo, func(*db.Claimed) {})
}

// BenchmarkClaimOfNothing looks at a queue of 5,000 offers of a repository that may have no more running.
func BenchmarkClaimOfNothing(b *testing.B) {
	d := dbtest.Open(b)
	repo := dbtest.Repository(b, d, dbtest.Owner(b, d))
	offerMany(b, d, repo, 5000)
	limit(b, d, db.LimitRepository, repo.ID, 0)
	_, err := d.Exec("ANALYZE")
	require.NoError(b, err)
	claim := claimFor(b, d, newRunner(b, d, db.Scope{}, "linux"))
	for b.Loop() {
		got, err := d.Claim(b.Context(), claim)
		require.NoError(b, err)
		require.Nil(b, got.Task)
	}
}

func BenchmarkClaimAndEnd(b *testing.B) {
	d := dbtest.Open(b)
	repo := dbtest.Repository(b, d, dbtest.Owner(b, d))
	benchmarkClaims(b, d, repo, func(c *db.Claimed) {
		_, err := d.ReportTask(b.Context(), db.Report{TaskID: c.TaskID, Final: db.TaskSuccess})
		require.NoError(b, err)
	})
}

// BenchmarkOffers makes the offers of a run of 20 jobs.
func BenchmarkOffers(b *testing.B) {
	d := dbtest.Open(b)
	repo := dbtest.Repository(b, d, dbtest.Owner(b, d))
	for i := 0; b.Loop(); i++ {
		b.StopTimer()
		if i%200 == 1 {
			_, err := d.Exec("ANALYZE")
			require.NoError(b, err)
		}
		var jobs []*db.Job
		for i := range 20 {
			jobs = append(jobs, dbtest.Job(fmt.Sprint("job", i), "linux"))
		}
		dbtest.Run(b, d, repo, jobs...)
		b.StartTimer()
		dbtest.Offer(b, d, jobs...)
	}
}
