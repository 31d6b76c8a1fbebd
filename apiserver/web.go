package apiserver

import (
	"net/http"
	"slices"

	"github.com/gorilla/mux"

	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/fault"
)

// webRoute is a route outside of the REST API: git, a page, or what older clients do there.
type webRoute struct {
	method string
	path   string
	handle func(*call) error
}

func (s *Server) webRoutes() []webRoute {
	return slices.Concat(s.gitRoutes(), s.pageRoutes(), s.webActionRoutes(), s.webViewRoutes(), s.badgeRoutes())
}

// registerWeb adds a route whose errors are plain text, and which asks for credentials where none were given.
func (s *Server) registerWeb(router *mux.Router, p webRoute) {
	methods := []string{p.method}
	if p.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	serve := func(c *call) error { return c.serve("", nil, p.handle) }
	router.Path(p.path).Methods(methods...).Handler(s.answering(routeOf(p.method, p.path), serve, (*call).failPlain))
}

// failPlain answers with an error as text. Git and browsers ask their user for a password after a 401.
func (c *call) failPlain(err error) {
	found := c.explain(err)
	if found.Code == fault.CodeUnauthenticated {
		c.w.Header().Set("WWW-Authenticate", `Basic realm="pawl", charset="UTF-8"`)
	}
	c.w.Header().Set("Cache-Control", "no-cache")
	http.Error(c.w, found.Text(), found.Code.HTTPStatus())
}

// enterRepo looks up {owner}/{repo} for a route outside of the REST API, and checks the token's scope. An anonymous
// caller is asked who it is, whether or not the repository exists: the answer tells nothing about private ones.
func (c *call) enterRepo(write bool) error {
	if c.caller.scopes != nil {
		if err := requireScope(c.caller.scopes, accounts.CategoryRepository, write); err != nil {
			return err
		}
	}
	if accounts.CheckLogin(c.params["owner"]) != nil {
		return errNotFound() // a path of something else
	}
	err := c.findRepo()
	if c.caller.anonymous() && (write || fault.Has(err, fault.CodeNotFound)) {
		return fault.Unauthenticated("authentication required")
	}
	return err
}
