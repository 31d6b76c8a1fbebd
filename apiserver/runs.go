package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
)

// run is the path of one run.
const run = "/repos/{owner}/{repo}/actions/runs/{run}"

func (s *Server) runRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run, anyReader(), getRun},
		{http.MethodGet, run + "/attempts/{attempt}", anyReader(), getAttempt},
		{http.MethodPost, run + "/cancel", writer(), cancelRun},
		{http.MethodPost, run + "/rerun", writer(), rerunRun},
	}
}

func getRun(c *call) error {
	v, err := c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), 0)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showRun(v, c.repo))
}

// getAttempt shows the run as it was in one attempt.
func getAttempt(c *call) error {
	v, err := c.attemptView()
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, c.showRun(v, c.repo))
}

// attemptView is the run that the path names, as of the attempt that it names.
func (c *call) attemptView() (*db.RunView, error) {
	number := c.id("attempt")
	if number <= 0 || number > maxAttemptNumber {
		return nil, errNotFound()
	}
	return c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), int(number))
}

// maxAttemptNumber is what the column can hold.
const maxAttemptNumber = 1<<31 - 1

// cancelRun answers before all has stopped: the run's status tells when it has.
func cancelRun(c *call) error {
	v, err := c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), 0)
	if err != nil {
		return err
	}
	if err := c.server.Trigger.Cancel(c.ctx(), v.Run, c.caller.user); err != nil {
		return err
	}
	return c.json(http.StatusAccepted, struct{}{})
}

func rerunRun(c *call) error {
	v, err := c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), 0)
	if err != nil {
		return err
	}
	next, err := c.server.Trigger.Rerun(c.ctx(), c.repo, v.Run, c.caller.user)
	if err != nil {
		return err
	}
	again, err := c.server.DB.Run(c.ctx(), c.repo.ID, next.ID, 0)
	if err != nil {
		return err
	}
	return c.json(http.StatusCreated, c.showRun(again, c.repo))
}
