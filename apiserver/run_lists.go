package apiserver

import (
	"errors"
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) runListRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/repos/{owner}/{repo}/actions/runs", reader(), listRepoRuns},
		{http.MethodGet, "/repos/{owner}/{repo}/actions/workflows/{workflow_id}/runs", reader(), listWorkflowRuns},
		{http.MethodGet, "/orgs/{org}/actions/runs", append(orgMember(), seesPrivate), listOrgRuns},
		{http.MethodGet, "/user/actions/runs", []guard{isPerson, seesPrivate}, listUserRuns},
		{http.MethodGet, "/admin/actions/runs", append(siteAdmin(), seesPrivate), listAllRuns},
	}
}

func listRepoRuns(c *call) error { return listRuns(c, db.RunFilter{RepoID: c.repo.ID}) }

// listWorkflowRuns knows workflows by their runs too, because the file may be gone.
func listWorkflowRuns(c *call) error {
	file := c.params["workflow_id"]
	if err := c.ownSource(); err != nil {
		return err
	}
	ran, err := c.server.DB.WorkflowRan(c.ctx(), c.repo.ID, file)
	if err != nil {
		return err
	}
	if !ran {
		if _, err := c.server.Trigger.Workflow(c.ctx(), c.repo, file); err != nil {
			return err
		}
	}
	return listRuns(c, db.RunFilter{RepoID: c.repo.ID, WorkflowFile: file})
}

// ownSource refuses workflow files of other repositories, of which there are none.
func (c *call) ownSource() error {
	source := c.values.Get("scoped_workflow_source_repo_id")
	if source != "" && c.number("scoped_workflow_source_repo_id") != 0 {
		return fault.NotFound("workflow %q doesn't exist", c.params["workflow_id"])
	}
	return nil
}

func listOrgRuns(c *call) error {
	return listRuns(c, db.RunFilter{OwnerID: c.org.ID, ReadableBy: c.caller.user})
}

func listUserRuns(c *call) error { return listRuns(c, db.RunFilter{OwnerID: c.caller.user.ID}) }

func listAllRuns(c *call) error { return listRuns(c, db.RunFilter{}) }

// listRuns adds the filters of the query (rest-api.md §2.1).
func listRuns(c *call, f db.RunFilter) error {
	known, err := c.readRunFilter(&f)
	if err != nil {
		return err
	}
	f.Page = c.page()
	var views []*db.RunView
	var total int
	if known {
		if views, total, err = c.server.DB.Runs(c.ctx(), f); err != nil {
			return err
		}
	}
	out := apiRunList{WorkflowRuns: []*apiRun{}, TotalCount: total}
	for _, v := range views {
		if repo := c.repoOf(v.Repository); repo != nil && v.Attempt != nil {
			out.WorkflowRuns = append(out.WorkflowRuns, c.showRun(v, repo))
		}
	}
	c.paginate(f.Page, total)
	return c.json(http.StatusOK, out)
}

// repoOf is the repository of an entry of a list: its own, or that of the path.
func (c *call) repoOf(own *db.Repository) *db.Repository {
	if c.repo != nil {
		return c.repo
	}
	return own
}

// readRunFilter answers false when nothing can match, because nobody has the name of the actor.
func (c *call) readRunFilter(f *db.RunFilter) (known bool, err error) {
	f.Event, f.SHA = c.values.Get("event"), c.values.Get("head_sha")
	if branch := c.values.Get("branch"); branch != "" {
		f.Ref = "refs/heads/" + branch
	}
	if f.Statuses, err = c.statuses(); err != nil {
		return false, err
	}
	login := c.values.Get("actor")
	if login == "" {
		return true, nil
	}
	actor, err := c.server.DB.OwnerByLogin(c.ctx(), login)
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	f.ActorID = actor.ID
	return true, nil
}

// statuses are the states that the repeatable query parameter status selects; none means all.
func (c *call) statuses() ([]ci.Status, error) {
	var out []ci.Status
	for _, word := range c.values["status"] {
		if word == "" {
			continue
		}
		selected, err := ci.ParseStatusFilter(word)
		if err != nil {
			return nil, fault.BadRequest("%s", err.Error())
		}
		out = append(out, selected...)
	}
	return out, nil
}
