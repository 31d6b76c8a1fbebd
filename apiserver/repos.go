package apiserver

import (
	"net/http"
	"strconv"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

func (s *Server) repoRoutes() []endpoint {
	const collaborator = "/repos/{owner}/{repo}/collaborators/{username}"
	return []endpoint{
		{http.MethodPost, "/user/repos", self(), createOwnRepo},
		{http.MethodPost, "/orgs/{org}/repos", orgOwner(), createOrgRepo},
		{http.MethodGet, "/repos/{owner}/{repo}", anyReader(), getRepo},
		{http.MethodPatch, "/repos/{owner}/{repo}", repoAdmin(), editRepo},
		{http.MethodPut, collaborator, repoAdmin(), setCollaborator},
		{http.MethodDelete, collaborator, repoAdmin(), removeCollaborator},
	}
}

func createOwnRepo(c *call) error { return createRepo(c, c.caller.user) }

func createOrgRepo(c *call) error { return createRepo(c, c.org) }

// newRepo is the body that makes a repository. What is about issues, templates and signatures is accepted and has no
// meaning here.
type newRepo struct {
	Name             string `json:"name"`
	Description      string `json:"description"`
	Private          bool   `json:"private"`
	AutoInit         bool   `json:"auto_init"`
	Readme           string `json:"readme"`
	Gitignores       string `json:"gitignores"`
	License          string `json:"license"`
	DefaultBranch    string `json:"default_branch"`
	ObjectFormatName string `json:"object_format_name"`
	// CloneURL is Pawl's own: the repository lives there and is fetched when needed.
	CloneURL string `json:"clone_url"`
}

func (in newRepo) check() error {
	switch {
	case in.ObjectFormatName != "" && in.ObjectFormatName != "sha1":
		return fault.Unprocessable("In(sha1)").In("ObjectFormatName")
	case !in.AutoInit:
		return nil
	case in.Readme != "" && in.Readme != "Default":
		return fault.BadRequest("readme template does not exist, available templates: [Default]")
	case in.Gitignores != "" || in.License != "":
		return fault.BadRequest("there are no templates of gitignores and licenses here")
	}
	return nil
}

// firstCommit has the name and description of the repository in a README, as Gitea's default template.
func (in newRepo) firstCommit(c *call) *git.Change {
	if !in.AutoInit {
		return nil
	}
	text := "# " + in.Name + "\n"
	if in.Description != "" {
		text += "\n" + in.Description + "\n"
	}
	return &git.Change{
		Files: map[string][]byte{"README.md": []byte(text)}, Message: "Initial commit\n",
		Author: git.Signature{Name: c.caller.user.Login, Email: c.emailOf(c.caller.user), When: c.server.Now().UTC()},
	}
}

// createRepo makes a repository: empty, with a first commit, or one that lives elsewhere.
func createRepo(c *call, owner *db.Owner) error {
	var in newRepo
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := in.check(); err != nil {
		return err
	}
	repo, err := c.server.accounts.CreateRepository(c.ctx(), owner, accounts.NewRepository{
		Name: in.Name, Description: in.Description, Private: in.Private, DefaultBranch: in.DefaultBranch, CloneURL: in.CloneURL,
		FirstCommit: in.firstCommit(c),
	})
	if err != nil {
		return err
	}
	c.repo, c.access = repo, db.Access{Permission: db.PermissionAdmin, IsOwner: true}
	return c.json(http.StatusCreated, c.shownRepo())
}

func getRepo(c *call) error { return c.json(http.StatusOK, c.shownRepo()) }

// editRepo changes what a repository has of itself here; names stay. The default branch must be there, unless none is.
func editRepo(c *call) error {
	var in struct {
		Name          *string `json:"name"`
		Description   *string `json:"description"`
		Private       *bool   `json:"private"`
		DefaultBranch *string `json:"default_branch"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if in.Private != nil {
		c.note("private", strconv.FormatBool(*in.Private))
	}
	if in.Name != nil && *in.Name != c.repo.Name {
		return fault.Unprocessable("repositories cannot be renamed").In("Name")
	}
	if in.DefaultBranch != nil && !c.repo.IsEmpty {
		_, err := c.server.Trigger.Branch(c.ctx(), c.repo, *in.DefaultBranch)
		if fault.Has(err, fault.CodeNotFound) {
			return fault.Unprocessable("%s", fault.From(err).Text()).In("DefaultBranch")
		}
		if err != nil {
			return err
		}
	}
	edit := db.RepositoryEdit{Description: in.Description, DefaultBranch: in.DefaultBranch, IsPrivate: in.Private}
	if err := c.server.accounts.EditRepository(c.ctx(), c.repo, edit); err != nil {
		return err
	}
	changed, err := c.server.DB.RepositoryByID(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	c.repo = changed
	return getRepo(c)
}

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
	c.note("permission", string(permission))
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
