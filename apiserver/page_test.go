package apiserver_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
)

// nextLink is the path and query of rel="next".
func nextLink(t *testing.T, a reply) string {
	t.Helper()
	for link := range strings.SplitSeq(a.Header.Get("Link"), ",") {
		target, rel, _ := strings.Cut(link, "; ")
		if rel != `rel="next"` {
			continue
		}
		u, err := url.Parse(strings.Trim(target, "<>"))
		require.NoError(t, err)
		return strings.TrimPrefix(u.RequestURI(), "/api/v1")
	}
	return ""
}

// walk follows the cursors of a list, and returns the ids that it saw.
func walk(t *testing.T, c *client, path, field string, meanwhile func()) []int64 {
	t.Helper()
	var ids []int64
	for path != "" {
		a := c.do("GET", path, nil)
		body := a.wants(http.StatusOK)
		require.NotContains(t, body, "total_count")
		require.Empty(t, a.Header.Get("X-Total-Count"))
		for _, entry := range body[field].([]any) {
			ids = append(ids, number(entry.(map[string]any)["id"]))
		}
		path = nextLink(t, a)
		require.Equal(t, path != "", body["next_cursor"] != nil)
		if path != "" {
			require.Contains(t, path, "cursor="+body["next_cursor"].(string))
			require.NotContains(t, path, "page=")
		}
		meanwhile()
	}
	return ids
}

func TestListsByCursor(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna", true)
	repo := anna.repo("demo", false)
	var runs, jobs, tasks []int64
	add := func() (*db.Run, *db.Job) {
		job := dbtest.Job("a", "linux")
		run, _ := dbtest.Run(t, r.db, repo, job)
		return run, job
	}
	for range 5 {
		run, job := add()
		task, _ := r.claim(job)
		runs, jobs, tasks = append([]int64{run.ID}, runs...), append(jobs, job.ID), append([]int64{task}, tasks...)
	}
	insert := func() { add() }
	for _, path := range []string{
		repoPath(repo, "/actions/runs?limit=2&cursor="), repoPath(repo, "/actions/runs?limit=2&page=7&cursor=&status=in_progress&status=queued"),
		repoPath(repo, "/actions/workflows/w.yml/runs?limit=2&cursor="), "/user/actions/runs?limit=3&cursor=", "/admin/actions/runs?cursor=&limit=1",
	} {
		seen := walk(t, anna, path, "workflow_runs", insert)
		require.Equal(t, runs, seen[len(seen)-5:], path)
		require.IsDecreasing(t, seen)
	}
	require.Equal(t, tasks, walk(t, anna, repoPath(repo, "/actions/tasks?limit=2&cursor="), "workflow_runs", insert))
	for _, path := range []string{repoPath(repo, "/actions/jobs?limit=2"), "/user/actions/jobs?limit=2", "/admin/actions/jobs?limit=2"} {
		seen := walk(t, anna, path+"&cursor=", "jobs", func() {})
		require.Equal(t, jobs, seen[:5], path)
		require.IsIncreasing(t, seen)
		seen = walk(t, anna, path+"&cursor=&order=desc", "jobs", insert)
		require.IsDecreasing(t, seen)
		require.Contains(t, seen, jobs[0])
	}
	require.Empty(t, walk(t, anna, "/user/actions/runs?cursor=&actor=nobody", "workflow_runs", insert))
}

func TestInvalidCursors(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", false)
	cursor := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	for _, bad := range []string{
		"x", "!", "%00", cursor("number"), cursor("number:"), cursor("number:0"), cursor("number:-1"), cursor("number:1e3"),
		cursor("number:9223372036854775808"), cursor("run:5"), cursor("number:5") + "=", strings.Repeat("A", 3000),
	} {
		a := anna.do("GET", repoPath(repo, "/actions/runs?cursor=%s", bad), nil)
		require.Equal(t, http.StatusBadRequest, a.StatusCode, bad)
	}
	anna.do("GET", repoPath(repo, "/actions/runs?cursor=%s", cursor("number:5")), nil).wants(http.StatusOK)
	anna.do("GET", repoPath(repo, "/actions/jobs?cursor=%s", cursor("number:5")), nil).refused(http.StatusBadRequest, `invalid cursor "`+cursor("number:5")+`"`)
	// One of an ascending list means nothing in a descending one.
	anna.do("GET", repoPath(repo, "/actions/jobs?cursor=%s", cursor("job:5")), nil).wants(http.StatusOK)
	a := anna.do("GET", repoPath(repo, "/actions/jobs?order=desc&cursor=%s", cursor("job:5")), nil)
	require.Equal(t, http.StatusBadRequest, a.StatusCode)
}

// Where counting stops, the answer says so and names no last page.
func TestListsThatAreNotCountedToTheEnd(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", false)
	dbtest.Run(t, r.db, repo, dbtest.Job("a"))
	r.sql(`INSERT INTO runs (repo_id, owner_id, run_number, workflow_file, workflow_path, workflow_name, title, event, ref, sha, actor_id, status)
		SELECT repo_id, owner_id, n, workflow_file, workflow_path, workflow_name, title, event, 'refs/heads/x', sha, actor_id, status
		FROM runs, generate_series(2, $1::bigint) AS n WHERE repo_id = $2`, db.CountLimit+10, repo.ID)
	a := anna.do("GET", repoPath(repo, "/actions/runs?branch=x&limit=50&page=2"), nil)
	require.EqualValues(t, db.CountLimit, a.wants(http.StatusOK)["total_count"])
	require.Equal(t, strconv.Itoa(db.CountLimit), a.Header.Get("X-Total-Count"))
	require.Equal(t, "true", a.Header.Get("X-Total-Count-Partial"))
	require.Contains(t, a.Header.Get("Access-Control-Expose-Headers"), "X-Total-Count-Partial")
	require.NotContains(t, a.Header.Get("Link"), `rel="last"`)
	require.Contains(t, nextLink(t, a), "page=3")
	require.Contains(t, a.Header.Get("Link"), `rel="prev"`)
	end := anna.do("GET", repoPath(repo, "/actions/runs?branch=x&limit=50&page=%d", db.CountLimit/50+1), nil)
	end.wants(http.StatusOK)
	require.Empty(t, nextLink(t, end))
	all := anna.do("GET", repoPath(repo, "/actions/runs"), nil)
	require.EqualValues(t, db.CountLimit+10, all.wants(http.StatusOK)["total_count"])
	require.Empty(t, all.Header.Get("X-Total-Count-Partial"))
}
