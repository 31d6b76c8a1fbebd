package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestJobObject(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	build, test := r.jobs(v)[0], r.jobs(v)[1]
	get := func(id int64) map[string]any {
		return anna.do("GET", repoPath(repo, "/actions/jobs/%d", id), nil).wants(http.StatusOK)
	}
	out := get(build.ID)
	for key, want := range map[string]any{
		"id": float64(build.ID), "run_id": float64(v.Run.ID), "name": "build", "labels": []any{"ubuntu-latest"}, "run_attempt": 1.0,
		"head_sha": v.Run.SHA, "head_branch": "main", "status": "queued", "steps": []any{},
		"url":        fmt.Sprintf("%s/api/v1/repos/anna/demo/actions/jobs/%d", r.url, build.ID),
		"run_url":    fmt.Sprintf("%s/api/v1/repos/anna/demo/actions/runs/%d", r.url, v.Run.ID),
		"html_url":   fmt.Sprintf("%s/anna/demo/actions/runs/%d/jobs/%d", r.url, v.Run.ID, build.ID),
		"started_at": "1970-01-01T00:00:00Z", "completed_at": "1970-01-01T00:00:00Z",
	} {
		require.Equal(t, want, out[key], key)
	}
	for _, absent := range []string{
		"conclusion", "runner_id", "runner_name", "reason", "error_class", "kind", "uses", "parent_job_id", "tasks",
	} {
		require.NotContains(t, out, absent)
	}
	require.Equal(t, "run-queued", out["pending_reason_kind"])
	require.Equal(t, "the run has not begun", out["pending_reason"])
	r.sql(`UPDATE attempts SET workflow_seen_at = now()`)
	require.Equal(t, "waiting", get(test.ID)["status"])
	require.Equal(t, "needs build to end first", get(test.ID)["pending_reason"])

	task, _ := r.claim(build)
	r.sql(`UPDATE tasks SET steps = '[{"index":0,"status":"success","started_at":"2026-01-02T03:04:05.6Z","stopped_at":"2026-01-02T03:04:06Z"}]' WHERE id = $1`, task)
	out = get(build.ID)
	require.Equal(t, "in_progress", out["status"])
	require.NotContains(t, out, "pending_reason")
	require.Equal(t, "runner-1", out["runner_name"])
	require.NotZero(t, out["runner_id"])
	require.Equal(t, []any{
		map[string]any{
			"name": "Run echo hello ${{ inputs.who }}", "number": 0.0, "status": "completed", "conclusion": "success",
			"started_at": "2026-01-02T03:04:05Z", "completed_at": "2026-01-02T03:04:06Z",
		},
		map[string]any{
			"name": "second", "number": 1.0, "status": "queued", "started_at": "1970-01-01T00:00:00Z", "completed_at": "1970-01-01T00:00:00Z",
		},
	}, out["steps"])

	r.finish(v, "failure")
	steps := get(build.ID)["steps"].([]any)
	require.Equal(t, "skipped", steps[1].(map[string]any)["conclusion"], "a step that never began")
}

func TestJobLists(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	jobs := r.jobs(v)
	for query, want := range map[string][]int64{
		"":                             {jobs[0].ID, jobs[1].ID},
		"order=desc":                   {jobs[1].ID, jobs[0].ID},
		"sort=id&order=asc":            {jobs[0].ID, jobs[1].ID},
		"status=queued":                {jobs[0].ID},
		"status=waiting":               {jobs[1].ID},
		"status=queued&status=waiting": {jobs[0].ID, jobs[1].ID},
		"limit=1&page=2":               {jobs[1].ID},
		"status=completed":             {},
	} {
		for _, list := range []string{"/actions/jobs", fmt.Sprintf("/actions/runs/%d/jobs", v.Run.ID), fmt.Sprintf("/actions/runs/%d/attempts/1/jobs", v.Run.ID)} {
			out := anna.do("GET", repoPath(repo, "%s?%s", list, query), nil).wants(http.StatusOK)
			got := []int64{}
			for _, j := range out["jobs"].([]any) {
				got = append(got, number(j.(map[string]any)["id"]))
			}
			require.Equal(t, want, got, "%s?%s", list, query)
		}
	}
	anna.do("GET", repoPath(repo, "/actions/jobs?status=odd"), nil).refused(http.StatusBadRequest, "invalid status odd")
	anna.do("GET", repoPath(repo, "/actions/jobs?sort=name"), nil).refused(http.StatusUnprocessableEntity, `invalid sort "name"`)
	anna.do("GET", repoPath(repo, "/actions/jobs?order=up"), nil).refused(http.StatusUnprocessableEntity, `invalid order "up"`)
}

func TestTaskList(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	jobs := r.jobs(v)
	first, _ := r.claim(jobs[0])
	r.sql(`UPDATE tasks SET status = 'lost', stopped_at = now() WHERE id = $1`, first)
	second, _ := r.claim(jobs[0])

	a := anna.do("GET", repoPath(repo, "/actions/tasks?limit=1"), nil)
	out := a.wants(http.StatusOK)
	require.EqualValues(t, 2, out["total_count"])
	require.Equal(t, "2", a.Header.Get("X-Total-Count"))
	task := out["workflow_runs"].([]any)[0].(map[string]any)
	for key, want := range map[string]any{
		"id": float64(second), "name": "build", "head_branch": "main", "head_sha": v.Run.SHA, "run_number": 1.0, "event": "push",
		"display_title": "a commit", "status": "running", "workflow_id": "ci.yml",
		"url": fmt.Sprintf("%s/anna/demo/actions/runs/%d", r.url, v.Run.ID),
	} {
		require.Equal(t, want, task[key], key)
	}
	lost := anna.do("GET", repoPath(repo, "/actions/tasks?page=2&limit=1"), nil).wants(http.StatusOK)["workflow_runs"].([]any)[0]
	require.Equal(t, "failure", lost.(map[string]any)["status"])
}

// The jobs of a reusable workflow are seen under their caller, and a job whose cells have taken its place is not seen.
func TestCallersChildrenAndHiddenJobs(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	caller, child := r.jobs(v)[0], r.jobs(v)[1]
	r.sql(`UPDATE jobs SET kind = 'call', uses = './x.yml', status = 'running', class = 'permanent' WHERE id = $1`, caller.ID)
	r.sql(`UPDATE jobs SET parent_id = $2, name = 'inner' WHERE id = $1`, child.ID, caller.ID)
	list := anna.do("GET", repoPath(repo, "/actions/runs/%d/jobs", v.Run.ID), nil).wants(http.StatusOK)["jobs"].([]any)
	first, second := list[0].(map[string]any), list[1].(map[string]any)
	require.Equal(t, "call", first["kind"])
	require.Equal(t, "./x.yml", first["uses"])
	require.Equal(t, "permanent", first["error_class"])
	require.EqualValues(t, caller.ID, second["parent_job_id"])
	page := string(anna.raw("GET", fmt.Sprintf("/anna/demo/actions/runs/%d", v.Run.ID), nil).body)
	require.Contains(t, page, "<td>build <small>./x.yml</small>")
	require.Contains(t, page, "<td>\u00a0\u00a0\u00a0inner")

	r.sql(`UPDATE jobs SET is_hidden = true WHERE id = $1`, child.ID)
	for _, path := range []string{"", "/logs", "/logs/stream", "/tasks"} {
		anna.do("GET", repoPath(repo, "/actions/jobs/%d%s", child.ID, path), nil).refused(http.StatusNotFound, "not found")
	}
	for _, list := range []string{"/actions/jobs", fmt.Sprintf("/actions/runs/%d/jobs", v.Run.ID)} {
		require.EqualValues(t, 1, anna.do("GET", repoPath(repo, "%s", list), nil).wants(http.StatusOK)["total_count"])
	}
}

func TestTasksOfAJob(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	path := repoPath(repo, "/actions/jobs/%d", job.ID)
	require.EqualValues(t, 0, anna.do("GET", path+"/tasks", nil).wants(http.StatusOK)["total_count"])
	first, _ := r.claim(job)
	r.sql(`UPDATE tasks SET status = 'lost', cause = 'lost', reason = 'the runner is gone', stopped_at = now() WHERE id = $1`, first)
	second, _ := r.claim(job)

	out := anna.do("GET", path, nil).wants(http.StatusOK)
	list := anna.do("GET", path+"/tasks", nil).wants(http.StatusOK)
	require.Equal(t, out["tasks"], list["tasks"])
	require.EqualValues(t, 2, list["total_count"])
	lost, running := list["tasks"].([]any)[0].(map[string]any), list["tasks"].([]any)[1].(map[string]any)
	for key, want := range map[string]any{
		"id": float64(first), "try": 1.0, "runner_name": "runner-1", "status": "completed", "conclusion": "failure", "cause": "lost",
		"reason": "the runner is gone", "logs_url": fmt.Sprintf("%s/api/v1%s/logs?task=%d", r.url, path, first),
	} {
		require.Equal(t, want, lost[key], key)
	}
	require.EqualValues(t, second, running["id"])
	require.Equal(t, "in_progress", running["status"])
	require.NotContains(t, running, "conclusion")
	page := anna.do("GET", path+"/tasks?limit=1&page=2", nil)
	require.EqualValues(t, second, page.wants(http.StatusOK)["tasks"].([]any)[0].(map[string]any)["id"])
	require.Equal(t, "2", page.Header.Get("X-Total-Count"))
	anna.do("GET", repoPath(repo, "/actions/jobs/999999/tasks"), nil).refused(http.StatusNotFound, "not found")
}
