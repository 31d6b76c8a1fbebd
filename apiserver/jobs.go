package apiserver

import (
	"net/http"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// job is the path of one job.
const job = "/repos/{owner}/{repo}/actions/jobs/{job_id}"

func (s *Server) jobRoutes() []endpoint {
	return []endpoint{
		{http.MethodGet, "/repos/{owner}/{repo}/actions/jobs", reader(), listRepoJobs},
		{http.MethodGet, job, reader(), getJob},
		{http.MethodGet, job + "/tasks", reader(), listJobTasks},
		{http.MethodGet, run + "/jobs", anyReader(), listRunJobs},
		{http.MethodGet, run + "/attempts/{attempt}/jobs", anyReader(), listAttemptJobs},
		{http.MethodGet, "/orgs/{org}/actions/jobs", append(orgMember(), seesPrivate), listOrgJobs},
		{http.MethodGet, "/user/actions/jobs", []guard{isPerson, seesPrivate}, listUserJobs},
		{http.MethodGet, "/admin/actions/jobs", append(siteAdmin(), seesPrivate), listAllJobs},
	}
}

func getJob(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	return c.answerJob(http.StatusOK, v)
}

// answerJob answers with one job of the repository, and with its tasks.
func (c *call) answerJob(status int, v *db.JobView) error {
	shown, err := c.showJobs([]*db.JobView{v})
	if err != nil {
		return err
	}
	tasks, _, err := c.server.DB.JobTasks(c.ctx(), v.Job, db.Page{})
	if err != nil {
		return err
	}
	shown[0].Tasks = c.showJobTasks(v.Job, tasks)
	return c.json(status, shown[0])
}

// listJobTasks lists every hand-over of a job to a runner, the first one first: one, or more if it was retried.
func listJobTasks(c *call) error {
	v, err := c.server.DB.Job(c.ctx(), c.repo.ID, c.id("job_id"))
	if err != nil {
		return err
	}
	page := c.page()
	tasks, total, err := c.server.DB.JobTasks(c.ctx(), v.Job, page)
	if err != nil {
		return err
	}
	c.paginate(page, total)
	return c.json(http.StatusOK, apiJobTaskList{Tasks: c.showJobTasks(v.Job, tasks), TotalCount: total})
}

func listRepoJobs(c *call) error { return listJobs(c, db.JobFilter{RepoID: c.repo.ID}) }

// listRunJobs lists the jobs of the latest attempt.
func listRunJobs(c *call) error {
	id := c.id("run")
	if id <= 0 {
		return fault.BadRequest("invalid run id")
	}
	v, err := c.latestRun()
	if err != nil {
		return err
	}
	return listJobs(c, db.JobFilter{RepoID: c.repo.ID, RunID: id, Attempt: v.Run.Attempt})
}

func listAttemptJobs(c *call) error {
	v, err := c.attemptView()
	if err != nil {
		return err
	}
	return listJobs(c, db.JobFilter{RepoID: c.repo.ID, RunID: v.Run.ID, Attempt: v.Run.Attempt})
}

func listOrgJobs(c *call) error {
	return listJobs(c, db.JobFilter{OwnerID: c.org.ID})
}

func listUserJobs(c *call) error { return listJobs(c, db.JobFilter{OwnerID: c.caller.user.ID}) }

func listAllJobs(c *call) error { return listJobs(c, db.JobFilter{}) }

// listJobs adds the filters of the query (rest-api.md §3.1).
func listJobs(c *call, f db.JobFilter) (err error) {
	if f.Statuses, err = c.statuses(); err != nil {
		return err
	}
	if f.Descending, err = c.descending(); err != nil {
		return err
	}
	kind := cursorOfJobs
	if f.Descending {
		kind = cursorOfJobsDown
	}
	if f.Page, err = c.seekPage(kind); err != nil {
		return err
	}
	views, l, err := c.server.DB.Jobs(c.ctx(), f)
	if err != nil {
		return err
	}
	shown, err := c.showJobs(views)
	if err != nil {
		return err
	}
	return c.json(http.StatusOK, apiJobList{Jobs: shown, apiListed: c.listed(kind, f.Page, l)})
}

// descending reads sort and order, of which only ids can be sorted by.
func (c *call) descending() (bool, error) {
	if sort := c.values.Get("sort"); sort != "" && sort != "id" {
		return false, fault.Unprocessable("invalid sort %q", sort)
	}
	switch order := c.values.Get("order"); order {
	case "", "asc":
		return false, nil
	case "desc":
		return true, nil
	default:
		return false, fault.Unprocessable("invalid order %q", order)
	}
}
