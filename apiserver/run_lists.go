package apiserver

import (
	"errors"
	"net/http"
	"strconv"

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

func listRepoRuns(c *call) error {
	if c.isBatch() {
		return batchRuns(c)
	}
	return listRuns(c, db.RunFilter{RepoID: c.repo.ID})
}

// listWorkflowRuns knows workflows by their runs too, because the file may be gone. Those of scoped workflows are known
// by nothing else.
func listWorkflowRuns(c *call) error {
	file, source := c.params["workflow_id"], c.sourceRepo()
	ran, err := c.server.DB.WorkflowRan(c.ctx(), c.repo.ID, file, source)
	if err != nil {
		return err
	}
	if !ran && source != 0 {
		return fault.NotFound("workflow %q doesn't exist", file)
	}
	if !ran {
		if _, err := c.server.Trigger.Workflow(c.ctx(), c.repo, file); err != nil {
			return err
		}
	}
	return listRuns(c, db.RunFilter{RepoID: c.repo.ID, WorkflowFile: file, SourceRepoID: &source})
}

// sourceRepo is the repository whose scoped workflows are meant; 0 means the repository's own workflows. What is no id
// acts as one that nobody has.
func (c *call) sourceRepo() int64 {
	value := c.values.Get(scopedSourceParam)
	if value == "" {
		return 0
	}
	id, err := strconv.ParseInt(value, 10, 64)
	if err != nil || id < 0 {
		return -1
	}
	return id
}

const scopedSourceParam = "scoped_workflow_source_repo_id"

func listOrgRuns(c *call) error {
	return listRuns(c, db.RunFilter{OwnerID: c.org.ID})
}

func listUserRuns(c *call) error { return listRuns(c, db.RunFilter{OwnerID: c.caller.user.ID}) }

func listAllRuns(c *call) error { return listRuns(c, db.RunFilter{}) }

// listRuns adds the filters of the query (rest-api.md §2.1).
func listRuns(c *call, f db.RunFilter) error {
	known, err := c.readRunFilter(&f)
	if err != nil {
		return err
	}
	kind := cursorOfRuns
	if f.RepoID != 0 {
		kind = cursorOfNumbers
	}
	if f.Page, err = c.seekPage(kind); err != nil {
		return err
	}
	var views []*db.RunView
	var l db.Listed
	if known {
		if views, l, err = c.server.DB.Runs(c.ctx(), f); err != nil {
			return err
		}
	}
	shown, err := c.showRuns(views)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, apiRunList{WorkflowRuns: shown, apiListed: c.listed(kind, f.Page, l)})
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
	if source := c.sourceRepo(); source != 0 && f.SourceRepoID == nil {
		f.SourceRepoID = &source
	}
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
