package apiserver

import (
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// scopedLevel is one of the places where sources of scoped workflows are registered (execution-semantics.md §10.1): they
// run in all repositories of the owner, or of the installation. These routes are Pawl's own.
type scopedLevel struct {
	prefix string
	guards []guard
	owner  func(*call) int64 // 0: the installation
}

func scopedLevels() []scopedLevel {
	return []scopedLevel{
		{"/orgs/{org}", orgOwner(), func(c *call) int64 { return c.org.ID }},
		{"/user", self(), func(c *call) int64 { return c.caller.user.ID }},
		{"/admin", siteAdmin(), func(*call) int64 { return 0 }},
	}
}

func (s *Server) scopedRoutes() []endpoint {
	const ofRepo = "/repos/{owner}/{repo}/actions/scoped_workflows"
	out := []endpoint{
		{http.MethodGet, ofRepo, reader(), listScopedOfRepo},
		{http.MethodPut, ofRepo + "/{source_id}/opt-out", repoAdmin(), optOut(true)},
		{http.MethodDelete, ofRepo + "/{source_id}/opt-out", repoAdmin(), optOut(false)},
	}
	for _, level := range scopedLevels() {
		sources := level.prefix + "/actions/scoped_workflows"
		one := sources + "/{owner}/{repo}"
		// Whoever registers a source must be able to read it.
		registers := append(slices.Clone(level.guards), inRepo(db.PermissionRead, false))
		out = append(out,
			endpoint{http.MethodGet, sources, level.guards, level.list},
			endpoint{http.MethodPut, one, registers, level.set},
			endpoint{http.MethodDelete, one, level.guards, level.remove},
		)
	}
	return out
}

// apiScopedSource is a repository whose scoped workflows run elsewhere. A name that the caller may not know is absent.
type apiScopedSource struct {
	ID       int64  `json:"id"`
	FullName string `json:"full_name,omitempty"`
	// Required ones cannot be opted out of.
	Required  bool      `json:"required"`
	OptedOut  bool      `json:"opted_out"`
	CreatedAt time.Time `json:"created_at"`
}

type apiScopedSourceList struct {
	Sources    []apiScopedSource `json:"sources"`
	TotalCount int               `json:"total_count"`
}

func (l scopedLevel) list(c *call) error {
	sources, err := c.server.DB.ScopedSources(c.ctx(), l.owner(c))
	if err != nil {
		return err
	}
	return c.answerSources(sources, nil)
}

// answerSources shows sources to the caller, and whether the repository that asks has opted out of them.
func (c *call) answerSources(sources []*db.ScopedSource, optedOut map[int64]bool) error {
	out := apiScopedSourceList{Sources: make([]apiScopedSource, len(sources)), TotalCount: len(sources)}
	for i, s := range sources {
		shownSource := apiScopedSource{
			ID: s.RepoID, Required: s.Required, OptedOut: optedOut[s.RepoID] && !s.Required, CreatedAt: shown(s.CreatedAt),
		}
		readable, err := c.mayRead(s.Repository)
		if err != nil {
			return err
		}
		if readable {
			shownSource.FullName = s.Repository.FullName()
		}
		out.Sources[i] = shownSource
	}
	return c.json(http.StatusOK, out)
}

// mayRead tells whether the caller may read another repository than that of the path.
func (c *call) mayRead(repo *db.Repository) (bool, error) {
	found, standing, err := c.server.DB.RepositoryFor(c.ctx(), repo.Owner.Login, repo.Name, c.caller.userID())
	if errors.Is(err, db.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return c.caller.access(found, standing).Permission.Includes(db.PermissionRead), nil
}

func (l scopedLevel) set(c *call) error {
	var in struct {
		Required bool `json:"required"`
	}
	if err := c.bind(&in); err != nil {
		return err
	}
	if err := c.server.DB.SetScopedSource(c.ctx(), l.owner(c), c.repo.ID, in.Required); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// remove works for sources too that the caller may not read any more.
func (l scopedLevel) remove(c *call) error {
	source, _, err := c.server.DB.RepositoryFor(c.ctx(), c.params["owner"], c.params["repo"], 0)
	if err != nil {
		return err
	}
	if err := c.server.DB.DeleteScopedSource(c.ctx(), l.owner(c), source.ID); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

// scopedFor are the sources that are registered for the repository of the path, each once.
func (c *call) scopedFor() ([]*db.ScopedSource, error) {
	own, err := c.server.DB.ScopedSources(c.ctx(), c.repo.OwnerID)
	if err != nil {
		return nil, err
	}
	all, err := c.server.DB.ScopedSources(c.ctx(), 0)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		i := slices.IndexFunc(own, func(o *db.ScopedSource) bool { return o.RepoID == s.RepoID })
		if i < 0 {
			own = append(own, s)
		} else {
			own[i].Required = own[i].Required || s.Required
		}
	}
	return own, nil
}

func listScopedOfRepo(c *call) error {
	sources, err := c.scopedFor()
	if err != nil {
		return err
	}
	optedOut, err := c.server.DB.ScopedOptOuts(c.ctx(), c.repo.ID)
	if err != nil {
		return err
	}
	return c.answerSources(sources, optedOut)
}

// optOut keeps the workflows of a source out of the repository, or lets them in again.
func optOut(out bool) func(*call) error {
	return func(c *call) error {
		source, err := c.scopedSource(c.id("source_id"))
		if err != nil {
			return err
		}
		if out && source.Required {
			return fault.Conflict("the workflows of this repository are required")
		}
		if err := c.server.DB.SetScopedOptOut(c.ctx(), c.repo.ID, source.RepoID, out); err != nil {
			return err
		}
		return c.empty(http.StatusNoContent)
	}
}

func (c *call) scopedSource(id int64) (*db.ScopedSource, error) {
	sources, err := c.scopedFor()
	if err != nil {
		return nil, err
	}
	for _, s := range sources {
		if s.RepoID == id {
			return s, nil
		}
	}
	return nil, errNotFound()
}
