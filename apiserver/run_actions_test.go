package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestForceCancel(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	task, _ := r.claim(r.jobs(v)[0])
	path := repoPath(repo, "/actions/runs/%d/force-cancel", v.Run.ID)
	anna.do("POST", path, nil).wants(http.StatusAccepted)
	var ended bool
	require.NoError(t, r.db.Pool.QueryRow(t.Context(), `SELECT stopped_at IS NOT NULL FROM tasks WHERE id = $1`, task).Scan(&ended))
	require.True(t, ended, "no runner is waited for")
	require.Contains(t, r.engine.cancelled, v.Run.ID)
	r.finish(v, "cancelled")
	anna.do("POST", path, nil).refused(http.StatusConflict, "this workflow run has already finished")
}

func TestApprove(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/runs/%d", v.Run.ID)
	anna.do("POST", path+"/approve", nil).refused(http.StatusConflict, "this workflow run never awaited an approval")

	r.sql(`UPDATE runs SET approval = 'needed', status = 'blocked'`)
	r.sql(`UPDATE attempts SET status = 'blocked'`)
	r.sql(`UPDATE jobs SET status = 'blocked'`)
	out := anna.do("GET", path, nil).wants(http.StatusOK)
	require.Equal(t, "needed", out["approval"])
	require.Equal(t, "the run needs an approval", out["pending_reason"])
	require.Equal(t, "approval", out["pending_reason_kind"])

	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	ben.do("POST", path+"/approve", nil).refused(http.StatusForbidden, "user should have a permission to write to a repo")
	anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	_, token := r.claim(r.jobs(r.latestRun(repo))[0])
	r.anonymous().with("token "+token).do("POST", path+"/approve", nil).
		refused(http.StatusForbidden, "the token of a task may not be used here")
	for range 2 {
		anna.do("POST", path+"/approve", nil).wants(http.StatusNoContent)
	}
	require.Contains(t, r.engine.woken, v.Run.ID)
	require.Equal(t, "given", anna.do("GET", path, nil).wants(http.StatusOK)["approval"])
}

func TestPauseAndResume(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	r.sql(`UPDATE attempts SET workflow_seen_at = now()`)
	dbtest.Offer(t, r.db, r.jobs(v)[0])
	path := repoPath(repo, "/actions/runs/%d", v.Run.ID)
	job := repoPath(repo, "/actions/jobs/%d", r.jobs(v)[0].ID)
	require.Equal(t, false, anna.do("GET", path, nil).wants(http.StatusOK)["paused"])
	for range 2 {
		anna.do("POST", path+"/pause", nil).wants(http.StatusAccepted)
	}
	require.Equal(t, true, anna.do("GET", path, nil).wants(http.StatusOK)["paused"])
	require.Equal(t, "the run is paused by anna", anna.do("GET", job, nil).wants(http.StatusOK)["pending_reason"])
	for range 2 {
		anna.do("POST", path+"/resume", nil).wants(http.StatusAccepted)
	}
	require.Equal(t, false, anna.do("GET", path, nil).wants(http.StatusOK)["paused"])
	require.Equal(t, "no-runner", anna.do("GET", job, nil).wants(http.StatusOK)["pending_reason_kind"])
	r.finish(v, "success")
	anna.do("POST", path+"/pause", nil).refused(http.StatusConflict, "this workflow run has already finished")
	anna.do("POST", path+"/resume", nil).refused(http.StatusConflict, "this workflow run has already finished")
}

func TestRerunOfFailedAndOfOneJob(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	build, test := r.jobs(v)[0], r.jobs(v)[1]
	path := repoPath(repo, "/actions/runs/%d", v.Run.ID)
	task, _ := r.claim(build)
	r.logger(task).append(true, "hello")
	anna.do("POST", path+"/rerun-failed-jobs", nil).refused(http.StatusBadRequest, "this workflow run is not done")
	r.sql(`UPDATE jobs SET status = 'success', stopped_at = now() WHERE id = $1`, build.ID)
	r.finish(v, "failure")

	a := anna.do("POST", path+"/rerun-failed-jobs", nil)
	a.wants(http.StatusCreated)
	require.Empty(t, a.body)
	second := r.latestRun(repo)
	require.Equal(t, 2, second.Run.Attempt)
	passed, again := r.jobs(second)[0], r.jobs(second)[1]
	require.Equal(t, ci.StatusSuccess, passed.Status)
	require.False(t, again.Status.Terminal())

	// The job that was passed on shows the task, the steps and the log of the one that ran.
	out := anna.do("GET", repoPath(repo, "/actions/jobs/%d", passed.ID), nil).wants(http.StatusOK)
	require.Equal(t, "runner-1", out["runner_name"])
	require.Len(t, out["steps"], 2)
	require.EqualValues(t, task, out["tasks"].([]any)[0].(map[string]any)["id"])
	for _, id := range []int64{build.ID, passed.ID} {
		require.Contains(t, string(anna.do("GET", repoPath(repo, "/actions/jobs/%d/logs", id), nil).body), "hello")
	}

	page := string(anna.raw("GET", fmt.Sprintf("/anna/demo/actions/runs/%d/attempts/1", v.Run.ID), nil).body)
	require.Contains(t, page, "attempt 1 of ci.yml")
	require.Contains(t, page, fmt.Sprintf(`<a href="%s/anna/demo/actions/runs/%d/attempts/2">2</a>`, r.url, v.Run.ID))
	require.Contains(t, page, fmt.Sprintf("/actions/runs/%d/timeline?attempt=1", v.Run.ID))

	// Gitea's and GitHub's path for one job.
	r.finish(second, "failure")
	for _, rerun := range []string{path + fmt.Sprintf("/jobs/%d/rerun", again.ID), ""} {
		if rerun == "" {
			rerun = repoPath(repo, "/actions/jobs/%d/rerun", r.jobs(r.latestRun(repo))[1].ID)
		}
		before := r.latestRun(repo)
		out = anna.do("POST", rerun, nil).wants(http.StatusCreated)
		require.EqualValues(t, before.Run.Attempt+1, out["run_attempt"])
		require.Equal(t, "test", out["name"])
		require.EqualValues(t, v.Run.ID, out["run_id"])
		r.finish(r.latestRun(repo), "failure")
	}
	anna.do("POST", path+fmt.Sprintf("/jobs/%d/rerun", test.ID), nil).wants(http.StatusNotFound)
	anna.do("POST", repoPath(repo, "/actions/jobs/999999/rerun"), nil).refused(http.StatusNotFound, "not found")

	other := anna.pushed("other")
	foreign := r.jobs(r.latestRun(other))[0].ID
	anna.do("POST", path+fmt.Sprintf("/jobs/%d/rerun", foreign), nil).refused(http.StatusNotFound, "not found")
}

// The routes beside the API do what those of the API do.
func TestWebActions(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	base := fmt.Sprintf("/anna/demo/actions/runs/%d", v.Run.ID)
	post := func(c *client, path string, header ...string) reply { return c.raw("POST", base+path, nil, header...) }

	require.Equal(t, http.StatusUnauthorized, post(r.anonymous(), "/cancel").StatusCode)
	require.Equal(t, http.StatusNotFound, post(ben, "/cancel").StatusCode)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	require.Equal(t, http.StatusForbidden, post(ben, "/cancel").StatusCode)
	require.Equal(t, http.StatusConflict, post(anna, "/approve").StatusCode)
	require.Equal(t, http.StatusBadRequest, post(anna, "/rerun").StatusCode)
	forged := post(anna.with(basic("anna", password)), "/cancel", "Sec-Fetch-Site", "cross-site")
	require.Equal(t, http.StatusForbidden, forged.StatusCode)
	require.Empty(t, r.engine.cancelled)
	require.Equal(t, true, post(anna, "/cancel").wants(http.StatusOK)["ok"])
	require.Contains(t, r.engine.cancelled, v.Run.ID)

	r.finish(v, "failure")
	require.Equal(t, http.StatusConflict, post(anna, "/cancel").StatusCode)
	for i, path := range []string{"/rerun", "/rerun-failed", ""} {
		if path == "" {
			path = fmt.Sprintf("/jobs/%d/rerun", r.jobs(r.latestRun(repo))[1].ID)
		}
		require.Equal(t, true, post(anna, path).wants(http.StatusOK)["ok"])
		require.Equal(t, i+2, r.latestRun(repo).Run.Attempt)
		r.finish(r.latestRun(repo), "failure")
	}
	require.Equal(t, http.StatusNotFound, post(anna, "/jobs/999999/rerun").StatusCode)
}
