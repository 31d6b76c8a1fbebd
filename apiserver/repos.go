package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) repoRoutes() []endpoint {
	const collaborator = "/repos/{owner}/{repo}/collaborators/{username}"
	return []endpoint{
		{http.MethodPost, "/user/repos", self(), createOwnRepo},
		{http.MethodPost, "/orgs/{org}/repos", orgOwner(), createOrgRepo},
		{http.MethodGet, "/repos/{owner}/{repo}", anyReader(), getRepo},
		{http.MethodPut, collaborator, repoAdmin(), setCollaborator},
		{http.MethodDelete, collaborator, repoAdmin(), removeCollaborator},
	}
}

func createOwnRepo(c *call) error { return createRepo(c, c.caller.user) }

func createOrgRepo(c *call) error { return createRepo(c, c.org) }

// createRepo makes an empty repository, or with clone_url, Pawl's own field, one that lives elsewhere and is fetched
// when needed.
func createRepo(c *call, owner *db.Owner) error {
	var in struct {
		Name             string `json:"name"`
		Description      string `json:"description"`
		Private          bool   `json:"private"`
		AutoInit         bool   `json:"auto_init"`
		DefaultBranch    string `json:"default_branch"`
		ObjectFormatName string `json:"object_format_name"`
		CloneURL         string `json:"clone_url"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	switch {
	case in.AutoInit:
		return fault.Unprocessable("not supported, push the first commit").In("AutoInit")
	case in.ObjectFormatName != "" && in.ObjectFormatName != "sha1":
		return fault.Unprocessable("In(sha1)").In("ObjectFormatName")
	}
	repo, err := c.server.accounts.CreateRepository(c.ctx(), owner, accounts.NewRepository{
		Name: in.Name, Description: in.Description, Private: in.Private, DefaultBranch: in.DefaultBranch, CloneURL: in.CloneURL,
	})
	if err != nil {
		return err
	}
	c.repo, c.access = repo, db.Access{Permission: db.PermissionAdmin, IsOwner: true}
	return c.json(http.StatusCreated, c.shownRepo())
}

func getRepo(c *call) error { return c.json(http.StatusOK, c.shownRepo()) }

func (c *call) shownRepo() *apiRepository {
	return showRepository(c.server.rootURL(c.r), c.repo, c.caller.user, c.access)
}

// setCollaborator gives a user a permission: read, write (the default) or admin.
func setCollaborator(c *call) error {
	in := struct {
		Permission *db.Permission `json:"permission"`
	}{}
	if err := c.bind(&in); err != nil {
		return err
	}
	permission := db.PermissionWrite
	if in.Permission != nil {
		permission = *in.Permission
	}
	switch permission {
	case db.PermissionRead, db.PermissionWrite, db.PermissionAdmin:
	default:
		return fault.Unprocessable("In(read,write,admin)").In("Permission")
	}
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	if user.ID == c.repo.OwnerID {
		return fault.Unprocessable("the owner of a repository cannot be its collaborator")
	}
	if err := c.server.DB.SetCollaborator(c.ctx(), c.repo.ID, user.ID, permission); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func removeCollaborator(c *call) error {
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	if err := c.server.DB.RemoveCollaborator(c.ctx(), c.repo.ID, user.ID); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
