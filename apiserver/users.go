package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/internal/accounts"
)

func (s *Server) userRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/user", self(), getSelf},
		{http.MethodGet, "/user/orgs", self(), listOwnOrgs},
		{http.MethodGet, "/user/keys", self(), listOwnKeys},
		{http.MethodGet, "/users/{username}", []guard{visibleOwner}, getUser},
		{http.MethodGet, "/users/{username}/orgs", []guard{visibleOwner}, listOrgsOfUser},
		{http.MethodPost, "/admin/users", siteAdmin(), createUser},
	}
}

func getSelf(c *call) error {
	return c.json(http.StatusOK, showUser(c.server.rootURL(c.r), c.caller.user, c.caller.user))
}

func getUser(c *call) error {
	return c.json(http.StatusOK, showUser(c.server.rootURL(c.r), c.target, c.caller.user))
}

// listOwnKeys tells that there are no SSH keys, since git is served over HTTP only. Clients ask when they sign in.
func listOwnKeys(c *call) error {
	c.paginate(c.page(), 0)
	return c.json(http.StatusOK, []struct{}{})
}

func listOwnOrgs(c *call) error { return c.listOrgs(c.caller.user.ID) }

func listOrgsOfUser(c *call) error { return c.listOrgs(c.target.ID) }

// listOrgs lists the organizations of a user that the caller may see.
func (c *call) listOrgs(user int64) error {
	viewer := c.caller.user
	if c.caller.scopes.PublicOnly() {
		viewer = nil
	}
	page := c.page()
	orgs, total, err := c.server.DB.Organizations(c.ctx(), user, viewer, page)
	if err != nil {
		return err
	}
	out := make([]*apiOrganization, len(orgs))
	for i, o := range orgs {
		out[i] = showOrganization(o)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// createUser makes a user who can sign in with the password at once.
func createUser(c *call) error {
	var in struct {
		Username   string `json:"username"`
		FullName   string `json:"full_name"`
		Email      string `json:"email"`
		Password   string `json:"password"`
		Visibility string `json:"visibility"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := accounts.CheckPassword(in.Password); in.Username != "" && err != nil {
		return err
	}
	user, err := c.server.accounts.CreateUser(c.ctx(), accounts.NewUser{
		Login: in.Username, FullName: in.FullName, Email: in.Email, Password: in.Password, Visibility: in.Visibility,
	})
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, showUser(c.server.rootURL(c.r), user, c.caller.user))
}
