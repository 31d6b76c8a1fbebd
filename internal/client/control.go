package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Cancel asks for the end of a run.
func (c *Client) Cancel(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "cancel")
}

// ForceCancel asks for the end of a run at once: nothing of it runs any more, whatever its jobs say.
func (c *Client) ForceCancel(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "force-cancel")
}

// Approve lets a run begin that waits for an approval.
func (c *Client) Approve(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "approve")
}

// Pause hands out no more jobs of a run until it is resumed.
func (c *Client) Pause(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "pause")
}

// Resume ends the pause of a run.
func (c *Client) Resume(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "resume")
}

// RerunFailed makes a new attempt in which the jobs run again that failed, and what depends on them.
func (c *Client) RerunFailed(ctx context.Context, repo string, run int64) error {
	return c.act(ctx, repo, run, "rerun-failed-jobs")
}

func (c *Client) act(ctx context.Context, repo string, run int64, what string) error {
	return c.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/runs/%d/%s", repo, run, what), nil, nil)
}

// Rerun makes a new attempt of a run.
func (c *Client) Rerun(ctx context.Context, repo string, run int64) (Run, error) {
	var out Run
	return out, c.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/runs/%d/rerun", repo, run), nil, &out)
}

// RerunJob makes a new attempt in which one job runs again, and what depends on it. It returns the job of that attempt.
func (c *Client) RerunJob(ctx context.Context, repo string, job int64) (Job, error) {
	var out Job
	return out, c.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/jobs/%d/rerun", repo, job), nil, &out)
}

// RerunJobOf is RerunJob for a job that must be of the run.
func (c *Client) RerunJobOf(ctx context.Context, repo string, run, job int64) (Job, error) {
	var out Job
	return out, c.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/runs/%d/jobs/%d/rerun", repo, run, job), nil, &out)
}

// TimelineEvent is one thing that was decided or happened in a run.
type TimelineEvent struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`
	JobID  int64     `json:"job_id"`
	Job    string    `json:"job"`
	Detail string    `json:"detail"`
}

// Timeline returns what was decided in an attempt of a run, in order; attempt 0 is the latest.
func (c *Client) Timeline(ctx context.Context, repo string, run int64, attempt int) ([]TimelineEvent, error) {
	path := fmt.Sprintf("/repos/%s/actions/runs/%d/timeline", repo, run)
	query := url.Values{}
	if attempt != 0 {
		query.Set("attempt", strconv.Itoa(attempt))
	}
	return collect[TimelineEvent](ctx, c, path, query, "events", 0)
}

// EnvironmentRules are what jobs wait for that deploy to an environment.
type EnvironmentRules struct {
	WaitMinutes       int        `json:"wait_timer"`
	PreventSelfReview bool       `json:"prevent_self_review"`
	Reviewers         []Reviewer `json:"reviewers"`
}

// Reviewer is a User or an Organization.
type Reviewer struct {
	Type string `json:"type"`
	ID   int64  `json:"id"`
}

// PutEnvironment makes an environment or replaces its rules, and returns its id.
func (c *Client) PutEnvironment(ctx context.Context, repo, name string, rules EnvironmentRules) (int64, error) {
	var out struct {
		ID int64 `json:"id"`
	}
	err := c.call(ctx, http.MethodPut, "/repos/"+repo+"/environments/"+url.PathEscape(name), rules, &out)
	return out.ID, err
}

// DeleteEnvironment removes an environment.
func (c *Client) DeleteEnvironment(ctx context.Context, repo, name string) error {
	return c.call(ctx, http.MethodDelete, "/repos/"+repo+"/environments/"+url.PathEscape(name), nil, nil)
}

// Review lets the jobs of a run go on that wait for environments, or fails them.
func (c *Client) Review(ctx context.Context, repo string, run int64, environments []int64, approve bool, comment string) error {
	state := "rejected"
	if approve {
		state = "approved"
	}
	return c.call(ctx, http.MethodPost, fmt.Sprintf("/repos/%s/actions/runs/%d/pending_deployments", repo, run), map[string]any{
		"environment_ids": environments, "state": state, "comment": comment,
	}, nil)
}

// Settings are those of a repository.
type Settings struct {
	MaxRunningJobs *int   `json:"max_running_jobs"`
	Paused         bool   `json:"paused"`
	Approval       string `json:"approval"`
	// For how many days things are kept after the end of a run; 0 is for as long as the installation keeps them.
	LogRetentionDays       int `json:"log_retention_days"`
	FailedLogRetentionDays int `json:"failed_log_retention_days"`
	RunRetentionDays       int `json:"run_retention_days"`
}

// RepoSettings returns the settings of a repository.
func (c *Client) RepoSettings(ctx context.Context, repo string) (Settings, error) {
	var out Settings
	return out, c.call(ctx, http.MethodGet, "/repos/"+repo+"/actions/settings", nil, &out)
}

// EditRepoSettings changes the settings that the map has, by the names that they have in JSON, and leaves the others; nil
// as max_running_jobs is no limit.
func (c *Client) EditRepoSettings(ctx context.Context, repo string, change map[string]any) error {
	return c.call(ctx, http.MethodPatch, "/repos/"+repo+"/actions/settings", change, nil)
}

// SetOrgJobLimit bounds how many jobs run at once in all repositories of an organization; nil is no limit.
func (c *Client) SetOrgJobLimit(ctx context.Context, org string, most *int) error {
	return c.call(ctx, http.MethodPatch, "/orgs/"+org+"/actions/settings", map[string]any{"max_running_jobs": most}, nil)
}

// SetUserJobLimit bounds how many jobs run at once in all repositories of a user; the caller must be an administrator.
func (c *Client) SetUserJobLimit(ctx context.Context, user string, most *int) error {
	return c.call(ctx, http.MethodPatch, "/admin/users/"+user+"/actions/settings", map[string]any{"max_running_jobs": most}, nil)
}

// SetScopedSource has the scoped workflows of a repository run in all repositories of the caller.
func (c *Client) SetScopedSource(ctx context.Context, source string, required bool) error {
	return c.call(ctx, http.MethodPut, "/user/actions/scoped_workflows/"+source, map[string]any{"required": required}, nil)
}
