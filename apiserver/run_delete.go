package apiserver

import (
	"net/http"
)

func (s *Server) runDeleteRoutes() []endpoint {
	return []endpoint{{http.MethodDelete, run, writer(), deleteRun}}
}

// deleteRun removes a run that has ended, with all that it owns.
func deleteRun(c *call) error {
	if err := c.deleteRun(); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) deleteRun() error {
	return c.server.Trigger.Delete(c.ctx(), c.repo, c.id("run"))
}
