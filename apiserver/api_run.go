package apiserver

import (
	"fmt"
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
	Problems []db.Problem `json:"problems,omitempty"`
	// Reason says why the attempt ended as it did, where its jobs do not; PendingReason why it has not begun.
	Reason            string         `json:"reason,omitempty"`
	PendingReason     string         `json:"pending_reason,omitempty"`
	PendingReasonKind db.PendingKind `json:"pending_reason_kind,omitempty"`
	// Approval is needed or given; absent where nobody has to be asked.
	Approval         db.Approval `json:"approval,omitempty"`
	Paused           bool        `json:"paused"`
	ConcurrencyGroup string      `json:"concurrency_group,omitempty"`
	SourceRepoID     int64       `json:"scoped_workflow_source_repo_id,omitempty"`

	TimelineURL        string `json:"timeline_url"`
	TemporalWorkflowID string `json:"temporal_workflow_id"`
	TemporalURL        string `json:"temporal_url,omitempty"`
}

type apiRunList struct {
	apiListed
	WorkflowRuns []*apiRun `json:"workflow_runs"`
}

// showRuns shows runs as of their views' attempts, with why they wait. Those whose repository is gone are left out.
func (c *call) showRuns(views []*db.RunView) ([]*apiRun, error) {
	reasons, err := c.server.DB.PendingRunReasons(c.ctx(), views)
	if err != nil {
		return nil, err
	}
	out, show := []*apiRun{}, c.server.runsFor(c.server.rootURL(c.r), c.caller.user)
	for _, v := range views {
		repo := c.repoOf(v.Repository)
		if repo == nil {
			continue
		}
		run := show.run(v, repo)
		reason := reasons[v.Run.ID]
		run.PendingReason, run.PendingReasonKind = reason.Text, reason.Kind
		out = append(out, run)
	}
	return out, nil
}

// runShower shows runs to a viewer, who may be nil. What many of them have in common is made once.
type runShower struct {
	server *Server
	root   string
	viewer *db.Owner
	users  map[*db.Owner]*apiUser
	repos  map[*db.Repository]*apiRepository
}

func (s *Server) runsFor(root string, viewer *db.Owner) *runShower {
	return &runShower{s, root, viewer, map[*db.Owner]*apiUser{}, map[*db.Repository]*apiRepository{}}
}

func (r *runShower) user(o *db.Owner) *apiUser {
	if r.users[o] == nil {
		r.users[o] = showUser(r.root, o, r.viewer)
	}
	return r.users[o]
}

func (r *runShower) repository(repo *db.Repository) *apiRepository {
	if r.repos[repo] == nil {
		r.repos[repo] = showRepository(r.root, repo, r.viewer, db.Access{})
	}
	return r.repos[repo]
}

// run shows a run of the repository as of the view's attempt.
func (r *runShower) run(v *db.RunView, repo *db.Repository) *apiRun {
	l := repoLinks(r.root, repo)
	url := l.run(v.Run.ID)
	run := &apiRun{
		ID: v.Run.ID, RunNumber: v.Run.RunNumber, RunAttempt: v.Run.Attempt, URL: url, HTMLURL: l.runHTML(v.Run.ID),
		DisplayTitle: v.Run.Title, Path: v.Run.WorkflowFile + "@" + v.Run.Ref, Event: v.Run.Event, HeadSHA: v.Run.SHA,
		HeadBranch: branchOf(v.Run.Ref), Actor: r.user(v.Actor), TriggerActor: r.user(v.TriggerUser),
		Repository: r.repository(repo), PullRequests: []any{},
		StartedAt: shownOrEpoch(v.Attempt.StartedAt), CompletedAt: shownOrEpoch(v.Attempt.StoppedAt),
		CreatedAt: shown(v.Run.CreatedAt), UpdatedAt: shown(v.Run.UpdatedAt),
		JobsURL: url + "/jobs", LogsURL: url + "/logs", ArtifactsURL: url + "/artifacts", CancelURL: url + "/cancel",
		RerunURL: url + "/rerun", Problems: v.Run.Problems, Reason: v.Attempt.Reason, Approval: v.Run.Approval,
		Paused: isPaused(v.Attempt), SourceRepoID: v.Run.SourceRepoID,
		TimelineURL:        fmt.Sprintf("%s/timeline?attempt=%d", url, v.Run.Attempt),
		TemporalWorkflowID: workflows.RunWorkflowID(v.Run.ID, v.Run.Attempt),
		TemporalURL:        r.server.temporal(v.Run.ID, v.Run.Attempt),
	}
	run.Status, run.Conclusion = v.Attempt.Status.API()
	if v.Attempt.Concurrency != nil {
		run.ConcurrencyGroup = v.Attempt.Concurrency.Group
	}
	if v.Run.Attempt > 1 {
		previous := l.attempt(v.Run.ID, v.Run.Attempt-1)
		run.PreviousAttemptURL = &previous
	}
	return run
}

// isPaused tells whether an attempt is held back now; one that has ended is not.
func isPaused(a *db.Attempt) bool { return !a.PausedAt.IsZero() && a.StoppedAt.IsZero() }

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
