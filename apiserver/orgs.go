package apiserver

import (
	"errors"
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

func (s *Server) orgRoutes() []endpoint {
	const member = "/orgs/{org}/members/{username}"
	return []endpoint{
		{http.MethodPost, "/orgs", self(), createOrg},
		{http.MethodGet, "/orgs/{org}", []guard{inOrg("")}, getOrg},
		{http.MethodGet, "/orgs/{org}/members", orgMember(), listMembers},
		{http.MethodGet, member, orgMember(), checkMember},
		{http.MethodPut, member, orgOwner(), setMember},
		{http.MethodDelete, member, orgOwner(), removeMember},
	}
}

func createOrg(c *call) error {
	var in struct {
		Username    string `json:"username"`
		FullName    string `json:"full_name"`
		Email       string `json:"email"`
		Description string `json:"description"`
		Visibility  string `json:"visibility"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	org, err := c.server.accounts.CreateOrganization(c.ctx(), accounts.NewOrganization{
		Login: in.Username, FullName: in.FullName, Email: in.Email, Description: in.Description, Visibility: in.Visibility,
	}, c.caller.user.ID)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, showOrganization(org))
}

func getOrg(c *call) error { return c.json(http.StatusOK, showOrganization(c.org)) }

func listMembers(c *call) error {
	page := c.page()
	members, total, err := c.server.DB.OrgMembers(c.ctx(), c.org.ID, page)
	if err != nil {
		return err
	}
	out := make([]*apiUser, len(members))
	for i, m := range members {
		out[i] = showUser(c.server.rootURL(c.r), m, c.caller.user)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// checkMember answers 204 for a member and 404 for anybody else.
func checkMember(c *call) error {
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	role, err := c.server.DB.OrgRole(c.ctx(), c.org.ID, user.ID)
	if err != nil {
		return err
	}
	if role == "" {
		return errNotFound()
	}
	return c.empty(http.StatusNoContent)
}

// setMember is Pawl's own call, in place of Gitea's teams: it makes a user a member, or, with {"role": "owner"}, an
// owner.
func setMember(c *call) error {
	in := struct {
		Role db.OrgRole `json:"role"`
	}{Role: db.RoleMember}
	if err := c.bind(&in); err != nil {
		return err
	}
	if in.Role != db.RoleMember && in.Role != db.RoleOwner {
		return fault.Unprocessable("In(owner,member)").In("Role")
	}
	c.note("role", string(in.Role))
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	if err := c.server.DB.SetOrgMember(c.ctx(), c.org.ID, user.ID, in.Role); err != nil {
		return memberFault(err)
	}
	return c.empty(http.StatusNoContent)
}

func removeMember(c *call) error {
	user, err := c.userNamed("username")
	if err != nil {
		return err
	}
	if err := c.server.DB.RemoveOrgMember(c.ctx(), c.org.ID, user.ID); err != nil {
		return memberFault(err)
	}
	return c.empty(http.StatusNoContent)
}

func memberFault(err error) error {
	if errors.Is(err, db.ErrLastOwner) {
		return fault.Conflict("%s", db.ErrLastOwner.Error())
	}
	return err
}

// userNamed looks up the user that a parameter of the path names.
func (c *call) userNamed(param string) (*db.Owner, error) {
	user, err := c.server.DB.OwnerByLogin(c.ctx(), c.params[param])
	if errors.Is(err, db.ErrNotFound) || (err == nil && (user.Kind != db.KindUser || user.ID == db.ActionsBotID)) {
		return nil, fault.NotFound("user does not exist")
	}
	return user, err
}
