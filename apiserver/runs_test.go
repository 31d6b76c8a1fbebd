package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

func TestRunObject(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	out := anna.do("GET", repoPath(repo, "/actions/runs/%d", v.Run.ID), nil).wants(http.StatusOK)

	api := fmt.Sprintf("%s/api/v1/repos/anna/demo/actions/runs/%d", r.url, v.Run.ID)
	for key, want := range map[string]any{
		"id": float64(v.Run.ID), "run_number": 1.0, "run_attempt": 1.0, "url": api, "previous_attempt_url": nil,
		"html_url": fmt.Sprintf("%s/anna/demo/actions/runs/%d", r.url, v.Run.ID), "display_title": "a commit",
		"path": "ci.yml@refs/heads/main", "event": "push", "head_sha": v.Run.SHA, "head_branch": "main", "status": "queued",
		"pull_requests": []any{}, "started_at": "1970-01-01T00:00:00Z", "completed_at": "1970-01-01T00:00:00Z",
		"jobs_url": api + "/jobs", "cancel_url": api + "/cancel",
		"temporal_workflow_id": fmt.Sprintf("run/%d/1", v.Run.ID),
		"temporal_url":         fmt.Sprintf("http://temporal.example:8080/namespaces/pawl/workflows/run%%2F%d%%2F1", v.Run.ID),
	} {
		require.Equal(t, want, out[key], key)
	}
	require.NotContains(t, out, "conclusion")
	require.NotContains(t, out, "problems")
	require.Equal(t, map[string]any{"admin": false, "push": false, "pull": false}, out["repository"].(map[string]any)["permissions"])

	r.claim(r.jobs(v)[0])
	out = anna.do("GET", repoPath(repo, "/actions/runs/%d", v.Run.ID), nil).wants(http.StatusOK)
	require.Equal(t, "in_progress", out["status"])
	require.NotEqual(t, "1970-01-01T00:00:00Z", out["started_at"])
	r.finish(v, "failure")
	out = anna.do("GET", repoPath(repo, "/actions/runs/%d", v.Run.ID), nil).wants(http.StatusOK)
	require.Equal(t, "completed", out["status"])
	require.Equal(t, "failure", out["conclusion"])
}

func TestUnknownRuns(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, other := anna.pushed("demo"), anna.repo("other", true)
	run := r.latestRun(repo).Run.ID
	for _, id := range []string{"0", "-1", "999999", "x", "9223372036854775807", "99999999999999999999", "1e3", "%00", "%ff", "1%2F2"} {
		anna.do("GET", repoPath(repo, "/actions/runs/%s", id), nil).refused(http.StatusNotFound, "not found")
		anna.do("GET", repoPath(repo, "/actions/jobs/%s", id), nil).refused(http.StatusNotFound, "not found")
		anna.do("POST", repoPath(repo, "/actions/runs/%s/cancel", id), nil).refused(http.StatusNotFound, "not found")
		anna.do("POST", repoPath(repo, "/actions/runs/%s/rerun", id), nil).refused(http.StatusNotFound, "not found")
		anna.do("GET", repoPath(repo, "/actions/runs/%d/attempts/%s", run, id), nil).refused(http.StatusNotFound, "not found")
		anna.do("GET", repoPath(repo, "/actions/runs/%d/attempts/%s/jobs", run, id), nil).refused(http.StatusNotFound, "not found")
	}
	// A run is reached through its own repository only.
	anna.do("GET", repoPath(other, "/actions/runs/%d", run), nil).refused(http.StatusNotFound, "not found")
	anna.do("GET", repoPath(repo, "/actions/runs/0/jobs"), nil).wants(http.StatusBadRequest)
	anna.do("GET", repoPath(repo, "/actions/runs/999999/jobs"), nil).wants(http.StatusNotFound)
}

func TestRunListFilters(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	pushed := r.latestRun(repo)
	for range 3 {
		ben.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	}
	r.finish(pushed, "success")
	r.claim(r.jobs(r.latestRun(repo))[0])

	for query, want := range map[string][]int64{
		"":                                   {4, 3, 2, 1},
		"event=push":                         {1},
		"event=workflow_dispatch":            {4, 3, 2},
		"branch=main":                        {4, 3, 2, 1},
		"branch=other":                       {},
		"branch=refs/heads/main":             {},
		"status=completed":                   {1},
		"status=success":                     {1},
		"status=failure":                     {},
		"status=in_progress":                 {4},
		"status=queued":                      {3, 2},
		"status=queued&status=success":       {3, 2, 1},
		"status=":                            {4, 3, 2, 1},
		"actor=BEN":                          {4, 3, 2},
		"actor=anna":                         {1},
		"actor=nobody":                       {},
		"head_sha=" + pushed.Run.SHA:         {4, 3, 2, 1},
		"head_sha=" + pushed.Run.SHA[:10]:    {},
		"exclude_pull_requests=true":         {4, 3, 2, 1},
		"event=push&actor=ben":               {},
		"limit=2":                            {4, 3},
		"limit=2&page=2":                     {2, 1},
		"limit=2&page=3":                     {},
		"limit=0&page=0":                     {4, 3, 2, 1},
		"limit=-5&page=-7":                   {4, 3, 2, 1},
		"limit=x&page=y":                     {4, 3, 2, 1},
		"limit=99999999999999999999999":      {4, 3, 2, 1},
		"page=99999999999999999999999":       {},
		"branch=%27%3B+DROP+TABLE+runs%3B--": {},
	} {
		t.Run(query, func(t *testing.T) {
			for _, path := range []string{"/actions/runs?", "/actions/workflows/ci.yml/runs?"} {
				out := anna.do("GET", repoPath(repo, "%s%s", path, query), nil).wants(http.StatusOK)
				got := []int64{}
				for _, run := range out["workflow_runs"].([]any) {
					got = append(got, number(run.(map[string]any)["run_number"]))
				}
				require.Equal(t, want, got)
			}
		})
	}
	anna.do("GET", repoPath(repo, "/actions/runs?status=odd"), nil).refused(http.StatusBadRequest, "invalid status odd")
	anna.do("GET", repoPath(repo, "/actions/runs?branch=%%00"), nil).wants(http.StatusBadRequest)
	anna.do("GET", repoPath(repo, "/actions/runs?%%ff=1"), nil).wants(http.StatusBadRequest)
	anna.do("GET", repoPath(repo, "/actions/workflows/none.yml/runs"), nil).
		refused(http.StatusNotFound, `workflow "none.yml" doesn't exist`)
	anna.do("GET", repoPath(repo, "/actions/workflows/ci.yml/runs?scoped_workflow_source_repo_id=7"), nil).wants(http.StatusNotFound)
}

func TestRunListPages(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	for range 4 {
		anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	}
	a := anna.do("GET", repoPath(repo, "/actions/runs?limit=2&page=2&event="), nil)
	require.EqualValues(t, 5, a.wants(http.StatusOK)["total_count"])
	require.Equal(t, "5", a.Header.Get("X-Total-Count"))
	link := func(page int, rel string) string {
		return fmt.Sprintf("<%s/api/v1/repos/anna/demo/actions/runs?event=&limit=2&page=%d>; rel=%q", r.url, page, rel)
	}
	require.Equal(t, link(3, "next")+","+link(3, "last")+","+link(1, "first")+","+link(1, "prev"), a.Header.Get("Link"))
	require.Equal(t, "X-Total-Count, Link", a.Header.Get("Access-Control-Expose-Headers"))

	whole := anna.do("GET", repoPath(repo, "/actions/runs"), nil)
	require.Empty(t, whole.Header.Get("Link"))
	head := anna.do("HEAD", repoPath(repo, "/actions/runs"), nil)
	head.wants(http.StatusOK)
	require.Empty(t, head.body)
	require.Equal(t, whole.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
}

func TestRunListsOverRepositories(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	anna.do("PUT", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)
	out := anna.do("POST", "/orgs/acme/repos", `{"name":"team","private":true}`).wants(http.StatusCreated)
	team, err := r.db.RepositoryByID(t.Context(), number(out["id"]))
	require.NoError(t, err)
	anna.push(team, "main", map[string]string{".github/workflows/ci.yaml": workflow})
	own := anna.pushed("own")

	count := func(c *client, path string) int {
		return len(c.do("GET", path, nil).wants(http.StatusOK)["workflow_runs"].([]any))
	}
	require.Equal(t, 1, count(anna, "/orgs/acme/actions/runs"))
	require.Equal(t, 1, count(ben, "/orgs/acme/actions/runs"))
	require.Equal(t, 1, count(anna, "/user/actions/runs"))
	require.Equal(t, 0, count(ben, "/user/actions/runs"))
	require.Equal(t, 2, count(root, "/admin/actions/runs"))
	require.Equal(t, 0, count(root, "/admin/actions/runs?status=success"))
	anna.do("GET", "/admin/actions/runs", nil).refused(http.StatusForbidden, "user should be the site admin")

	jobs := root.do("GET", "/admin/actions/jobs?order=desc", nil).wants(http.StatusOK)
	require.EqualValues(t, 4, jobs["total_count"])
	newest := jobs["jobs"].([]any)[0].(map[string]any)
	require.Contains(t, newest["url"], own.FullName())
	require.EqualValues(t, 2, ben.do("GET", "/orgs/acme/actions/jobs", nil).wants(http.StatusOK)["total_count"])
	require.EqualValues(t, 2, anna.do("GET", "/user/actions/jobs", nil).wants(http.StatusOK)["total_count"])
}

func TestCancel(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	task, _ := r.claim(r.jobs(v)[0])
	cancel := repoPath(repo, "/actions/runs/%d/cancel", v.Run.ID)
	anna.do("POST", cancel, nil).wants(http.StatusAccepted)
	anna.do("POST", cancel, nil).wants(http.StatusAccepted)
	var stopped bool
	require.NoError(t, r.db.Pool.QueryRow(t.Context(), `SELECT cancel_requested_at IS NOT NULL FROM tasks WHERE id = $1`, task).Scan(&stopped))
	require.True(t, stopped, "the runner hears of it with its next report")
	require.Contains(t, r.engine.cancelled, v.Run.ID)
	r.finish(v, "cancelled")
	anna.do("POST", cancel, nil).refused(http.StatusConflict, "this workflow run has already finished")
}

func TestRerunAndAttempts(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/runs/%d", v.Run.ID)
	ben.do("POST", path+"/rerun", nil).refused(http.StatusBadRequest, "this workflow run is not done")
	r.claim(r.jobs(v)[0])
	r.finish(v, "failure")

	out := ben.do("POST", path+"/rerun", nil).wants(http.StatusCreated)
	require.EqualValues(t, 2, out["run_attempt"])
	require.EqualValues(t, 1, out["run_number"])
	require.Equal(t, "queued", out["status"])
	require.Equal(t, "anna", out["actor"].(map[string]any)["login"])
	require.Equal(t, "ben", out["trigger_actor"].(map[string]any)["login"])
	require.Equal(t, r.url+"/api/v1"+path+"/attempts/1", out["previous_attempt_url"])
	require.Equal(t, 2, r.engine.started[len(r.engine.started)-1].Attempt)

	first := anna.do("GET", path+"/attempts/1", nil).wants(http.StatusOK)
	require.Equal(t, "failure", first["conclusion"])
	require.Nil(t, first["previous_attempt_url"])
	anna.do("GET", path+"/attempts/3", nil).wants(http.StatusNotFound)

	old := anna.do("GET", path+"/attempts/1/jobs", nil).wants(http.StatusOK)["jobs"].([]any)
	latest := anna.do("GET", path+"/jobs", nil).wants(http.StatusOK)["jobs"].([]any)
	require.Len(t, old, 2)
	require.Len(t, latest, 2)
	require.EqualValues(t, 1, old[0].(map[string]any)["run_attempt"])
	require.EqualValues(t, 2, latest[0].(map[string]any)["run_attempt"])
	require.NotEqual(t, old[0].(map[string]any)["id"], latest[0].(map[string]any)["id"])

	anna.do("PUT", repoPath(repo, "/actions/workflows/ci.yml/disable"), nil).wants(http.StatusNoContent)
	r.finish(r.latestRun(repo), "success")
	ben.do("POST", path+"/rerun", nil).refused(http.StatusBadRequest, "workflow is disabled")
	require.Equal(t, ci.StatusSuccess, r.latestRun(repo).Run.Status)
}

func TestInvalidWorkflowFileIsAFailedRun(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	anna.push(repo, "main", map[string]string{".gitea/workflows/bad.yml": "on: push\njobs:\n  a:\n    needs: [b]\n    runs-on: x\n    steps: [{run: x}]\n"})
	out := anna.do("GET", repoPath(repo, "/actions/runs/%d", r.latestRun(repo).Run.ID), nil).wants(http.StatusOK)
	require.Equal(t, "failure", out["conclusion"])
	problem := out["problems"].([]any)[0].(map[string]any)
	require.Equal(t, ".gitea/workflows/bad.yml", problem["file"])
	require.NotZero(t, problem["line"])
	require.NotZero(t, problem["column"])
	page := anna.raw("GET", fmt.Sprintf("/anna/demo/actions/runs/%d", r.latestRun(repo).Run.ID), nil)
	page.wants(http.StatusOK)
	require.Contains(t, string(page.body), "bad.yml:4")
}
