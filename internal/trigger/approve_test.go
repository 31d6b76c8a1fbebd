package trigger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

func TestARunWaitsForItsApproval(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, grouped("g"), "One")
	holder := f.latest(t)
	require.True(t, fault.Has(f.Approve(t.Context(), holder, f.owner), fault.CodeConflict), "it never awaited one")

	f.repo.Approval = db.ApproveAll
	f.push(t, "x", "x", "Two")
	run := f.latest(t)
	require.Equal(t, db.ApprovalNeeded, run.Approval)
	require.Equal(t, []ci.Status{ci.StatusBlocked, ci.StatusBlocked, ci.StatusBlocked}, f.statuses(t, run.ID, 1))
	require.Len(t, f.engine.started, 2, "its workflow waits")
	a, err := f.db.Attempt(t.Context(), run.ID, 1)
	require.NoError(t, err)
	gates, err := f.db.GatesOf(t.Context(), a.ID)
	require.NoError(t, err)
	require.Empty(t, gates, "nobody waits in a group before he may begin")

	for range 2 {
		require.NoError(t, f.Approve(t.Context(), run, f.owner))
	}
	require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 1}}, f.engine.wakes(), "once")
	require.Equal(t, db.ApprovalGiven, f.latest(t).Approval)

	f.end(t, run, 1, ci.StatusFailure, db.JobEnd{JobID: f.jobs(t, run, 1)[0].ID, Status: ci.StatusFailure})
	again, err := f.rerun(t, f.latest(t))
	require.NoError(t, err)
	require.Equal(t, db.ApprovalGiven, again.Run.Approval, "a rerun keeps it")
}

func TestWhatNeedsNoApproval(t *testing.T) {
	f := newFixture(t)
	f.repo.Approval = db.ApproveAll
	f.push(t, file, "on: push\njobs: {}\n", "Broken")
	require.Equal(t, []any{ci.StatusFailure, db.ApprovalNone}, []any{f.latest(t).Status, f.latest(t).Approval})

	f.push(t, file, onEveryPush, "Never begins")
	run := f.latest(t)
	f.end(t, run, 1, ci.StatusCancelled)
	err := f.Approve(t.Context(), run, f.owner)
	require.True(t, fault.Has(err, fault.CodeConflict), err)
	require.ErrorContains(t, err, "finished")
}

// deploying is a run whose only job waits for an environment.
func (f *fixture) deploying(t *testing.T, e *db.Environment) (*db.Run, *db.Job) {
	t.Helper()
	e.RepoID, e.Name = f.repo.ID, "Production"
	require.NoError(t, f.db.PutEnvironment(t.Context(), e))
	f.push(t, file, onEveryPush, "Deploy")
	run := f.latest(t)
	job := f.jobs(t, run, 1)[0]
	_, err := f.db.EnterEnvironment(t.Context(), job, "production")
	require.NoError(t, err)
	return run, job
}

func TestReview(t *testing.T) {
	f := newFixture(t)
	reviewer, member, admin, stranger := f.person(t, "rae"), f.person(t, "mo"), f.person(t, "adi"), f.person(t, "sam")
	admin.IsAdmin = true
	org := &db.Owner{Kind: db.KindOrganization, Login: "ops", IsActive: true}
	require.NoError(t, f.db.CreateOrganization(t.Context(), org, member.ID))
	for name, c := range map[string]struct {
		actor *db.Owner
		env   db.Environment
		want  fault.Code // "": it may
	}{
		"a reviewer":                      {reviewer, db.Environment{Reviewers: []int64{reviewer.ID}}, ""},
		"a member of an organization":     {member, db.Environment{Reviewers: []int64{org.ID}}, ""},
		"an admin":                        {admin, db.Environment{Reviewers: []int64{reviewer.ID}}, ""},
		"somebody else":                   {stranger, db.Environment{Reviewers: []int64{reviewer.ID, org.ID}}, fault.CodeForbidden},
		"the owner of the repository":     {f.owner, db.Environment{Reviewers: []int64{reviewer.ID}}, fault.CodeForbidden},
		"who started it":                  {f.owner, db.Environment{Reviewers: []int64{f.owner.ID}}, ""},
		"who started it, where that bars": {f.owner, db.Environment{Reviewers: []int64{f.owner.ID}, PreventSelfReview: true}, fault.CodeForbidden},
		"nobody has to":                   {reviewer, db.Environment{WaitMinutes: 5}, fault.CodeUnprocessable},
	} {
		t.Run(name, func(t *testing.T) {
			run, job := f.deploying(t, &c.env)
			request := trigger.ReviewRequest{Run: run, Actor: c.actor, EnvironmentIDs: []int64{c.env.ID}, Approve: true, Comment: "go"}
			reviewed, err := f.Review(t.Context(), request)
			if c.want != "" {
				require.True(t, fault.Has(err, c.want), err)
				require.Empty(t, f.engine.wakes())
				return
			}
			require.NoError(t, err)
			require.Len(t, reviewed, 1)
			require.Equal(t, []any{job.ID, db.DeploymentApproved, c.actor.ID, "go"},
				[]any{reviewed[0].JobID, reviewed[0].State, reviewed[0].ReviewedBy, reviewed[0].Comment})
			require.Equal(t, []db.RunRef{{RunID: run.ID, Attempt: 1}}, f.engine.wakes())
			_, err = f.Review(t.Context(), request)
			require.True(t, fault.Has(err, fault.CodeUnprocessable), "nothing waits any more: %v", err)
		})
	}
}

func TestWhatAReviewFindsNothingIn(t *testing.T) {
	f := newFixture(t)
	env := &db.Environment{Reviewers: []int64{f.owner.ID}}
	run, job := f.deploying(t, env)
	review := func(environments ...int64) error {
		_, err := f.Review(t.Context(), trigger.ReviewRequest{Run: run, Actor: f.owner, EnvironmentIDs: environments})
		return err
	}
	for _, environments := range [][]int64{nil, {env.ID + 1}} {
		require.True(t, fault.Has(review(environments...), fault.CodeUnprocessable))
	}
	f.end(t, run, 1, ci.StatusUnknown, db.JobEnd{JobID: job.ID, Status: ci.StatusCancelled})
	require.True(t, fault.Has(review(env.ID), fault.CodeUnprocessable), "the job has ended")
}
