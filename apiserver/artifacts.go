package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/internal/fault"
)

// artifactRoutes tell that there are no artifacts: runners cannot store any yet.
func (s *Server) artifactRoutes() []endpoint {
	const all = "/repos/{owner}/{repo}/actions/artifacts"
	const one = all + "/{artifact_id}"
	return []endpoint{
		{http.MethodGet, all, anyReader(), listArtifacts},
		{http.MethodGet, run + "/artifacts", anyReader(), listArtifacts},
		{http.MethodGet, one, anyReader(), noArtifact},
		{http.MethodDelete, one, writer(), noArtifact},
		{http.MethodGet, one + "/zip", anyReader(), noArtifact},
	}
}

type apiArtifactList struct {
	Artifacts  []struct{} `json:"artifacts"`
	TotalCount int        `json:"total_count"`
}

// listArtifacts answers for unknown runs as for others (rest-api.md §2), and sends no pagination headers.
func listArtifacts(c *call) error {
	return c.json(http.StatusOK, apiArtifactList{Artifacts: []struct{}{}})
}

func noArtifact(*call) error { return fault.NotFound("artifact not found") }
