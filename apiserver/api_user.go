package apiserver

import (
	"net/url"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// apiUser is the User of rest-api.md §10.
type apiUser struct {
	ID                int64     `json:"id"`
	Login             string    `json:"login"`
	LoginName         string    `json:"login_name"`
	SourceID          int64     `json:"source_id"`
	FullName          string    `json:"full_name"`
	Email             string    `json:"email"`
	AvatarURL         string    `json:"avatar_url"`
	HTMLURL           string    `json:"html_url"`
	Language          string    `json:"language"`
	IsAdmin           bool      `json:"is_admin"`
	LastLogin         time.Time `json:"last_login"`
	Created           time.Time `json:"created"`
	Restricted        bool      `json:"restricted"`
	Active            bool      `json:"active"`
	ProhibitLogin     bool      `json:"prohibit_login"`
	Location          string    `json:"location"`
	Website           string    `json:"website"`
	Description       string    `json:"description"`
	Visibility        string    `json:"visibility"`
	FollowersCount    int       `json:"followers_count"`
	FollowingCount    int       `json:"following_count"`
	StarredReposCount int       `json:"starred_repos_count"`
	UserName          string    `json:"username"`
}

// user shows an account to a viewer, who may be nil. Only the account itself and site admins learn what is private.
func showUser(root string, o, viewer *db.Owner) *apiUser {
	u := &apiUser{
		ID: o.ID, Login: o.Login, UserName: o.Login, FullName: o.FullName, Description: o.Description,
		Email: noReply(root, o), AvatarURL: "", HTMLURL: root + "/" + o.Login, Visibility: o.Visibility, Created: shown(o.CreatedAt),
	}
	if viewer != nil && o.Email != "" {
		u.Email = o.Email
	}
	if viewer != nil && (viewer.ID == o.ID || viewer.IsAdmin) {
		u.IsAdmin, u.Active, u.LastLogin = o.IsAdmin, o.IsActive, shown(o.LastLoginAt)
		u.ProhibitLogin = !o.IsActive
	}
	return u
}

// emailOf is the address that stands in commits of a user.
func (c *call) emailOf(o *db.Owner) string {
	if o.Email != "" {
		return o.Email
	}
	return noReply(c.server.rootURL(c.r), o)
}

// noReply is an address for accounts that have none, or do not show it.
func noReply(root string, o *db.Owner) string {
	host := "localhost"
	if u, err := url.Parse(root); err == nil && u.Hostname() != "" && !strings.Contains(u.Hostname(), ":") {
		host = u.Hostname()
	}
	return o.LowerLogin + "@noreply." + host
}

// apiOrganization is the Organization of the API.
type apiOrganization struct {
	ID                        int64  `json:"id"`
	Name                      string `json:"name"`
	FullName                  string `json:"full_name"`
	Email                     string `json:"email"`
	AvatarURL                 string `json:"avatar_url"`
	Description               string `json:"description"`
	Website                   string `json:"website"`
	Location                  string `json:"location"`
	Visibility                string `json:"visibility"`
	RepoAdminChangeTeamAccess bool   `json:"repo_admin_change_team_access"`
	UserName                  string `json:"username"`
}

func showOrganization(o *db.Owner) *apiOrganization {
	return &apiOrganization{
		ID: o.ID, Name: o.Login, UserName: o.Login, FullName: o.FullName, Email: o.Email, Description: o.Description,
		Visibility: o.Visibility,
	}
}
