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
	for _, absent := range []string{"conclusion", "runner_id", "runner_name", "reason"} {
		require.NotContains(t, out, absent)
	}
	require.Equal(t, "waiting", get(test.ID)["status"])

	task, _ := r.claim(build)
	r.sql(`UPDATE tasks SET steps = '[{"index":0,"status":"success","started_at":"2026-01-02T03:04:05.6Z","stopped_at":"2026-01-02T03:04:06Z"}]' WHERE id = $1`, task)
	out = get(build.ID)
	require.Equal(t, "in_progress", out["status"])
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
