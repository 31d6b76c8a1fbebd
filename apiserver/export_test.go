package apiserver

import "strings"

// Route is one route, for tests that walk all of them.
type Route struct{ Method, Path string }

// Routes are all routes of the REST API and beside it.
func (s *Server) Routes() []Route {
	var out []Route
	for _, e := range s.endpoints() {
		out = append(out, Route{e.method, apiPrefix + e.path})
	}
	for _, w := range s.webRoutes() {
		out = append(out, Route{w.method, w.path})
	}
	return out
}

// ActionOf is the name of a route in the audit log.
func ActionOf(method, path string) string {
	return routeOf(method, strings.TrimPrefix(path, apiPrefix)).action
}
