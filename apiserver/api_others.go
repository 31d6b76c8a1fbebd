package apiserver

import (
	"net/url"
	"strings"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// apiTask is the Task of rest-api.md §4.
type apiTask struct {
	ID           int64     `json:"id"`
	Name         string    `json:"name"`
	HeadBranch   string    `json:"head_branch"`
	HeadSHA      string    `json:"head_sha"`
	RunNumber    int64     `json:"run_number"`
	Event        string    `json:"event"`
	DisplayTitle string    `json:"display_title"`
	Status       string    `json:"status"`
	WorkflowID   string    `json:"workflow_id"`
	URL          string    `json:"url"`
	CreatedAt    time.Time `json:"created_at"`
	UpdatedAt    time.Time `json:"updated_at"`
	RunStartedAt time.Time `json:"run_started_at"`
}

type apiTaskList struct {
	apiListed
	WorkflowRuns []*apiTask `json:"workflow_runs"`
}

func showTask(root string, t *db.TaskView, repo *db.Repository) *apiTask {
	return &apiTask{
		ID: t.ID, Name: t.JobName, HeadBranch: shortRef(t.Ref), HeadSHA: t.SHA, RunNumber: t.RunNumber, Event: t.Event,
		DisplayTitle: t.Title, Status: taskWord(t.Status), WorkflowID: t.File, URL: repoLinks(root, repo).runHTML(t.RunID),
		CreatedAt: shown(t.ClaimedAt), UpdatedAt: shown(t.UpdatedAt), RunStartedAt: shown(t.RunStartedAt),
	}
}

// taskWord shows a lost task as failed: clients know no word for it, and Gitea ends such tasks as failed too.
func taskWord(s db.TaskStatus) string {
	if s == db.TaskLost {
		return string(db.TaskFailure)
	}
	return string(s)
}

// shortRef is the name of a branch or tag, and #N for a pull request.
func shortRef(ref string) string {
	name, kind := ci.ShortRef(ref)
	if kind == "" && strings.HasPrefix(ref, "refs/pull/") {
		number, _, _ := strings.Cut(name, "/")
		return "#" + number
	}
	return name
}

// apiWorkflow is the Workflow of rest-api.md §5.
type apiWorkflow struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Path      string    `json:"path"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	URL       string    `json:"url"`
	HTMLURL   string    `json:"html_url"`
	BadgeURL  string    `json:"badge_url"`
	DeletedAt time.Time `json:"deleted_at"`
}

type apiWorkflowList struct {
	Workflows  []*apiWorkflow `json:"workflows"`
	TotalCount int            `json:"total_count"`
}

func showWorkflow(root string, w trigger.Workflow, repo *db.Repository) *apiWorkflow {
	l := repoLinks(root, repo)
	state := "active"
	if w.Disabled {
		state = "disabled_manually"
	}
	return &apiWorkflow{
		ID: w.File, Name: w.Name, Path: w.Path, State: state, CreatedAt: shown(w.Changed), UpdatedAt: shown(w.Changed),
		URL: l.workflow(w.File), HTMLURL: l.html + "/src/branch/" + escapePath(w.Branch) + "/" + escapePath(w.Path),
		BadgeURL: l.html + "/actions/workflows/" + escapePath(w.File) + "/badge.svg?branch=" + url.QueryEscape(w.Branch),
	}
}

// apiRunner is the Runner of rest-api.md §7. Version and Capabilities are Pawl's own (known-problems.md C11).
type apiRunner struct {
	ID           int64            `json:"id"`
	Name         string           `json:"name"`
	Status       string           `json:"status"`
	Busy         bool             `json:"busy"`
	Disabled     bool             `json:"disabled"`
	Ephemeral    bool             `json:"ephemeral"`
	Labels       []apiRunnerLabel `json:"labels"`
	Version      string           `json:"version"`
	Capabilities []string         `json:"capabilities"`
}

type apiRunnerLabel struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

type apiRunnerList struct {
	Runners    []*apiRunner `json:"runners"`
	TotalCount int          `json:"total_count"`
}

func showRunner(r *db.RunnerView) *apiRunner {
	runner := &apiRunner{
		ID: r.ID, Name: r.Name, Status: "offline", Busy: r.IsBusy, Disabled: r.IsDisabled, Ephemeral: r.IsEphemeral,
		Labels: make([]apiRunnerLabel, len(r.Labels)), Version: r.Version, Capabilities: append([]string{}, r.Capabilities...),
	}
	if r.IsOnline {
		runner.Status = "online"
	}
	for i, name := range r.Labels {
		runner.Labels[i] = apiRunnerLabel{ID: i, Name: name, Type: "custom"}
	}
	return runner
}

// apiToken is an access token; SHA1 is its text, shown once.
type apiToken struct {
	ID             int64     `json:"id"`
	Name           string    `json:"name"`
	SHA1           string    `json:"sha1"`
	TokenLastEight string    `json:"token_last_eight"`
	Scopes         []string  `json:"scopes"`
	CreatedAt      time.Time `json:"created_at"`
	LastUsedAt     time.Time `json:"last_used_at"`
}

func showToken(t *db.AccessToken, text string) *apiToken {
	used := t.LastUsedAt
	if used.IsZero() {
		used = t.CreatedAt
	}
	return &apiToken{
		ID: t.ID, Name: t.Name, SHA1: text, TokenLastEight: t.LastEight, Scopes: append([]string{}, t.Scopes...),
		CreatedAt: shown(t.CreatedAt), LastUsedAt: shown(used),
	}
}
