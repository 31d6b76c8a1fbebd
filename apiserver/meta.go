package apiserver

import "net/http"

// giteaVersion is the version of the API that Pawl speaks. Clients compare it as a semantic version, and the Go SDK
// refuses Actions calls below 1.26.0.
const giteaVersion = "1.27.0"

func (s *Server) metaRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/version", nil, getVersion},
		{http.MethodGet, "/settings/api", nil, getAPISettings},
		{http.MethodGet, "/settings/repository", nil, getRepositorySettings},
		{http.MethodGet, "/openapi.json", nil, getOpenAPI},
	}
}

func getVersion(c *call) error {
	return c.json(http.StatusOK, map[string]string{"version": giteaVersion, "pawl_version": c.server.Version})
}

// getAPISettings tells the sizes of pages. Trees and blobs are read by git only.
func getAPISettings(c *call) error {
	return c.json(http.StatusOK, map[string]any{
		"max_response_items": c.server.MaxPageSize, "default_paging_num": c.server.DefaultPageSize,
		"default_git_trees_per_page": 0, "default_max_blob_size": 0, "default_max_response_size": 0,
	})
}

// getRepositorySettings tells what repositories do not have here.
func getRepositorySettings(c *call) error {
	return c.json(http.StatusOK, map[string]bool{
		"mirrors_disabled": false, "http_git_disabled": false, "migrations_disabled": true, "stars_disabled": true,
		"time_tracking_disabled": true, "lfs_disabled": true,
	})
}
