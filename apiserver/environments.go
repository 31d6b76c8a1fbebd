package apiserver

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// environmentRoutes are GitHub's.
func (s *Server) environmentRoutes() []endpoint {
	const all = "/repos/{owner}/{repo}/environments"
	const one = all + "/{name}"
	return []endpoint{
		{http.MethodGet, all, reader(), listEnvironments},
		{http.MethodGet, one, reader(), getEnvironment},
		{http.MethodPut, one, repoAdmin(), putEnvironment},
		{http.MethodDelete, one, repoAdmin(), deleteEnvironment},
	}
}

// The limits of an environment, as GitHub has them.
const (
	maxEnvironmentName = 255
	maxWaitMinutes     = 43_200 // 30 days
	maxReviewers       = 6
)

func listEnvironments(c *call) error {
	page := c.page()
	list, total, err := c.server.DB.Environments(c.ctx(), c.repo.ID, page)
	if err != nil {
		return err
	}
	owners, err := c.reviewersOf(list...)
	if err != nil {
		return err
	}
	out := apiEnvironmentList{TotalCount: total, Environments: make([]*apiEnvironment, len(list))}
	for i, e := range list {
		out.Environments[i] = c.showEnvironment(e, owners)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

func getEnvironment(c *call) error {
	e, err := c.server.DB.EnvironmentByName(c.ctx(), c.repo.ID, c.params["name"])
	if err != nil {
		return err
	}
	return c.answerEnvironment(e)
}

func (c *call) answerEnvironment(e *db.Environment) error {
	owners, err := c.reviewersOf(e)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showEnvironment(e, owners))
}

// environmentRules is the body that makes or replaces an environment. What is absent is no rule.
type environmentRules struct {
	WaitTimer         int           `json:"wait_timer"`
	PreventSelfReview bool          `json:"prevent_self_review"`
	Reviewers         []reviewerRef `json:"reviewers"`
	// DeploymentBranchPolicy must be null: a rule that is not kept must not look as if it were.
	DeploymentBranchPolicy *struct{} `json:"deployment_branch_policy"`
}

type reviewerRef struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
}

func (in environmentRules) check() error {
	switch {
	case in.WaitTimer < 0 || in.WaitTimer > maxWaitMinutes:
		return fault.Unprocessable("Range(0,%d)", maxWaitMinutes).In("WaitTimer")
	case len(in.Reviewers) > maxReviewers:
		return fault.Unprocessable("MaxSize(%d)", maxReviewers).In("Reviewers")
	case in.DeploymentBranchPolicy != nil:
		return fault.Unprocessable("not supported").In("DeploymentBranchPolicy")
	}
	return nil
}

// putEnvironment makes an environment, or replaces its rules.
func putEnvironment(c *call) error {
	name := c.params["name"]
	if err := checkEnvironmentName(name); err != nil {
		return err
	}
	var in environmentRules
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	reviewers, err := c.resolveReviewers(in.Reviewers)
	if err != nil {
		return err
	}
	e := &db.Environment{
		RepoID: c.repo.ID, Name: name, WaitMinutes: in.WaitTimer, Reviewers: reviewers, PreventSelfReview: in.PreventSelfReview,
	}
	if err := c.server.DB.PutEnvironment(c.ctx(), e); err != nil {
		return err
	}
	return c.answerEnvironment(e)
}

// checkEnvironmentName refuses names that no `environment` in a workflow file could mean.
func checkEnvironmentName(name string) error {
	switch {
	case utf8.RuneCountInString(name) > maxEnvironmentName:
		return fault.Unprocessable("MaxSize(%d)", maxEnvironmentName).In("Name")
	case strings.TrimSpace(name) != name || strings.ContainsFunc(name, unicode.IsControl):
		return fault.Unprocessable("must not begin or end with a space, or hold control characters").In("Name")
	}
	return nil
}

// resolveReviewers looks up who is named; one named twice counts once.
func (c *call) resolveReviewers(refs []reviewerRef) ([]int64, error) {
	ids := []int64{}
	for _, ref := range refs {
		if err := c.checkReviewer(ref); err != nil {
			return nil, err
		}
		if !slices.Contains(ids, ref.ID) {
			ids = append(ids, ref.ID)
		}
	}
	return ids, nil
}

// checkReviewer wants a user who may read the repository, or an organization that the caller may see.
func (c *call) checkReviewer(ref reviewerRef) error {
	kind, known := map[string]db.OwnerKind{reviewerUser: db.KindUser, reviewerOrg: db.KindOrganization}[ref.Type]
	if !known {
		return fault.Unprocessable("In(%s,%s)", reviewerUser, reviewerOrg).In("Reviewers.type")
	}
	unknown := fault.Unprocessable("there is no such reviewer who may read the repository").In("Reviewers.id")
	owner, err := c.server.DB.OwnerByID(c.ctx(), ref.ID)
	if errors.Is(err, db.ErrNotFound) || (err == nil && (owner.Kind != kind || owner.ID <= 0)) {
		return unknown
	}
	if err != nil {
		return err
	}
	fits, err := c.fitsAsReviewer(owner)
	if err == nil && !fits {
		return unknown
	}
	return err
}

func (c *call) fitsAsReviewer(owner *db.Owner) (bool, error) {
	if owner.Kind == db.KindOrganization {
		role, err := c.server.DB.OrgRole(c.ctx(), owner.ID, c.caller.userID())
		return c.seesOrg(owner, role), err
	}
	repo, standing, err := c.server.DB.RepositoryFor(c.ctx(), c.repo.Owner.Login, c.repo.Name, owner.ID)
	if err != nil {
		return false, err
	}
	return repo.Access(owner, standing).Permission.Includes(db.PermissionRead), nil
}

func deleteEnvironment(c *call) error {
	err := c.server.DB.DeleteEnvironment(c.ctx(), c.repo.ID, c.params["name"])
	if errors.Is(err, db.ErrConflict) {
		return fault.Conflict("jobs wait for this environment; review or cancel them first")
	}
	if err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
