package apiserver

import (
	"net/http"
	"strings"

	"github.com/gorilla/mux"

	"github.com/pawl-ci/pawl/internal/accounts"
)

// endpoint is one route of the REST API.
type endpoint struct {
	method string
	path   string // below /api/v1
	// guards are asked in order; the first that returns an error decides. They also look up what the path names.
	guards []guard
	handle func(*call) error
}

// guard lets a call pass, or returns the fault to answer with.
type guard func(*call) error

// register adds an endpoint. HEAD is answered as GET; net/http leaves the body out.
func (s *Server) register(router *mux.Router, e endpoint) {
	methods := []string{e.method}
	if e.method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	category := scopeCategory(e.path)
	router.Path(apiPrefix + e.path).Methods(methods...).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &call{w: w, r: r, server: s}
		if err := c.serve(category, e.guards, e.handle); err != nil {
			c.fail(err)
		}
	})
}

// serve runs one call in the order of rest-api.md §1.3.
func (c *call) serve(category accounts.Category, guards []guard, handle func(*call) error) error {
	if err := c.readPath(); err != nil {
		return err
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if err := c.checkScope(category); err != nil {
		return err
	}
	for _, g := range guards {
		if err := g(c); err != nil {
			return err
		}
	}
	return handle(c)
}

// scopeCategory is the category of the scopes that a token needs below a path; empty needs none (rest-api.md §1.2).
func scopeCategory(path string) accounts.Category {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch first {
	case "repos", "repositories":
		return accounts.CategoryRepository
	case "orgs":
		return accounts.CategoryOrganization
	case "user", "users":
		return accounts.CategoryUser
	case "admin":
		return accounts.CategoryAdmin
	}
	return ""
}
