package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
)

// runnerLevel is one of the four places where runners are managed (rest-api.md §7).
type runnerLevel struct {
	prefix string
	guards []guard
	// scope is whose runners these are; nil means all, for those who see all.
	scope func(*call) db.Scope
	all   bool
}

func runnerLevels() []runnerLevel {
	return []runnerLevel{
		{prefix: "/repos/{owner}/{repo}", guards: repoOwner(), scope: func(c *call) db.Scope { return db.Scope{RepoID: c.repo.ID} }},
		{prefix: "/orgs/{org}", guards: orgOwner(), scope: func(c *call) db.Scope { return db.Scope{OwnerID: c.org.ID} }},
		{
			prefix: "/user", guards: []guard{isPerson, seesPrivate},
			scope: func(c *call) db.Scope { return db.Scope{OwnerID: c.caller.user.ID} },
		},
		{prefix: "/admin", guards: siteAdmin(), scope: func(*call) db.Scope { return db.Scope{} }, all: true},
	}
}

func (s *Server) runnerRoutes() []endpoint {
	var out []endpoint
	for _, level := range runnerLevels() {
		runners := level.prefix + "/actions/runners"
		one := runners + "/{runner_id}"
		readsToken := append([]guard{mayWrite(runners)}, level.guards...)
		out = append(out,
			endpoint{http.MethodGet, runners, level.guards, level.list},
			endpoint{http.MethodPost, runners + "/registration-token", level.guards, level.registrationToken},
			endpoint{http.MethodGet, runners + "/registration-token", readsToken, level.registrationToken},
			endpoint{http.MethodGet, one, level.guards, level.get},
			endpoint{http.MethodPatch, one, level.guards, level.edit},
			endpoint{http.MethodDelete, one, level.guards, level.remove},
		)
	}
	return out
}

// filter selects the runners of the level: admins see those of all levels.
func (l runnerLevel) filter(c *call) db.RunnerFilter {
	if l.all {
		return db.RunnerFilter{}
	}
	scope := l.scope(c)
	return db.RunnerFilter{Scope: &scope}
}

// list sends no pagination headers (rest-api.md §1.6).
func (l runnerLevel) list(c *call) error {
	f, page := l.filter(c), c.page()
	f.Disabled, f.Offset, f.Limit = c.flag("disabled"), page.Offset, page.Limit
	runners, total, err := c.server.DB.Runners(c.ctx(), f)
	if err != nil {
		return err
	}
	out := apiRunnerList{Runners: make([]*apiRunner, len(runners)), TotalCount: total}
	for i, r := range runners {
		out.Runners[i] = showRunner(r)
	}
	return c.json(http.StatusOK, out)
}

// registrationToken answers with the active token of the level, and makes one where there is none.
func (l runnerLevel) registrationToken(c *call) error {
	active, err := c.server.vault.RegistrationToken(c.ctx(), l.scope(c))
	if err != nil {
		return err
	}
	c.w.Header().Set("Cache-Control", "no-store")
	return c.json(http.StatusOK, map[string]string{"token": active})
}

// find looks up {runner_id}; one of another level is not there.
func (l runnerLevel) find(c *call) (*db.RunnerView, error) {
	f := l.filter(c)
	f.ID, f.Limit = c.id("runner_id"), 1
	if f.ID == 0 {
		return nil, errNotFound()
	}
	runners, _, err := c.server.DB.Runners(c.ctx(), f)
	if err != nil {
		return nil, err
	}
	if len(runners) == 0 {
		return nil, errNotFound()
	}
	return runners[0], nil
}

func (l runnerLevel) get(c *call) error {
	r, err := l.find(c)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, showRunner(r))
}

// edit disables a runner, which then finishes what it has and takes nothing new, or enables it.
func (l runnerLevel) edit(c *call) error {
	var in struct {
		Disabled *bool `json:"disabled"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if in.Disabled == nil {
		return required("Disabled")
	}
	r, err := l.find(c)
	if err != nil {
		return err
	}
	if err := c.server.DB.SetRunnerDisabled(c.ctx(), r.ID, *in.Disabled); err != nil {
		return err
	}
	r.IsDisabled = *in.Disabled
	return c.json(http.StatusOK, showRunner(r))
}

func (l runnerLevel) remove(c *call) error {
	r, err := l.find(c)
	if err != nil {
		return err
	}
	if err := c.server.DB.RemoveRunner(c.ctx(), r.ID); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}
