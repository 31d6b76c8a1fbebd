package apiserver_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// runWith makes a run with jobs of the given names, each with a log of its own.
func (r *rig) runWith(repo *db.Repository, names ...string) (*db.Run, []*db.Job, []*logger) {
	r.t.Helper()
	jobs := make([]*db.Job, len(names))
	for i, name := range names {
		jobs[i] = dbtest.Job(fmt.Sprintf("j%d", i), "ubuntu-latest")
		jobs[i].Name = name
	}
	run, _ := dbtest.Run(r.t, r.db, repo, jobs...)
	logs := make([]*logger, len(names))
	for i, j := range jobs {
		task, _ := r.claim(j)
		logs[i] = r.logger(task)
	}
	return run, jobs, logs
}

func unzip(t testing.TB, body []byte) (names []string, files map[string]string) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	require.NoError(t, err)
	files = map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		require.NoError(t, err)
		text, err := io.ReadAll(in)
		require.NoError(t, err)
		names = append(names, f.Name)
		files[f.Name] = string(text)
	}
	return names, files
}

func TestZipOfARun(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	waiting := r.latestRun(repo).Run.ID
	anna.do("GET", repoPath(repo, "/actions/runs/%d/logs", waiting), nil).refused(http.StatusNotFound, "logs not found")

	run, _, logs := r.runWith(repo, "build", "build", "../../etc/passwd", `a\b:c*"<>|?`+"\x01\u202e", strings.Repeat("é", 90), "...")
	want := logs[0].append(true, "hello", "world")
	logs[1].append(false, "other")
	for range 40 {
		logs[2].append(false, strings.Repeat("x", 5000))
	}
	path := repoPath(repo, "/actions/runs/%d/logs", run.ID)
	a := anna.do("GET", path, nil)
	a.wants(http.StatusOK)
	require.Equal(t, "application/zip", a.Header.Get("Content-Type"))
	require.Equal(t, fmt.Sprintf(`attachment; filename="w-%d-1.zip"`, run.RunNumber), a.Header.Get("Content-Disposition"))
	names, files := unzip(t, a.body)
	require.Equal(t, []string{
		"0_build.txt", "1_build.txt", "2_.._.._etc_passwd.txt", "3_a_b_c________.txt", "4_" + strings.Repeat("é", 50) + ".txt", "5_.txt",
	}, names)
	require.Equal(t, want, files["0_build.txt"])
	require.Equal(t, 40, strings.Count(files[names[2]], "\n"))
	require.Less(t, len(a.body), 20_000, "it is compressed")
	require.Empty(t, anna.do("HEAD", path, nil).body)

	_, files = unzip(t, anna.do("GET", repoPath(repo, "/actions/runs/%d/attempts/1/logs", run.ID), nil).body)
	require.Len(t, files, 6)
	anna.do("GET", repoPath(repo, "/actions/runs/%d/attempts/2/logs", run.ID), nil).wants(http.StatusNotFound)
	anna.do("GET", repoPath(repo, "/actions/runs/0/logs"), nil).wants(http.StatusNotFound)
	r.user("ben").do("GET", path, nil).wants(http.StatusNotFound)

	r.sql(`UPDATE task_logs SET expired_at = now() WHERE task_id <> $1`, logs[1].task)
	names, _ = unzip(t, anna.do("GET", path, nil).body)
	require.Equal(t, []string{"1_build.txt"}, names)
	r.sql(`UPDATE task_logs SET expired_at = now()`)
	anna.do("GET", path, nil).refused(http.StatusNotFound, "logs have been cleaned up")
}

// A zip that cannot be finished is cut off, so that nobody takes it for a whole one.
func TestZipThatBreaksOff(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	run, _, logs := r.runWith(repo, "build")
	logs[0].append(true, "hello")
	for _, broken := range []string{`UPDATE log_chunks SET data = 'no zstd'`, `DELETE FROM log_chunks`} {
		r.sql(broken)
		anna.breaksOff(repoPath(repo, "/actions/runs/%d/logs", run.ID))
	}
}

// breaksOff downloads what has no whole answer.
func (c *client) breaksOff(path string) {
	t := c.rig.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", c.rig.url+"/api/v1"+path, nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", c.auth)
	response, err := http.DefaultTransport.RoundTrip(req)
	if err == nil {
		_, err = io.ReadAll(response.Body)
		response.Body.Close()
	}
	require.Error(t, err)
}

func TestFewReadManyLogsAtOnce(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.MaxLogScans = -1 })
	anna := r.user("anna")
	repo := anna.pushed("demo")
	run, _, _ := r.runWith(repo, "build")
	anna.do("GET", repoPath(repo, "/actions/runs/%d/logs", run.ID), nil).wants(http.StatusTooManyRequests)
	anna.do("GET", repoPath(repo, "/actions/runs/%d/logs/search?q=x", run.ID), nil).wants(http.StatusTooManyRequests)
}

// found is the answer to a search.
type found struct {
	Matches []struct {
		JobID    int64 `json:"job_id"`
		Job      string
		TaskID   int64 `json:"task_id"`
		Step     string
		StepName string `json:"step_name"`
		Row      int64
		Line     string
	}
	NextCursor *string `json:"next_cursor"`
	Message    string
}

func (c *client) search(path string, query ...string) found {
	c.rig.t.Helper()
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		values.Set(query[i], query[i+1])
	}
	a := c.do("GET", path+"?"+values.Encode(), nil)
	a.wants(http.StatusOK)
	var out found
	require.NoError(c.rig.t, json.Unmarshal(a.body, &out))
	require.NotNil(c.rig.t, out.Matches)
	return out
}

func (f found) lines() string {
	var lines []string
	for _, m := range f.Matches {
		lines = append(lines, m.Line)
	}
	return strings.Join(lines, "|")
}

func TestSearchInLogs(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	run, jobs, logs := r.runWith(repo, "build", "test")
	logs[0].append(false, "begin", "an Error here", "İstanbul ERROR")
	logs[0].append(true, "fine", "error: two", "2026")
	r.report(logs[0].task, step(ci.StatusSuccess, 1, 2), step(ci.StatusFailure, 3, 2))
	logs[1].append(true, "no error", "Straße")
	path := repoPath(repo, "/actions/runs/%d/logs/search", run.ID)

	f := anna.search(path, "q", "error")
	require.Equal(t, "error: two|no error", f.lines())
	require.Nil(t, f.NextCursor)
	m := f.Matches[0]
	require.Equal(t, []any{jobs[0].ID, "build", logs[0].task, "1", "two", int64(4)}, []any{m.JobID, m.Job, m.TaskID, m.Step, m.StepName, m.Row})
	require.Equal(t, "set-up", f.Matches[1].Step)
	f = anna.search(path, "q", "error", "ignore_case", "true")
	require.Equal(t, "an Error here|İstanbul ERROR|error: two|no error", f.lines())
	require.Equal(t, "0", f.Matches[0].Step)
	require.Equal(t, "2026", anna.search(path, "q", "2026").lines(), "times are not searched")
	require.Empty(t, anna.search(path, "q", "nothing").Matches)
	require.Equal(t, "no error", anna.search(path, "q", "error", "job", fmt.Sprint(jobs[1].ID)).lines())
	require.Equal(t, "Straße", anna.search(path, "q", "STRAß", "ignore_case", "1").lines())
	require.Empty(t, anna.search(path, "q", ".*").Matches, "it is no pattern")
	require.Empty(t, anna.search(path, "q", "\n").Matches, "the end of a line is none of it")

	// Page by page.
	var lines []string
	for cursor := ""; ; {
		f = anna.search(path, "q", "error", "ignore_case", "true", "limit", "1", "cursor", cursor)
		lines = append(lines, f.lines())
		if f.NextCursor == nil {
			break
		}
		cursor = *f.NextCursor
	}
	require.Equal(t, []string{"an Error here", "İstanbul ERROR", "error: two", "no error"}, lines)

	for _, bad := range []string{"x", "1", fmt.Sprintf("%d.-1", jobs[0].ID), "0.0", fmt.Sprintf("%d.x", jobs[0].ID)} {
		f = anna.search(path, "q", "error", "cursor", bad)
		require.Equal(t, []any{0, "invalid cursor", true}, []any{len(f.Matches), f.Message, f.NextCursor == nil}, bad)
	}
	require.Empty(t, anna.search(path, "q", "error", "cursor", fmt.Sprintf("%d.9223372036854775807", jobs[1].ID)).Matches)
	anna.do("GET", path, nil).refused(http.StatusBadRequest, "q must have from 1 to 256 bytes")
	anna.do("GET", path+"?q="+strings.Repeat("x", 257), nil).wants(http.StatusBadRequest)
	anna.do("GET", path+"?q=x&job=7777", nil).refused(http.StatusNotFound, `no log of job "7777"`)
	anna.do("GET", path+"?q=x&attempt=2", nil).wants(http.StatusNotFound)
	r.sql(`UPDATE task_logs SET expired_at = now()`)
	anna.do("GET", path+"?q=x", nil).refused(http.StatusNotFound, "logs have been cleaned up")
}

// A search looks at so much and no more, and then says where to go on.
func TestSearchIsBounded(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	run, _, logs := r.runWith(repo, "build")
	big := make([]string, 250)
	for i := range big {
		big[i] = strings.Repeat("x", 60_000)
	}
	for range 6 {
		logs[0].append(false, big...)
	}
	logs[0].append(true, "needle")
	path := repoPath(repo, "/actions/runs/%d/logs/search", run.ID)
	f := anna.search(path, "q", "needle")
	require.Empty(t, f.Matches)
	require.NotNil(t, f.NextCursor)
	calls := 1
	for ; f.NextCursor != nil; calls++ {
		require.Less(t, calls, 10)
		f = anna.search(path, "q", "needle", "cursor", *f.NextCursor)
	}
	require.Equal(t, "needle", f.lines())
}

func TestDeleteOfARun(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	run := r.latestRun(repo)
	job := r.jobs(run)[0]
	task, _ := r.claim(job)
	r.logger(task).append(true, "hello")
	path := repoPath(repo, "/actions/runs/%d", run.Run.ID)
	anna.do("DELETE", path, nil).refused(http.StatusBadRequest, "this workflow run is not done")
	r.finish(run, "success")
	ben.do("DELETE", path, nil).wants(http.StatusNotFound)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	ben.do("DELETE", path, nil).refused(http.StatusForbidden, "user should have a permission to write to a repo")
	other := anna.pushed("other")
	anna.do("DELETE", repoPath(other, "/actions/runs/%d", run.Run.ID), nil).wants(http.StatusNotFound)

	a := anna.do("DELETE", path, nil)
	a.wants(http.StatusNoContent)
	require.Empty(t, a.body)
	anna.do("DELETE", path, nil).wants(http.StatusNotFound)
	anna.do("GET", path, nil).wants(http.StatusNotFound)
	anna.do("POST", path+"/rerun", nil).wants(http.StatusNotFound)
	anna.do("GET", path+"/logs", nil).wants(http.StatusNotFound)
	anna.do("GET", repoPath(repo, "/actions/jobs/%d/logs", job.ID), nil).wants(http.StatusNotFound)
	list := anna.do("GET", repoPath(repo, "/actions/runs"), nil).wants(http.StatusOK)
	require.EqualValues(t, 0, list["total_count"])
	anna.do("DELETE", repoPath(repo, "/actions/runs/x"), nil).wants(http.StatusNotFound)
}
