package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestApproveRun(t *testing.T) {
	f := newFixture(t)
	plain, _ := f.run(t, job("a"))
	_, err := f.ApproveRun(t.Context(), plain.ID, f.owner.ID)
	require.ErrorIs(t, err, db.ErrNeverAwaited)
	_, err = f.ApproveRun(t.Context(), 4711, f.owner.ID)
	require.ErrorIs(t, err, db.ErrNotFound)

	run, attempt := f.run(t, job("a"))
	f.exec(t, `UPDATE runs SET approval = 'needed' WHERE id = ?`, run.ID)
	wake, err := f.ApproveRun(t.Context(), run.ID, f.owner.ID)
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 1}}, wake)
	news, err := f.ReadNews(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []any{db.ApprovalGiven, f.owner.Login}, []any{news.Approval, news.ApprovedBy})
	f.reload(t, run)
	at := run.ApprovedAt
	require.False(t, at.IsZero())

	other := dbtest.Owner(t, f.DB)
	wake, err = f.ApproveRun(t.Context(), run.ID, other.ID)
	require.NoError(t, err, "once more changes nothing")
	require.Empty(t, wake)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess})
	_, err = f.ApproveRun(t.Context(), run.ID, other.ID)
	require.NoError(t, err, "nor after the end")
	f.reload(t, run)
	require.Equal(t, []any{f.owner.ID, true}, []any{run.ApprovedBy, run.ApprovedAt.Equal(at)})
}

func TestReviews(t *testing.T) {
	f := newFixture(t)
	member, stranger := dbtest.Owner(t, f.DB), dbtest.Owner(t, f.DB)
	org := &db.Owner{Kind: db.KindOrganization, Login: "Reviewers", IsActive: true}
	require.NoError(t, f.CreateOrganization(t.Context(), org, member.ID))
	guarded := &db.Environment{RepoID: f.repo.ID, Name: "Production", Reviewers: []int64{f.owner.ID, org.ID}, PreventSelfReview: true}
	other := &db.Environment{RepoID: f.repo.ID, Name: "staging", Reviewers: []int64{stranger.ID}}
	require.NoError(t, f.PutEnvironment(t.Context(), guarded))
	require.NoError(t, f.PutEnvironment(t.Context(), other))

	a, b, ended, elsewhere := job("a"), job("b"), job("ended"), job("elsewhere")
	run, attempt := f.run(t, a, b, ended, elsewhere)
	for _, j := range []*db.Job{a, b, ended} {
		_, err := f.EnterEnvironment(t.Context(), j, "production")
		require.NoError(t, err)
	}
	_, err := f.EnterEnvironment(t.Context(), elsewhere, "staging")
	require.NoError(t, err)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Ended: []db.JobEnd{{JobID: ended.ID, Status: ci.StatusCancelled}}})

	for user, may := range map[*db.Owner]bool{f.owner: true, member: true, stranger: false} {
		pending, err := f.PendingReviews(t.Context(), run.ID, user.ID, []int64{guarded.ID})
		require.NoError(t, err)
		require.Len(t, pending, 2)
		require.Equal(t, []any{a.ID, may, true, true, f.owner.ID, "Production"}, []any{
			pending[0].JobID, pending[0].MayReview, pending[0].HasReviewers, pending[0].PreventSelfReview, pending[0].TriggerUserID, pending[0].Environment,
		})
	}
	all, err := f.PendingReviews(t.Context(), run.ID, stranger.ID, []int64{guarded.ID, other.ID})
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.True(t, all[2].MayReview)

	reviewed, wake, err := f.ReviewDeployments(t.Context(), db.Verdict{Jobs: []int64{a.ID}, By: member.ID, Approve: true, Comment: "ship\x00 it"})
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 1}}, wake)
	require.Len(t, reviewed, 1)
	require.Equal(t, []any{a.ID, db.DeploymentApproved, member.ID, "ship it", false},
		[]any{reviewed[0].JobID, reviewed[0].State, reviewed[0].ReviewedBy, reviewed[0].Comment, reviewed[0].ReviewedAt.IsZero()})
	reviewed, _, err = f.ReviewDeployments(t.Context(), db.Verdict{Jobs: []int64{a.ID, b.ID}, By: f.owner.ID})
	require.NoError(t, err)
	require.Len(t, reviewed, 1, "a verdict is final")
	require.Equal(t, []any{b.ID, db.DeploymentRejected}, []any{reviewed[0].JobID, reviewed[0].State})
	reviewed, wake, err = f.ReviewDeployments(t.Context(), db.Verdict{Jobs: []int64{a.ID, b.ID}, By: f.owner.ID})
	require.NoError(t, err)
	require.Empty(t, reviewed)
	require.Empty(t, wake)
}
