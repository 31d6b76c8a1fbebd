package apiserver

import (
	"maps"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// deploymentRoutes are GitHub's. Who may review is said by the environment, so that readers come as far as the handler.
func (s *Server) deploymentRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run + "/pending_deployments", anyReader(), listPendingDeployments},
		{http.MethodPost, run + "/pending_deployments", append(reader(), isPerson), reviewDeployments},
		{http.MethodGet, run + "/approvals", anyReader(), listReviews},
	}
}

// listPendingDeployments lists the environments that jobs of the latest attempt wait for.
func listPendingDeployments(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	waiting, err := c.server.DB.PendingDeployments(c.ctx(), v.Attempt.ID)
	if err != nil {
		return err
	}
	out, err := c.showPending(v, waiting)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// showPending groups waiting jobs by environment.
func (c *call) showPending(v *db.RunView, waiting []*db.Deployment) ([]*apiPendingDeployment, error) {
	var ids []int64
	for _, d := range waiting {
		ids = append(ids, d.EnvironmentID)
	}
	environments, err := c.server.DB.EnvironmentsByID(c.ctx(), ids)
	if err != nil {
		return nil, err
	}
	owners, err := c.reviewersOf(slices.Collect(maps.Values(environments))...)
	if err != nil {
		return nil, err
	}
	mine, err := c.mayReview(v.Run.ID, ids)
	if err != nil {
		return nil, err
	}
	out, byID := []*apiPendingDeployment{}, map[int64]*apiPendingDeployment{}
	for _, d := range waiting {
		p := byID[d.EnvironmentID]
		if p == nil {
			p = c.newPending(d)
			if e := environments[d.EnvironmentID]; e != nil && d.State == db.DeploymentWaiting {
				p.Reviewers, p.CurrentUserCanApprove = c.showReviewers(e, owners), mine[e.ID]
			}
			byID[d.EnvironmentID], out = p, append(out, p)
		}
		p.JobIDs = append(p.JobIDs, d.JobID)
	}
	return out, nil
}

// newPending begins an entry with the first job that waits.
func (c *call) newPending(d *db.Deployment) *apiPendingDeployment {
	p := &apiPendingDeployment{Environment: c.showEnvironmentRef(d), Reviewers: []apiReviewer{}}
	if !d.WaitUntil.IsZero() {
		began, until := shown(d.CreatedAt), shown(d.WaitUntil)
		p.WaitTimer, p.WaitTimerStartedAt, p.WaitUntil = int(until.Sub(began)/time.Minute), &began, &until
	}
	return p
}

// mayReview tells of which environments the caller may review jobs of the run.
func (c *call) mayReview(run int64, environments []int64) (map[int64]bool, error) {
	user := c.caller.userID()
	list, err := c.server.DB.PendingReviews(c.ctx(), run, user, environments)
	if err != nil {
		return nil, err
	}
	out := map[int64]bool{}
	for _, p := range list {
		may := p.MayReview || (!c.caller.anonymous() && c.caller.user.IsAdmin)
		self := p.PreventSelfReview && p.TriggerUserID == user
		out[p.EnvironmentID] = out[p.EnvironmentID] || (may && !self)
	}
	return out, nil
}

// review is the body of a review, as GitHub has it.
type review struct {
	EnvironmentIDs []int64            `json:"environment_ids"`
	State          db.DeploymentState `json:"state"`
	Comment        string             `json:"comment"`
}

// The limits of a review.
const (
	maxReviewComment      = 1024
	maxReviewEnvironments = 100
)

func (in review) check() error {
	switch {
	case len(in.EnvironmentIDs) == 0:
		return required("EnvironmentIds")
	case len(in.EnvironmentIDs) > maxReviewEnvironments:
		return fault.Unprocessable("MaxSize(%d)", maxReviewEnvironments).In("EnvironmentIds")
	case in.State != db.DeploymentApproved && in.State != db.DeploymentRejected:
		return fault.Unprocessable("In(%s,%s)", db.DeploymentApproved, db.DeploymentRejected).In("State")
	case utf8.RuneCountInString(in.Comment) > maxReviewComment:
		return fault.Unprocessable("MaxSize(%d)", maxReviewComment).In("Comment")
	}
	return nil
}

// reviewDeployments lets the jobs go on that wait for the environments, or fails them.
func reviewDeployments(c *call) error {
	var in review
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	reviewed, err := c.server.Trigger.Review(c.ctx(), trigger.ReviewRequest{
		Run: v.Run, Actor: c.caller.user, EnvironmentIDs: in.EnvironmentIDs, Approve: in.State == db.DeploymentApproved,
		Comment: in.Comment,
	})
	if err != nil {
		return err
	}
	out := make([]apiDeployment, len(reviewed))
	for i, d := range reviewed {
		out[i] = c.showDeployment(d, v)
	}
	return c.json(http.StatusOK, out)
}

// listReviews lists what was said of jobs of all attempts of the run. What one person said at one time is one entry.
func listReviews(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	list, err := c.server.DB.ReviewsOf(c.ctx(), v.Run.ID)
	if err != nil {
		return err
	}
	var ids []int64
	for _, d := range list {
		ids = append(ids, d.ReviewedBy)
	}
	users, err := c.server.DB.OwnersByID(c.ctx(), ids)
	if err != nil {
		return err
	}
	out := []*apiReview{}
	for i, d := range list {
		if i == 0 || !sameReview(list[i-1], d) {
			out = append(out, &apiReview{
				State: d.State, Comment: d.Comment, User: showUser(c.server.rootURL(c.r), users[d.ReviewedBy], c.caller.user),
				ReviewedAt: shown(d.ReviewedAt),
			})
		}
		r, ref := out[len(out)-1], c.showEnvironmentRef(d)
		if !slices.Contains(r.Environments, ref) {
			r.Environments = append(r.Environments, ref)
		}
	}
	return c.json(http.StatusOK, out)
}

func sameReview(a, b *db.Deployment) bool {
	return a.ReviewedBy == b.ReviewedBy && a.State == b.State && a.Comment == b.Comment && a.ReviewedAt.Equal(b.ReviewedAt)
}
