package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// webActionRoutes are the routes outside of the REST API by which clients of older versions act (rest-api.md §9).
func (s *Server) webActionRoutes() []webRoute {
	const run = "/{owner}/{repo}/actions/runs/{run}"
	post := func(path string, act func(*call) error) webRoute {
		return webRoute{http.MethodPost, run + path, webAction(act)}
	}
	return []webRoute{
		post("/cancel", func(c *call) error { return c.cancel(false) }),
		post("/approve", webApprove),
		post("/delete", (*call).deleteRun),
		post("/rerun", func(c *call) error { _, err := c.rerun(0, false); return err }),
		post("/rerun-failed", func(c *call) error { _, err := c.rerun(0, true); return err }),
		post("/jobs/{job}/rerun", webRerunJob),
	}
}

func webApprove(c *call) error {
	if err := isPerson(c); err != nil {
		return err
	}
	return c.approve()
}

func webRerunJob(c *call) error {
	v, err := c.jobOfRun(c.id("run"), c.id("job"))
	if err != nil {
		return err
	}
	_, err = c.rerun(v.Job.ID, false)
	return err
}

// webAction lets writers act. Browsers send a password by themselves once they know it, so what another site has them
// send is refused.
func webAction(act func(*call) error) func(*call) error {
	return func(c *call) error {
		if http.NewCrossOriginProtection().Check(c.r) != nil {
			return fault.Forbidden("this may not be asked from another site")
		}
		if err := c.enterRepo(true); err != nil {
			return err
		}
		if !c.access.Permission.Includes(db.PermissionWrite) {
			return fault.Forbidden(textWriteNeeded)
		}
		if err := act(c); err != nil {
			return err
		}
		return c.json(http.StatusOK, map[string]bool{"ok": true})
	}
}
