package apiserver

import (
	"slices"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// apiEnvironment is GitHub's environment; Gitea has none.
type apiEnvironment struct {
	ID              int64               `json:"id"`
	Name            string              `json:"name"`
	URL             string              `json:"url"`
	HTMLURL         string              `json:"html_url"`
	CreatedAt       time.Time           `json:"created_at"`
	UpdatedAt       time.Time           `json:"updated_at"`
	ProtectionRules []apiProtectionRule `json:"protection_rules"`
	// DeploymentBranchPolicy is null: all branches may deploy.
	DeploymentBranchPolicy *struct{} `json:"deployment_branch_policy"`
}

type apiEnvironmentList struct {
	TotalCount   int               `json:"total_count"`
	Environments []*apiEnvironment `json:"environments"`
}

// apiProtectionRule is of one of two types, each with fields of its own.
type apiProtectionRule struct {
	ID                int64         `json:"id"`
	Type              string        `json:"type"`
	WaitTimer         int           `json:"wait_timer,omitempty"`
	PreventSelfReview *bool         `json:"prevent_self_review,omitempty"`
	Reviewers         []apiReviewer `json:"reviewers,omitempty"`
}

const (
	ruleWaitTimer = "wait_timer"
	ruleReviewers = "required_reviewers"
)

type apiReviewer struct {
	Type     string   `json:"type"`
	Reviewer *apiUser `json:"reviewer"`
}

// The types of reviewers. GitHub has teams in the place of organizations.
const (
	reviewerUser = "User"
	reviewerOrg  = "Organization"
)

// reviewersOf loads the accounts that environments name.
func (c *call) reviewersOf(environments ...*db.Environment) (map[int64]*db.Owner, error) {
	var ids []int64
	for _, e := range environments {
		ids = append(ids, e.Reviewers...)
	}
	return c.server.DB.OwnersByID(c.ctx(), ids)
}

func (c *call) showEnvironment(e *db.Environment, owners map[int64]*db.Owner) *apiEnvironment {
	out := &apiEnvironment{
		ID: e.ID, Name: e.Name, URL: c.environmentURL(e.Name), HTMLURL: c.links().html, CreatedAt: shown(e.CreatedAt),
		UpdatedAt: shown(e.UpdatedAt), ProtectionRules: []apiProtectionRule{},
	}
	if e.WaitMinutes > 0 {
		out.ProtectionRules = append(out.ProtectionRules, apiProtectionRule{ID: e.ID, Type: ruleWaitTimer, WaitTimer: e.WaitMinutes})
	}
	if len(e.Reviewers) > 0 {
		out.ProtectionRules = append(out.ProtectionRules, apiProtectionRule{
			ID: e.ID, Type: ruleReviewers, PreventSelfReview: &e.PreventSelfReview, Reviewers: c.showReviewers(e, owners),
		})
	}
	return out
}

func (c *call) showReviewers(e *db.Environment, owners map[int64]*db.Owner) []apiReviewer {
	out := make([]apiReviewer, len(e.Reviewers))
	for i, id := range e.Reviewers {
		out[i] = apiReviewer{Type: reviewerUser, Reviewer: showUser(c.server.rootURL(c.r), owners[id], c.caller.user)}
		if owners[id].Kind == db.KindOrganization {
			out[i].Type = reviewerOrg
		}
	}
	return out
}

// links are those of the repository of the path.
func (c *call) links() links { return repoLinks(c.server.rootURL(c.r), c.repo) }

func (c *call) environmentURL(name string) string { return c.links().environment(name) }

// apiEnvironmentRef names an environment, also one that is gone.
type apiEnvironmentRef struct {
	ID      int64  `json:"id"`
	Name    string `json:"name"`
	URL     string `json:"url"`
	HTMLURL string `json:"html_url"`
}

func (c *call) showEnvironmentRef(d *db.Deployment) apiEnvironmentRef {
	return apiEnvironmentRef{ID: d.EnvironmentID, Name: d.Environment, URL: c.environmentURL(d.Environment), HTMLURL: c.links().html}
}

// apiPendingDeployment is an environment that jobs of a run wait for, in GitHub's form. JobIDs and WaitUntil are Pawl's
// own.
type apiPendingDeployment struct {
	Environment           apiEnvironmentRef `json:"environment"`
	WaitTimer             int               `json:"wait_timer"`
	WaitTimerStartedAt    *time.Time        `json:"wait_timer_started_at"`
	CurrentUserCanApprove bool              `json:"current_user_can_approve"`
	Reviewers             []apiReviewer     `json:"reviewers"`
	JobIDs                []int64           `json:"job_ids"`
	WaitUntil             *time.Time        `json:"wait_until"`
}

// apiDeployment is a job that deploys, in GitHub's form: its id is that of the job. State, Comment and RunID are Pawl's
// own.
type apiDeployment struct {
	ID                  int64              `json:"id"`
	URL                 string             `json:"url"`
	SHA                 string             `json:"sha"`
	Ref                 string             `json:"ref"`
	Task                string             `json:"task"`
	Environment         string             `json:"environment"`
	OriginalEnvironment string             `json:"original_environment"`
	Description         string             `json:"description"`
	Creator             *apiUser           `json:"creator"`
	CreatedAt           time.Time          `json:"created_at"`
	UpdatedAt           time.Time          `json:"updated_at"`
	RepositoryURL       string             `json:"repository_url"`
	State               db.DeploymentState `json:"state"`
	Comment             string             `json:"comment"`
	RunID               int64              `json:"run_id"`
}

func (c *call) showDeployment(d db.Deployment, v *db.RunView) apiDeployment {
	return apiDeployment{
		ID: d.JobID, URL: c.links().job(d.JobID), SHA: v.Run.SHA, Ref: shortRef(v.Run.Ref), Task: "deploy",
		Environment: d.Environment, OriginalEnvironment: d.Environment,
		Creator:   showUser(c.server.rootURL(c.r), v.TriggerUser, c.caller.user),
		CreatedAt: shown(d.CreatedAt), UpdatedAt: shownOrEpoch(latest(d.CreatedAt, d.ReviewedAt)), RepositoryURL: c.links().api,
		State: d.State, Comment: d.Comment, RunID: d.RunID,
	}
}

func latest(times ...time.Time) time.Time { return slices.MaxFunc(times, time.Time.Compare) }

// apiReview is what somebody said of jobs that deploy, in GitHub's form.
type apiReview struct {
	State        db.DeploymentState  `json:"state"`
	Comment      string              `json:"comment"`
	Environments []apiEnvironmentRef `json:"environments"`
	User         *apiUser            `json:"user"`
	ReviewedAt   time.Time           `json:"reviewed_at"` // Pawl's own
}
