package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) repoListRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/repos/search", nil, searchRepos},
		{http.MethodGet, "/repositories/{id}", nil, getRepoByID},
		{http.MethodGet, "/user/repos", self(), listOwnRepos},
		{http.MethodGet, "/users/{username}/repos", []guard{visibleOwner}, listReposOfUser},
		{http.MethodGet, "/orgs/{org}/repos", []guard{inOrg("")}, listOrgRepos},
	}
}

// listRepos answers with a bare array.
func (c *call) listRepos(f db.RepositoryFilter) error {
	out, err := c.repos(f)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, out)
}

// repos are the repositories of a filter that the caller may see. A task has no more standing in a list than anybody.
func (c *call) repos(f db.RepositoryFilter) ([]*apiRepository, error) {
	f.Page, f.Viewer, f.PublicOnly = c.page(), c.caller.user, c.caller.scopes.PublicOnly()
	views, total, err := c.server.DB.Repositories(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	out := make([]*apiRepository, len(views))
	for i, v := range views {
		out[i] = showRepository(c.server.rootURL(c.r), v.Repository, c.caller.user, c.caller.access(v.Repository, v.Standing))
	}
	c.paginate(f.Page, total)
	return out, nil
}

// searchRepos takes a part of the name, an owner's id and an order; the other parameters of Gitea's select nothing that
// Pawl has.
func searchRepos(c *call) error {
	f := db.RepositoryFilter{
		Text: c.values.Get("q"), OwnerID: int64(c.number("uid")),
		Sort: db.RepositorySort{By: c.values.Get("sort"), Descending: c.values.Get("order") == "desc"},
	}
	if !f.Sort.Valid() {
		return fault.Unprocessable("Invalid sort mode: %q", f.Sort.By)
	}
	if order := c.values.Get("order"); order != "" && order != "asc" && order != "desc" {
		return fault.Unprocessable("Invalid sort order: %q", order)
	}
	out, err := c.repos(f)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, map[string]any{"ok": true, "data": out})
}

// getRepoByID finds the names of the repository and goes on as if they had been in the path.
func getRepoByID(c *call) error {
	repo, err := c.server.DB.RepositoryByID(c.ctx(), c.id("id"))
	if err != nil {
		return err
	}
	c.params["owner"], c.params["repo"] = repo.Owner.Login, repo.Name
	if err := c.findRepo(); err != nil {
		return err
	}
	return getRepo(c)
}

// listOwnRepos lists what the caller owns, was given, or sees as a member of an organization.
func listOwnRepos(c *call) error {
	return c.listRepos(db.RepositoryFilter{MemberID: c.caller.user.ID})
}

func listReposOfUser(c *call) error { return c.listRepos(db.RepositoryFilter{OwnerID: c.target.ID}) }

func listOrgRepos(c *call) error { return c.listRepos(db.RepositoryFilter{OwnerID: c.org.ID}) }
