package apiserver

import (
	"fmt"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// apiJob is the Job of rest-api.md §3.2. The last fields are Pawl's own.
type apiJob struct {
	ID          int64     `json:"id"`
	URL         string    `json:"url"`
	HTMLURL     string    `json:"html_url"`
	RunID       int64     `json:"run_id"`
	RunURL      string    `json:"run_url"`
	Name        string    `json:"name"`
	Labels      []string  `json:"labels"`
	RunAttempt  int       `json:"run_attempt"`
	HeadSHA     string    `json:"head_sha"`
	HeadBranch  string    `json:"head_branch,omitempty"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion,omitempty"`
	RunnerID    int64     `json:"runner_id,omitempty"`
	RunnerName  string    `json:"runner_name,omitempty"`
	Steps       []apiStep `json:"steps"`
	CreatedAt   time.Time `json:"created_at"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`

	// Reason says why the job ended as it did, where its log cannot, and ErrorClass what kind of fault that was.
	Reason     string        `json:"reason,omitempty"`
	ErrorClass ci.ErrorClass `json:"error_class,omitempty"`
	// PendingReason says why the job does not run yet; its kind is one of a few words.
	PendingReason     string         `json:"pending_reason,omitempty"`
	PendingReasonKind db.PendingKind `json:"pending_reason_kind,omitempty"`
	// Kind is call for a caller of a reusable workflow, named by Uses, and deferred for a job whose matrix is not known
	// yet. ParentJobID is the caller of a job that was called.
	Kind        ci.JobKind `json:"kind,omitempty"`
	Uses        string     `json:"uses,omitempty"`
	ParentJobID int64      `json:"parent_job_id,omitempty"`
	// Tasks are shown with a single job only.
	Tasks []*apiJobTask `json:"tasks,omitempty"`
}

// apiJobTask is one hand-over of a job to a runner. Its Status and Conclusion are in the words of jobs; that the runner
// was lost is seen by Cause.
type apiJobTask struct {
	ID          int64     `json:"id"`
	Try         int       `json:"try"`
	RunnerID    int64     `json:"runner_id"`
	RunnerName  string    `json:"runner_name"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion,omitempty"`
	Cause       string    `json:"cause,omitempty"`
	Reason      string    `json:"reason,omitempty"`
	CreatedAt   time.Time `json:"created_at"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
	LogsURL     string    `json:"logs_url"`
}

type apiJobTaskList struct {
	Tasks      []*apiJobTask `json:"tasks"`
	TotalCount int           `json:"total_count"`
}

type apiStep struct {
	Name        string    `json:"name"`
	Number      int       `json:"number"`
	Status      string    `json:"status"`
	Conclusion  string    `json:"conclusion,omitempty"`
	StartedAt   time.Time `json:"started_at"`
	CompletedAt time.Time `json:"completed_at"`
}

type apiJobList struct {
	apiListed
	Jobs []*apiJob `json:"jobs"`
}

// showJobs shows jobs with why they wait. Those whose repository or run is gone are left out.
func (c *call) showJobs(views []*db.JobView) ([]*apiJob, error) {
	jobs := make([]*db.Job, len(views))
	for i, v := range views {
		jobs[i] = v.Job
	}
	reasons, err := c.server.DB.PendingReasons(c.ctx(), jobs)
	if err != nil {
		return nil, err
	}
	root, out := c.server.rootURL(c.r), []*apiJob{}
	for _, v := range views {
		repo := c.repoOf(v.Repository)
		if repo == nil || v.Run == nil {
			continue
		}
		shown := showJob(root, v, repo)
		reason := reasons[v.Job.ID]
		shown.PendingReason, shown.PendingReasonKind = reason.Text, reason.Kind
		out = append(out, shown)
	}
	return out, nil
}

// showJob shows a job of the repository.
func showJob(root string, v *db.JobView, repo *db.Repository) *apiJob {
	l, j := repoLinks(root, repo), v.Job
	job := &apiJob{
		ID: j.ID, URL: l.job(j.ID), HTMLURL: l.jobHTML(j.RunID, j.ID), RunID: j.RunID, RunURL: l.run(j.RunID), Name: j.Name,
		Labels: append([]string{}, j.RunsOn...), RunAttempt: j.Attempt, HeadSHA: v.Run.SHA, HeadBranch: branchOf(v.Run.Ref),
		Steps: showSteps(j), CreatedAt: shown(j.CreatedAt), StartedAt: shownOrEpoch(j.StartedAt),
		CompletedAt: shownOrEpoch(j.StoppedAt), Reason: j.Reason, ErrorClass: j.Class, Uses: j.Uses, ParentJobID: j.ParentID,
	}
	if j.Kind != ci.JobTask {
		job.Kind = j.Kind
	}
	job.Status, job.Conclusion = j.Status.API()
	if j.Task != nil {
		job.RunnerID = j.Task.RunnerID
		if j.Task.Runner != nil {
			job.RunnerName = j.Task.Runner.Name
		}
	}
	return job
}

// showJobTasks shows the tasks of a job of the repository.
func (c *call) showJobTasks(j *db.Job, tasks []*db.Task) []*apiJobTask {
	url := repoLinks(c.server.rootURL(c.r), c.repo).job(j.ID)
	out := make([]*apiJobTask, len(tasks))
	for i, t := range tasks {
		out[i] = showJobTask(url, t)
	}
	return out
}

func showJobTask(jobURL string, t *db.Task) *apiJobTask {
	task := &apiJobTask{
		ID: t.ID, Try: t.Try, RunnerID: t.RunnerID, Cause: t.Cause, Reason: t.Reason, CreatedAt: shown(t.ClaimedAt),
		StartedAt: shownOrEpoch(t.StartedAt), CompletedAt: shownOrEpoch(t.StoppedAt),
		LogsURL: fmt.Sprintf("%s/logs?task=%d", jobURL, t.ID),
	}
	task.Status, task.Conclusion = t.Status.Status().API()
	if t.Runner != nil {
		task.RunnerName = t.Runner.Name
	}
	return task
}

// showSteps lists the steps of a job once a runner has it; before, and for a job that never ran, there are none.
func showSteps(j *db.Job) []apiStep {
	if j.Task == nil {
		return []apiStep{}
	}
	steps := make([]apiStep, len(j.StepNames))
	for i, name := range j.StepNames {
		steps[i] = showStep(name, db.Step{Index: i, Status: ci.StatusWaiting}, j.Task)
	}
	for _, reported := range j.Task.Steps {
		if reported.Index >= 0 && reported.Index < len(steps) {
			steps[reported.Index] = showStep(j.StepNames[reported.Index], reported, j.Task)
		}
	}
	return steps
}

func showStep(name string, s db.Step, task *db.Task) apiStep {
	step := apiStep{
		Name: name, Number: s.Index, StartedAt: shownOrEpoch(s.StartedAt), CompletedAt: shownOrEpoch(s.StoppedAt),
	}
	step.Status, step.Conclusion = stepStatus(s.Status, task.Status).API()
	return step
}

// stepStatus ends the steps of an ended task that its runner never reported as ended, because it was lost or stopped:
// a step that had begun shares the end of its task, one that had not was skipped.
func stepStatus(step ci.Status, task db.TaskStatus) ci.Status {
	switch {
	case step.Terminal() || !task.Final():
		if step == ci.StatusUnknown {
			return ci.StatusWaiting
		}
		return step
	case step != ci.StatusRunning && step != ci.StatusCancelling:
		return ci.StatusSkipped
	case task == db.TaskCancelled:
		return ci.StatusCancelled
	case task == db.TaskSuccess:
		return ci.StatusSuccess
	default:
		return ci.StatusFailure
	}
}
