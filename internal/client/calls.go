package client

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Run is the part of a run object that is used here.
type Run struct {
	ID         int64     `json:"id"`
	RunNumber  int64     `json:"run_number"`
	Attempt    int       `json:"run_attempt"`
	Title      string    `json:"display_title"`
	Path       string    `json:"path"`
	Event      string    `json:"event"`
	HeadSHA    string    `json:"head_sha"`
	HeadBranch string    `json:"head_branch"`
	Actor      User      `json:"actor"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	URL        string    `json:"url"`
	HTMLURL    string    `json:"html_url"`
	TemporalUI string    `json:"temporal_url"`
	StartedAt  time.Time `json:"started_at"`
	StoppedAt  time.Time `json:"completed_at"`
	Problems   []Problem `json:"problems"`

	Reason            string `json:"reason"`
	PendingReason     string `json:"pending_reason"`
	PendingReasonKind string `json:"pending_reason_kind"`
	Approval          string `json:"approval"`
	Paused            bool   `json:"paused"`
	ConcurrencyGroup  string `json:"concurrency_group"`
	SourceRepoID      int64  `json:"scoped_workflow_source_repo_id"`
}

// Problem is a fault of a workflow file.
type Problem struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
}

// Done tells whether the run has ended.
func (r Run) Done() bool { return r.Status == "completed" }

// Job is the part of a job object that is used here.
type Job struct {
	ID         int64     `json:"id"`
	RunID      int64     `json:"run_id"`
	HTMLURL    string    `json:"html_url"`
	Attempt    int       `json:"run_attempt"`
	Name       string    `json:"name"`
	Labels     []string  `json:"labels"`
	Status     string    `json:"status"`
	Conclusion string    `json:"conclusion"`
	RunnerName string    `json:"runner_name"`
	StartedAt  time.Time `json:"started_at"`
	StoppedAt  time.Time `json:"completed_at"`
	Steps      []Step    `json:"steps"`

	Reason            string `json:"reason"`
	ErrorClass        string `json:"error_class"`
	PendingReason     string `json:"pending_reason"`
	PendingReasonKind string `json:"pending_reason_kind"`
	// Kind is empty, call or deferred; ParentID is the caller of a job that was called.
	Kind     string `json:"kind"`
	Uses     string `json:"uses"`
	ParentID int64  `json:"parent_job_id"`
	// Tasks are there when the job was asked for alone.
	Tasks []JobTask `json:"tasks"`
}

// JobTask is one hand-over of a job to a runner.
type JobTask struct {
	ID         int64  `json:"id"`
	Try        int    `json:"try"`
	RunnerName string `json:"runner_name"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
	Cause      string `json:"cause"`
	Reason     string `json:"reason"`
}

// Done tells whether the job has ended.
func (j Job) Done() bool { return j.Status == "completed" }

// Step is one step of a job.
type Step struct {
	Name       string `json:"name"`
	Number     int    `json:"number"`
	Status     string `json:"status"`
	Conclusion string `json:"conclusion"`
}

// CreateUser makes a user; the caller must be an administrator.
func (c *Client) CreateUser(ctx context.Context, login, password string) error {
	return c.call(ctx, http.MethodPost, "/admin/users", map[string]any{
		"username": login, "password": password, "email": login + "@example.invalid", "must_change_password": false,
	}, nil)
}

// CreateToken makes an access token for the user of this client, which must have a password.
func (c *Client) CreateToken(ctx context.Context, name string, scopes ...string) (string, error) {
	var out struct {
		Token string `json:"sha1"`
	}
	err := c.call(ctx, http.MethodPost, "/users/"+url.PathEscape(c.User)+"/tokens", map[string]any{"name": name, "scopes": scopes}, &out)
	return out.Token, err
}

// CreateRepo makes a repository of the caller and returns owner/name.
func (c *Client) CreateRepo(ctx context.Context, name string, private bool) (string, error) {
	var out struct {
		FullName string `json:"full_name"`
	}
	err := c.call(ctx, http.MethodPost, "/user/repos", map[string]any{"name": name, "private": private, "default_branch": "main"}, &out)
	return out.FullName, err
}

// CreateOutsideRepo makes a repository that lives at cloneURL and is fetched when needed.
func (c *Client) CreateOutsideRepo(ctx context.Context, name, cloneURL string) (string, error) {
	var out struct {
		FullName string `json:"full_name"`
	}
	err := c.call(ctx, http.MethodPost, "/user/repos", map[string]any{"name": name, "clone_url": cloneURL, "private": true}, &out)
	return out.FullName, err
}

// Dispatch starts a workflow and returns the id of its run.
func (c *Client) Dispatch(ctx context.Context, repo, workflow, ref string, inputs map[string]string) (int64, error) {
	return c.DispatchOnce(ctx, repo, workflow, ref, inputs, "")
}

// DispatchOnce is Dispatch that may be repeated: for one key the server starts one run. An empty key starts one each time.
func (c *Client) DispatchOnce(ctx context.Context, repo, workflow, ref string, inputs map[string]string, key string) (int64, error) {
	path := fmt.Sprintf("/repos/%s/actions/workflows/%s/dispatches?return_run_details=true", repo, url.PathEscape(workflow))
	req, err := c.request(ctx, http.MethodPost, path, map[string]any{"ref": ref, "inputs": inputs})
	if err != nil {
		return 0, err
	}
	if key != "" {
		req.Header.Set("Idempotency-Key", key)
	}
	var out struct {
		RunID int64 `json:"workflow_run_id"`
	}
	err = c.do(req, &out)
	return out.RunID, err
}

// Run returns one run.
func (c *Client) Run(ctx context.Context, repo string, id int64) (Run, error) {
	var out Run
	return out, c.call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/actions/runs/%d", repo, id), nil, &out)
}

// RunFilter selects runs of a repository. Zero fields select all.
type RunFilter struct {
	Workflow, Branch, Event, Status, Actor string
	// Limit is how many runs to return at most, newest first; 0 is 50.
	Limit int
}

func (f RunFilter) query() url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"branch": f.Branch, "event": f.Event, "status": f.Status, "actor": f.Actor} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

// Runs returns the newest runs of a repository that the filter selects.
func (c *Client) Runs(ctx context.Context, repo string, f RunFilter) ([]Run, error) {
	path := "/repos/" + repo + "/actions/runs"
	if f.Workflow != "" {
		path = "/repos/" + repo + "/actions/workflows/" + url.PathEscape(f.Workflow) + "/runs"
	}
	return collect[Run](ctx, c, path, f.query(), "workflow_runs", cmp.Or(f.Limit, pageSize))
}

// AttemptRun returns a run as of one of its attempts.
func (c *Client) AttemptRun(ctx context.Context, repo string, id int64, attempt int) (Run, error) {
	var out Run
	return out, c.call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/actions/runs/%d/attempts/%d", repo, id, attempt), nil, &out)
}

// Job returns one job with its tasks.
func (c *Client) Job(ctx context.Context, repo string, id int64) (Job, error) {
	var out Job
	return out, c.call(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/actions/jobs/%d", repo, id), nil, &out)
}

// Jobs returns all jobs of the latest attempt of a run.
func (c *Client) Jobs(ctx context.Context, repo string, run int64) ([]Job, error) {
	return collect[Job](ctx, c, fmt.Sprintf("/repos/%s/actions/runs/%d/jobs", repo, run), nil, "jobs", 0)
}

// AttemptJobs returns all jobs of one attempt of a run.
func (c *Client) AttemptJobs(ctx context.Context, repo string, run int64, attempt int) ([]Job, error) {
	return collect[Job](ctx, c, fmt.Sprintf("/repos/%s/actions/runs/%d/attempts/%d/jobs", repo, run, attempt), nil, "jobs", 0)
}

// JobLog returns the whole log of a job, at most limit bytes of it.
func (c *Client) JobLog(ctx context.Context, repo string, job, limit int64) (string, error) {
	return c.text(ctx, fmt.Sprintf("/repos/%s/actions/jobs/%d/logs", repo, job), limit)
}

// TaskLog returns the whole log of one task of a job, at most limit bytes of it.
func (c *Client) TaskLog(ctx context.Context, repo string, job, task, limit int64) (string, error) {
	return c.text(ctx, fmt.Sprintf("/repos/%s/actions/jobs/%d/logs?task=%d", repo, job, task), limit)
}

// OpenJobLog returns the whole log of a job, to be read and closed.
func (c *Client) OpenJobLog(ctx context.Context, repo string, job int64) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, fmt.Sprintf("/repos/%s/actions/jobs/%d/logs", repo, job), nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// text returns an answer that is no JSON.
func (c *Client) text(ctx context.Context, path string, limit int64) (string, error) {
	resp, err := c.send(ctx, http.MethodGet, path, nil)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, limit))
	return string(raw), err
}

// Task is one hand-over of a job to a runner.
type Task struct {
	ID        int64  `json:"id"`
	Name      string `json:"name"`
	RunNumber int64  `json:"run_number"`
	Status    string `json:"status"`
}

// Tasks returns all tasks of a repository.
func (c *Client) Tasks(ctx context.Context, repo string) ([]Task, error) {
	return collect[Task](ctx, c, "/repos/"+repo+"/actions/tasks", nil, "workflow_runs", 0)
}

// User is the part of a user object that is used here.
type User struct {
	ID    int64  `json:"id"`
	Login string `json:"login"`
}

// Me returns the user of this client.
func (c *Client) Me(ctx context.Context) (User, error) {
	var out User
	return out, c.call(ctx, http.MethodGet, "/user", nil, &out)
}
