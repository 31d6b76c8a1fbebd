package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/trigger"
)

func (s *Server) runActionRoutes() []endpoint {
	return []endpoint{
		{http.MethodPost, run + "/cancel", writer(), cancelRun(false)},
		{http.MethodPost, run + "/force-cancel", writer(), cancelRun(true)},
		{http.MethodPost, run + "/approve", approver(), approveRun},
		{http.MethodPost, run + "/pause", writer(), pauseRun},
		{http.MethodPost, run + "/resume", writer(), resumeRun},
		{http.MethodPost, run + "/rerun", writer(), rerunRun},
		{http.MethodPost, run + "/rerun-failed-jobs", writer(), rerunFailedJobs},
		{http.MethodPost, run + "/jobs/{job_id}/rerun", writer(), rerunJobOfRun},
		{http.MethodPost, job + "/rerun", writer(), rerunJob},
	}
}

// approver leaves out tasks, which could else let each other begin.
func approver() []guard { return append(writer(), isPerson) }

// accepted answers what takes effect in a moment: the run's status tells when.
func (c *call) accepted(err error) error {
	if err != nil {
		return err
	}
	return c.json(http.StatusAccepted, struct{}{})
}

func cancelRun(force bool) func(*call) error {
	return func(c *call) error { return c.accepted(c.cancel(force)) }
}

func (c *call) cancel(force bool) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.server.Trigger.Cancel(c.ctx(), v.Run, c.caller.user, force)
}

// approveRun lets a run begin that waits for an approval. A run that was approved before stays so.
func approveRun(c *call) error {
	if err := c.approve(); err != nil {
		return err
	}
	return c.empty(http.StatusNoContent)
}

func (c *call) approve() error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.server.Trigger.Approve(c.ctx(), v.Run, c.caller.user)
}

// pauseRun hands out no more jobs of a run until it is resumed. Those that runners have go on.
func pauseRun(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.accepted(c.server.Trigger.Pause(c.ctx(), v.Run, c.caller.user))
}

func resumeRun(c *call) error {
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return c.accepted(c.server.Trigger.Resume(c.ctx(), v.Run, c.caller.user))
}

// rerun makes the next attempt of the run that the path names: of all its jobs, of those that failed, or of one.
func (c *call) rerun(job int64, failedOnly bool) (trigger.Rerun, error) {
	v, err := c.latestRun()
	if err != nil {
		return trigger.Rerun{}, err
	}
	return c.rerunOf(v.Run, job, failedOnly)
}

func (c *call) rerunOf(run *db.Run, job int64, failedOnly bool) (trigger.Rerun, error) {
	return c.server.Trigger.Rerun(c.ctx(), trigger.RerunRequest{
		Repo: c.repo, Run: run, Actor: c.caller.user, Job: job, FailedOnly: failedOnly,
	})
}

func rerunRun(c *call) error {
	next, err := c.rerun(0, false)
	if err != nil {
		return err
	}
	v, err := c.server.DB.Run(c.ctx(), c.repo.ID, next.Run.ID, next.Run.Attempt)
	if err != nil {
		return err
	}
	return c.answerRun(http.StatusCreated, v)
}

func rerunFailedJobs(c *call) error {
	if _, err := c.rerun(0, true); err != nil {
		return err
	}
	return c.empty(http.StatusCreated)
}

// rerunJobOfRun is Gitea's way to rerun one job and what depends on it, rerunJob GitHub's.
func rerunJobOfRun(c *call) error {
	v, err := c.jobOfRun(c.id("run"), c.id("job_id"))
	if err != nil {
		return err
	}
	return c.answerRerun(v)
}

func rerunJob(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	return c.answerRerun(v)
}

// jobOfRun looks up a job, which must be of the run.
func (c *call) jobOfRun(run, job int64) (*db.JobView, error) {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, job)
	if err != nil {
		return nil, err
	}
	if v.Job.RunID != run {
		return nil, errNotFound()
	}
	return v, nil
}

// answerRerun reruns a job and answers with the row of its next attempt.
func (c *call) answerRerun(v *db.JobView) error {
	run, err := c.server.DB.Run(c.ctx(), c.repo.ID, v.Job.RunID, 0)
	if err != nil {
		return err
	}
	next, err := c.rerunOf(run.Run, v.Job.ID, false)
	if err != nil {
		return err
	}
	again, err := c.server.DB.Job(c.ctx(), c.repo.ID, next.Job.ID)
	if err != nil {
		return err
	}
	return c.answerJob(http.StatusCreated, again)
}
