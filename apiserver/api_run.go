package apiserver

import (
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// apiRun is the Run of rest-api.md §2.3. The last fields are Pawl's own.
type apiRun struct {
	ID                 int64          `json:"id"`
	RunNumber          int64          `json:"run_number"`
	RunAttempt         int            `json:"run_attempt"`
	URL                string         `json:"url"`
	PreviousAttemptURL *string        `json:"previous_attempt_url"`
	HTMLURL            string         `json:"html_url"`
	DisplayTitle       string         `json:"display_title"`
	Path               string         `json:"path"`
	Event              string         `json:"event"`
	HeadSHA            string         `json:"head_sha"`
	HeadBranch         string         `json:"head_branch,omitempty"`
	Status             string         `json:"status"`
	Conclusion         string         `json:"conclusion,omitempty"`
	Actor              *apiUser       `json:"actor"`
	TriggerActor       *apiUser       `json:"trigger_actor"`
	Repository         *apiRepository `json:"repository"`
	PullRequests       []any          `json:"pull_requests"`
	StartedAt          time.Time      `json:"started_at"`
	CompletedAt        time.Time      `json:"completed_at"`

	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	JobsURL      string    `json:"jobs_url"`
	LogsURL      string    `json:"logs_url"`
	ArtifactsURL string    `json:"artifacts_url"`
	CancelURL    string    `json:"cancel_url"`
	RerunURL     string    `json:"rerun_url"`

	// Problems say why the workflow file was refused.
	Problems           []db.Problem `json:"problems,omitempty"`
	TemporalWorkflowID string       `json:"temporal_workflow_id"`
	TemporalURL        string       `json:"temporal_url,omitempty"`
}

type apiRunList struct {
	WorkflowRuns []*apiRun `json:"workflow_runs"`
	TotalCount   int       `json:"total_count"`
}

// showRun shows a run of the repository as of the view's attempt.
func (c *call) showRun(v *db.RunView, repo *db.Repository) *apiRun {
	root := c.server.rootURL(c.r)
	l := repoLinks(root, repo)
	url := l.run(v.Run.ID)
	run := &apiRun{
		ID: v.Run.ID, RunNumber: v.Run.RunNumber, RunAttempt: v.Run.Attempt, URL: url, HTMLURL: l.runHTML(v.Run.ID),
		DisplayTitle: v.Run.Title, Path: v.Run.WorkflowFile + "@" + v.Run.Ref, Event: v.Run.Event, HeadSHA: v.Run.SHA,
		HeadBranch: branchOf(v.Run.Ref), Actor: showUser(root, v.Actor, c.caller.user),
		TriggerActor: showUser(root, v.TriggerUser, c.caller.user),
		Repository:   showRepository(root, repo, c.caller.user, db.Access{}), PullRequests: []any{},
		StartedAt: shownOrEpoch(v.Attempt.StartedAt), CompletedAt: shownOrEpoch(v.Attempt.StoppedAt),
		CreatedAt: shown(v.Run.CreatedAt), UpdatedAt: shown(v.Run.UpdatedAt),
		JobsURL: url + "/jobs", LogsURL: url + "/logs", ArtifactsURL: url + "/artifacts", CancelURL: url + "/cancel",
		RerunURL: url + "/rerun", Problems: v.Run.Problems,
		TemporalWorkflowID: workflows.RunWorkflowID(v.Run.ID, v.Run.Attempt),
		TemporalURL:        c.server.temporal(v.Run.ID, v.Run.Attempt),
	}
	run.Status, run.Conclusion = v.Attempt.Status.API()
	if v.Run.Attempt > 1 {
		previous := l.attempt(v.Run.ID, v.Run.Attempt-1)
		run.PreviousAttemptURL = &previous
	}
	return run
}

// branchOf is the branch of a full ref; empty for tags and pull requests.
func branchOf(ref string) string {
	if name, kind := ci.ShortRef(ref); kind == "branch" {
		return name
	}
	return ""
}

// apiRunDetails answers a dispatch (rest-api.md §5.1).
type apiRunDetails struct {
	WorkflowRunID int64  `json:"workflow_run_id"`
	RunURL        string `json:"run_url"`
	HTMLURL       string `json:"html_url"`
}
