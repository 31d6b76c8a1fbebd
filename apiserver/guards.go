package apiserver

import (
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// The texts of refusals, as Gitea has them (rest-api.md §1.4).
const (
	textTokenRequired = "token is required"
	textReadNeeded    = "user should have specific read permission or be a repo admin or a site admin"
	textWriteNeeded   = "user should have a permission to write to a repo"
	textAdminNeeded   = "user should be an owner or a collaborator with admin write of a repository"
	textOwnerNeeded   = "user should be the owner of the repo"
	textMemberNeeded  = "Must be an organization member"
	textOrgOwner      = "Must be an organization owner"
	textSiteAdmin     = "user should be the site admin"
)

func isSignedIn(c *call) error {
	if c.caller.anonymous() {
		return fault.Unauthenticated(textTokenRequired)
	}
	return nil
}

// isPerson refuses tasks too, which have no place outside of repositories (execution-semantics.md §11).
func isPerson(c *call) error {
	if err := isSignedIn(c); err != nil {
		return err
	}
	if c.caller.task != nil {
		return fault.Forbidden("the token of a task may not be used here")
	}
	return nil
}

func isSiteAdmin(c *call) error {
	if err := isPerson(c); err != nil {
		return err
	}
	if !c.caller.user.IsAdmin {
		return fault.Forbidden(textSiteAdmin)
	}
	return nil
}

// seesPrivate refuses public-only tokens for what spans repositories.
func seesPrivate(c *call) error {
	if c.caller.scopes.PublicOnly() {
		return fault.Forbidden("this token is limited to public resources")
	}
	return nil
}

// aboutUser looks up {username} for its owner and site admins, whose password must have been given: with it, and not
// with a token, tokens are made.
func aboutUser(c *call) error {
	if !c.caller.password {
		return fault.Unauthenticated("auth required")
	}
	user, err := c.server.DB.OwnerByLogin(c.ctx(), c.params["username"])
	if errors.Is(err, db.ErrNotFound) || (err == nil && user.Kind != db.KindUser) {
		return fault.NotFound("user does not exist")
	}
	if err != nil {
		return err
	}
	if user.ID != c.caller.user.ID && !c.caller.user.IsAdmin {
		return fault.Forbidden("doer should be the site admin or be same as the contextUser")
	}
	c.target = user
	return nil
}

// visibleOwner looks up {username}, a user or an organization that the caller may see.
func visibleOwner(c *call) error {
	hidden := fault.NotFound("user does not exist")
	owner, role, err := c.server.DB.OwnerFor(c.ctx(), c.params["username"], c.caller.userID())
	if errors.Is(err, db.ErrNotFound) {
		return hidden
	}
	if err != nil {
		return err
	}
	if !c.seesOrg(owner, role) && owner.ID != c.caller.userID() {
		return hidden
	}
	c.target = owner
	return nil
}

// inRepo looks up {owner}/{repo} and lets pass who has the permission there; anonymous callers only where allowed.
// Who may not even read it hears that it is not there.
func inRepo(want db.Permission, anonymous bool) guard {
	return func(c *call) error {
		if err := c.findRepo(); err != nil {
			return err
		}
		if !anonymous && c.caller.anonymous() {
			return fault.Unauthenticated(textTokenRequired)
		}
		if c.access.Permission.Includes(want) {
			return nil
		}
		return fault.Forbidden("%s", map[db.Permission]string{
			db.PermissionRead: textReadNeeded, db.PermissionWrite: textWriteNeeded, db.PermissionAdmin: textAdminNeeded,
		}[want])
	}
}

func (c *call) findRepo() error {
	repo, standing, err := c.server.DB.RepositoryFor(c.ctx(), c.params["owner"], c.params["repo"], c.caller.userID())
	if errors.Is(err, db.ErrNotFound) {
		return errNotFound()
	}
	if err != nil {
		return err
	}
	c.repo, c.access = repo, c.caller.access(repo, standing)
	if c.access.Permission == db.PermissionNone {
		return errNotFound()
	}
	return nil
}

func isRepoOwner(c *call) error {
	if !c.access.IsOwner {
		return fault.Forbidden(textOwnerNeeded)
	}
	return nil
}

// The guards of routes below /repos/{owner}/{repo}, by the words of rest-api.md §1.4.
func anyReader() []guard { return []guard{inRepo(db.PermissionRead, true)} }
func reader() []guard    { return []guard{inRepo(db.PermissionRead, false)} }
func writer() []guard    { return []guard{inRepo(db.PermissionWrite, false)} }
func repoAdmin() []guard { return []guard{inRepo(db.PermissionAdmin, false)} }
func repoOwner() []guard { return []guard{inRepo(db.PermissionRead, false), isRepoOwner} }

// inOrg looks up {org} and lets pass who has the role there; an empty role is everybody who may see it.
func inOrg(want db.OrgRole) guard {
	return func(c *call) error {
		role, err := c.findOrg()
		if err != nil {
			return err
		}
		if want == "" {
			return nil
		}
		if err := isPerson(c); err != nil {
			return err
		}
		switch {
		case c.caller.user.IsAdmin || role == db.RoleOwner || role == want:
			return nil
		case want == db.RoleOwner:
			return fault.Forbidden(textOrgOwner)
		default:
			return fault.Forbidden(textMemberNeeded)
		}
	}
}

// findOrg hides what the caller may not see: private organizations from all but members, limited ones from anonymous
// callers.
func (c *call) findOrg() (db.OrgRole, error) {
	org, role, err := c.server.DB.OwnerFor(c.ctx(), c.params["org"], c.caller.userID())
	if errors.Is(err, db.ErrNotFound) || (err == nil && org.Kind != db.KindOrganization) {
		return "", errNotFound()
	}
	if err != nil {
		return "", err
	}
	c.org = org
	if !c.seesOrg(org, role) {
		return "", errNotFound()
	}
	return role, nil
}

func (c *call) seesOrg(org *db.Owner, role db.OrgRole) bool {
	switch {
	case org.Visibility == "public":
		return true
	case c.caller.scopes.PublicOnly() || c.caller.anonymous() || c.caller.task != nil:
		return false
	default:
		return org.Visibility == "limited" || role != "" || c.caller.user.IsAdmin
	}
}

func orgMember() []guard { return []guard{inOrg(db.RoleMember)} }
func orgOwner() []guard  { return []guard{inOrg(db.RoleOwner)} }
func self() []guard      { return []guard{isPerson} }
func siteAdmin() []guard { return []guard{isSiteAdmin} }
