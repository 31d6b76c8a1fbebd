package apiserver

import (
	"net/http"
	"strconv"

	"github.com/pawl-ci/pawl/db"
)

// run is the path of one run.
const run = "/repos/{owner}/{repo}/actions/runs/{run}"

func (s *Server) runRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, run, anyReader(), getRun},
		{http.MethodGet, run + "/attempts/{attempt}", anyReader(), getAttempt},
	}
}

func getRun(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.answerRun(http.StatusOK, v)
}

// latestRun is the run that the path names, as of its latest attempt.
func (c *call) latestRun() (*db.RunView, error) {
	return c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), 0)
}

// getAttempt shows the run as it was in one attempt.
func getAttempt(c *call) error {
	v, err := c.attemptView()
	if err != nil {
		return err
	}
	return c.answerRun(http.StatusOK, v)
}

// attemptView is the run that the path names, as of the attempt that it names.
func (c *call) attemptView() (*db.RunView, error) { return c.runAsOf(c.params["attempt"]) }

// runAsOf is the run that the path names, as of an attempt. What is no number is no attempt.
func (c *call) runAsOf(attempt string) (*db.RunView, error) {
	number, err := strconv.ParseInt(attempt, 10, 32) // what the column can hold
	if err != nil || number <= 0 {
		return nil, errNotFound()
	}
	return c.server.DB.Run(c.ctx(), c.repo.ID, c.id("run"), int(number))
}

// answerRun answers with one run of the repository.
func (c *call) answerRun(status int, v *db.RunView) error {
	shown, err := c.showRuns([]*db.RunView{v})
	if err != nil {
		return err
	}
	return c.json(status, shown[0])
}
