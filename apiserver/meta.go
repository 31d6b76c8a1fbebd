package apiserver

import "net/http"

// giteaVersion is the version of the API that Pawl speaks. Clients compare it as a semantic version, and the Go SDK
// refuses Actions calls below 1.26.0.
const giteaVersion = "1.27.0"

func (s *Server) metaRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/version", nil, getVersion},
		{http.MethodGet, "/openapi.json", nil, getOpenAPI},
	}
}

func getVersion(c *call) error {
	return c.json(http.StatusOK, map[string]string{"version": giteaVersion, "pawl_version": c.server.Version})
}
