package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
)

// secretLevel is one of the three places that have secrets and variables (rest-api.md §8).
type secretLevel struct {
	prefix string
	guards []guard
	scope  func(*call) db.Scope
	// listed: there is a route that lists secrets.
	listed bool
}

func secretLevels() []secretLevel {
	return []secretLevel{
		{"/repos/{owner}/{repo}", repoOwner(), func(c *call) db.Scope { return db.Scope{RepoID: c.repo.ID} }, true},
		{"/orgs/{org}", orgOwner(), func(c *call) db.Scope { return db.Scope{OwnerID: c.org.ID} }, true},
		{"/user", []guard{isPerson, seesPrivate}, func(c *call) db.Scope { return db.Scope{OwnerID: c.caller.user.ID} }, false},
	}
}

func (s *Server) secretRoutes() []endpoint {
	var out []endpoint
	for _, level := range secretLevels() {
		one := level.prefix + "/actions/secrets/{secretname}"
		if level.listed {
			out = append(out, endpoint{http.MethodGet, level.prefix + "/actions/secrets", level.guards, level.listSecrets})
		}
		out = append(out,
			endpoint{http.MethodPut, one, level.guards, level.putSecret},
			endpoint{http.MethodDelete, one, level.guards, level.deleteSecret},
		)
	}
	return out
}

func (l secretLevel) listSecrets(c *call) error {
	page := c.page()
	list, total, err := c.server.DB.Secrets(c.ctx(), l.scope(c), page)
	if err != nil {
		return err
	}
	out := make([]*apiSecret, len(list))
	for i, s := range list {
		out[i] = showSecret(s)
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, out)
}

// putSecret answers 201 for a new secret and 204 for one that had a value before.
func (l secretLevel) putSecret(c *call) error {
	var in struct {
		Data        string `json:"data"`
		Description string `json:"description"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if in.Data == "" {
		return required("Data")
	}
	created, err := c.server.vault.PutSecret(c.ctx(), l.scope(c), c.params["secretname"], in.Data, in.Description)
	switch {
	case err != nil:
		return err
	case created:
		return c.empty(http.StatusCreated)
	}
	return c.empty(http.StatusNoContent)
}

func (l secretLevel) deleteSecret(c *call) error {
	if err := c.server.vault.DeleteSecret(c.ctx(), l.scope(c), c.params["secretname"]); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
