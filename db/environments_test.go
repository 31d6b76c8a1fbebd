package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestEnvironments(t *testing.T) {
	f := newFixture(t)
	ctx := t.Context()
	e := &db.Environment{RepoID: f.repo.ID, Name: "Prod", WaitMinutes: 5, Reviewers: []int64{f.owner.ID}, PreventSelfReview: true}
	require.NoError(t, f.PutEnvironment(ctx, e))
	require.NotZero(t, e.ID)
	again := &db.Environment{RepoID: f.repo.ID, Name: "PROD"}
	require.NoError(t, f.PutEnvironment(ctx, again))
	require.Equal(t, e.ID, again.ID)
	require.Equal(t, "Prod", again.Name, "the first name stays")

	got, err := f.EnvironmentByName(ctx, f.repo.ID, "prod")
	require.NoError(t, err)
	require.Zero(t, got.WaitMinutes)
	require.Empty(t, got.Reviewers)
	require.False(t, got.PreventSelfReview)
	require.NoError(t, f.PutEnvironment(ctx, &db.Environment{RepoID: f.repo.ID, Name: "a"}))
	list, n, err := f.Environments(ctx, f.repo.ID, db.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, "a", list[0].Name)
	byID, err := f.EnvironmentsByID(ctx, []int64{e.ID, e.ID + 99})
	require.NoError(t, err)
	require.Len(t, byID, 1)

	require.ErrorIs(t, f.DeleteEnvironment(ctx, f.repo.ID+1, "prod"), db.ErrNotFound)
	require.ErrorIs(t, f.DeleteEnvironment(ctx, f.repo.ID, "none"), db.ErrNotFound)
	require.NoError(t, f.DeleteEnvironment(ctx, f.repo.ID, "pROD"))
	_, err = f.EnvironmentByName(ctx, f.repo.ID, "prod")
	require.ErrorIs(t, err, db.ErrNotFound)
}

func TestPendingDeploymentsAndReviews(t *testing.T) {
	f := newPendingFixture(t)
	ctx := t.Context()
	f.deploys(t, db.DeploymentWaiting, "")
	pending := func() int {
		list, err := f.PendingDeployments(ctx, f.attempt.ID)
		require.NoError(t, err)
		return len(list)
	}
	require.Equal(t, 1, pending())
	require.ErrorIs(t, f.DeleteEnvironment(ctx, f.repo.ID, "prod"), db.ErrConflict, "a job waits for it")
	reviews, err := f.ReviewsOf(ctx, f.run.ID)
	require.NoError(t, err)
	require.Empty(t, reviews)

	f.exec(t, "UPDATE deployments SET state = 'approved', reviewed_by = ?, reviewed_at = now(), wait_until = ?", f.owner.ID, time.Now().Add(time.Hour))
	require.Equal(t, 1, pending(), "the time has not come")
	f.exec(t, "UPDATE deployments SET wait_until = ?", time.Now().Add(-time.Hour))
	require.Zero(t, pending())
	reviews, err = f.ReviewsOf(ctx, f.run.ID)
	require.NoError(t, err)
	require.Len(t, reviews, 1)
	require.Equal(t, f.owner.ID, reviews[0].ReviewedBy)

	f.exec(t, "UPDATE deployments SET state = 'waiting'")
	f.exec(t, "UPDATE jobs SET status = 'cancelled', stopped_at = now()")
	require.Zero(t, pending(), "the job has ended")
	require.NoError(t, f.DeleteEnvironment(ctx, f.repo.ID, "prod"))
}

func TestApprovalPolicy(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{Approval: new(db.ApproveAll)}))
	repo, err := f.RepositoryByID(t.Context(), f.repo.ID)
	require.NoError(t, err)
	require.Equal(t, db.ApproveAll, repo.Approval)
	require.ErrorIs(t, f.EditRepository(t.Context(), f.repo.ID+1, db.RepositoryChange{Approval: new(db.ApproveAll)}), db.ErrNotFound)
}
