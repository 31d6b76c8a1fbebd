package apiserver

import (
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// apiJob is the Job of rest-api.md §3.2. Reason is Pawl's own.
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

	// Reason says why the job ended as it did, where its log cannot.
	Reason string `json:"reason,omitempty"`
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
	Jobs       []*apiJob `json:"jobs"`
	TotalCount int       `json:"total_count"`
}

// showJob shows a job of the repository.
func showJob(root string, v *db.JobView, repo *db.Repository) *apiJob {
	l, j := repoLinks(root, repo), v.Job
	job := &apiJob{
		ID: j.ID, URL: l.job(j.ID), HTMLURL: l.jobHTML(j.RunID, j.ID), RunID: j.RunID, RunURL: l.run(j.RunID), Name: j.Name,
		Labels: append([]string{}, j.RunsOn...), RunAttempt: j.Attempt, HeadSHA: v.Run.SHA, HeadBranch: branchOf(v.Run.Ref),
		Steps: showSteps(j), CreatedAt: shown(j.CreatedAt), StartedAt: shownOrEpoch(j.StartedAt),
		CompletedAt: shownOrEpoch(j.StoppedAt), Reason: j.Reason,
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
