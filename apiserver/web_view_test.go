package apiserver_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// viewed is the answer to a view poll.
type viewed struct {
	Artifacts []any
	State     struct {
		Run        map[string]any
		CurrentJob struct {
			Title, Detail string
			Steps         []struct{ Summary, Duration, Status string }
		}
	}
	Logs struct {
		StepsLog []struct {
			Step    int
			Cursor  int64
			Started int64
			Lines   []struct {
				Index     int64
				Message   string
				Timestamp float64
			}
		}
	}
}

func (c *client) view(path, body string) viewed {
	c.rig.t.Helper()
	a := c.raw("POST", path, body)
	a.wants(http.StatusOK)
	require.Equal(c.rig.t, "application/json;charset=utf-8", a.Header.Get("Content-Type"))
	var v viewed
	require.NoError(c.rig.t, json.Unmarshal(a.body, &v))
	return v
}

func cursors(list ...string) string { return `{"logCursors":[` + strings.Join(list, ",") + `]}` }

func cursor(step int, at any, expanded bool) string {
	return fmt.Sprintf(`{"step":%d,"cursor":%v,"expanded":%t}`, step, at, expanded)
}

func TestViewPoll(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, run, job, log := anna.logged()
	runPath := fmt.Sprintf("/%s/actions/runs/%d", repo.FullName(), run.Run.ID)
	path := fmt.Sprintf("%s/jobs/%d", runPath, job.ID)
	log.append(false, "s0", "a0", "a1", "b0")
	r.report(log.task, step(ci.StatusSuccess, 1, 2), step(ci.StatusRunning, 3, 1))

	v := anna.view(path, "{}")
	require.Empty(t, v.Logs.StepsLog)
	require.NotNil(t, v.Artifacts)
	var steps []string
	for _, s := range v.State.CurrentJob.Steps {
		steps = append(steps, s.Summary+" "+s.Status)
	}
	require.Equal(t, []string{"Set up job success", "one success", "two running", "Complete job waiting"}, steps)
	require.Equal(t, "1s", v.State.CurrentJob.Steps[1].Duration)
	require.Equal(t, "build", v.State.CurrentJob.Title)
	shown := v.State.Run
	require.Equal(t, []any{"running", false, true, false, false, false}, []any{
		shown["status"], shown["done"], shown["canCancel"], shown["canApprove"], shown["canRerun"], shown["canRerunFailed"],
	})
	require.Equal(t, []any{"ci.yml", 1.0, "push", false, float64(repo.ID)}, []any{
		shown["workflowID"], shown["runAttempt"], shown["triggerEvent"], shown["isSchedule"], shown["repoId"],
	})
	require.Equal(t, runPath, shown["link"], "a path, as Gitea has it")
	require.Equal(t, "/anna", shown["commit"].(map[string]any)["pusher"].(map[string]any)["link"])
	jobs := shown["jobs"].([]any)
	require.Equal(t, []any{float64(job.ID), "build", path, []any{}}, []any{
		jobs[0].(map[string]any)["id"], jobs[0].(map[string]any)["jobId"], jobs[0].(map[string]any)["link"], jobs[0].(map[string]any)["needs"],
	})
	require.Equal(t, "main", shown["commit"].(map[string]any)["branch"].(map[string]any)["name"])

	// Only expanded steps are answered, each once.
	v = anna.view(path, cursors(cursor(0, "null", true), cursor(1, 0, true), cursor(2, 0, false), cursor(3, 0, true), cursor(1, 1, true),
		cursor(-1, 0, true), cursor(4, 0, true), cursor(1<<40, 0, true)))
	require.Len(t, v.Logs.StepsLog, 3)
	one := v.Logs.StepsLog[1]
	require.Equal(t, []any{1, int64(2), int64(1767323045)}, []any{one.Step, one.Cursor, one.Started})
	require.Len(t, one.Lines, 2)
	require.Equal(t, []any{int64(1), "a0", int64(2), "a1"}, []any{one.Lines[0].Index, one.Lines[0].Message, one.Lines[1].Index, one.Lines[1].Message})
	require.InDelta(t, 1767323045.6799, one.Lines[0].Timestamp, 1e-6)
	require.EqualValues(t, 0, v.Logs.StepsLog[2].Cursor)
	v = anna.view(path, cursors(cursor(1, 1, true)))
	require.Equal(t, []any{int64(2), "a1"}, []any{v.Logs.StepsLog[0].Lines[0].Index, v.Logs.StepsLog[0].Lines[0].Message})

	// A cursor at or past the end is given back.
	for _, at := range []int64{2, 7, 1 << 62, -3} {
		v = anna.view(path, cursors(cursor(1, at, true)))
		require.Equal(t, at, v.Logs.StepsLog[0].Cursor)
		require.NotNil(t, v.Logs.StepsLog[0].Lines)
		require.Empty(t, v.Logs.StepsLog[0].Lines)
	}

	r.finish(run, "failure")
	log.append(true)
	r.sql(`UPDATE task_logs SET expired_at = now() WHERE task_id = $1`, log.task)
	v = anna.view(path, cursors(cursor(1, 0, true), cursor(2, 1, true)))
	require.Len(t, v.Logs.StepsLog, 1)
	require.EqualValues(t, 1, v.Logs.StepsLog[0].Cursor)
	require.Equal(t, "logs have been cleaned up", v.Logs.StepsLog[0].Lines[0].Message)
	require.Equal(t, []any{"failure", true, false, true, true}, []any{
		v.State.Run["status"], v.State.Run["done"], v.State.Run["canCancel"], v.State.Run["canRerun"], v.State.Run["canRerunFailed"],
	})
}

// A client that goes on polling passes over rows that were not stored, and gets the last line once.
func TestViewPollOfATruncatedLog(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, run, job, log := anna.logged()
	log.append(false, "a0", "b0", "c0")
	_, err := r.db.AppendLog(t.Context(), db.LogAppend{TaskID: log.task, Expected: 3, Rows: 97, Seal: true, Truncate: true})
	require.NoError(t, err)
	r.report(log.task, step(ci.StatusSuccess, 0, 1), step(ci.StatusSuccess, 1, 1))
	r.finish(run, "failure")
	r.sql(`UPDATE tasks SET reason = 'the runner is lost' WHERE id = $1`, log.task)
	path := fmt.Sprintf("/%s/actions/runs/%d/jobs/%d", repo.FullName(), run.Run.ID, job.ID)
	first := anna.view(path, cursors(cursor(3, 0, true))).Logs.StepsLog[0]
	require.Len(t, first.Lines, 2)
	require.Equal(t, []any{"c0", int64(1)}, []any{first.Lines[0].Message, first.Lines[0].Index})
	require.Equal(t, []any{"Pawl: the runner is lost", int64(99)}, []any{first.Lines[1].Message, first.Lines[1].Index})
	again := anna.view(path, cursors(cursor(3, first.Cursor, true))).Logs.StepsLog[0]
	require.Empty(t, again.Lines)
	require.Equal(t, int64(99), again.Cursor)
}

func TestViewPollOfAttempts(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo, run, job, log := anna.logged()
	log.append(true, "first")
	r.finish(run, "failure")
	runPath := fmt.Sprintf("/%s/actions/runs/%d", repo.FullName(), run.Run.ID)
	anna.raw("POST", runPath+"/rerun", nil).wants(http.StatusOK)

	v := anna.view(runPath, cursors(cursor(0, 0, true)))
	require.Equal(t, 2.0, v.State.Run["runAttempt"])
	require.Equal(t, "build", v.State.CurrentJob.Title, "without a job it is the first")
	require.NotEqual(t, "waiting", v.State.CurrentJob.Detail, "what it waits for")
	require.Empty(t, v.State.CurrentJob.Steps)
	require.Len(t, v.State.Run["attempts"], 2)
	v = anna.view(runPath+"/attempts/1", "")
	require.Equal(t, []any{1.0, "failure"}, []any{v.State.Run["runAttempt"], v.State.Run["status"]})
	first := fmt.Sprintf("%s/jobs/%d", runPath, job.ID)
	require.Equal(t, 1.0, anna.view(first, "{}").State.Run["runAttempt"], "a job is seen in its own attempt")
	anna.view(first+"/attempts/1", "{}")
	anna.raw("POST", first+"/attempts/2", "{}").wants(http.StatusNotFound)
	anna.raw("POST", runPath+"/attempts/3", "{}").wants(http.StatusNotFound)
	anna.raw("POST", runPath+"/jobs/0", "{}").wants(http.StatusNotFound)

	a := anna.raw("GET", first+"/logs", nil)
	a.wants(http.StatusOK)
	require.Equal(t, "2026-01-02T03:04:05.6789000Z first\n", string(a.body))
	require.Contains(t, a.Header.Get("Content-Disposition"), "attachment")
	anna.raw("GET", fmt.Sprintf("/%s/actions/runs/%d/jobs/%d/logs", repo.FullName(), run.Run.ID+1, job.ID), nil).wants(http.StatusNotFound)

	for _, body := range []string{`{"logCursors":[{"step":"x"}]}`, `{"logCursors":7}`, `{`, `[]`} {
		anna.raw("POST", first, body).wants(http.StatusUnprocessableEntity)
	}
	many := strings.Repeat(cursor(0, 0, true)+",", 10_000) + cursor(0, 0, true)
	anna.raw("POST", first, cursors(many)).wants(http.StatusUnprocessableEntity)

	// Who may not act sees that.
	r.sql(`UPDATE repositories SET is_private = false WHERE id = $1`, repo.ID)
	v = ben.view(first, "{}")
	require.Equal(t, false, v.State.Run["canRerun"])
	require.Equal(t, false, v.State.Run["canCancel"])
	r.sql(`UPDATE repositories SET is_private = true WHERE id = $1`, repo.ID)
	ben.raw("POST", first, "{}").wants(http.StatusNotFound)
	r.anonymous().raw("POST", first, "{}").wants(http.StatusUnauthorized)
	ben.raw("GET", first+"/logs", nil).wants(http.StatusNotFound)
}

func TestWebDelete(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	run := r.latestRun(repo)
	path := fmt.Sprintf("/%s/actions/runs/%d/delete", repo.FullName(), run.Run.ID)
	anna.raw("POST", path, nil).wants(http.StatusBadRequest)
	r.finish(run, "success")
	ben.raw("POST", path, nil).wants(http.StatusNotFound)
	r.sql(`UPDATE repositories SET is_private = false WHERE id = $1`, repo.ID)
	ben.raw("POST", path, nil).wants(http.StatusForbidden)
	anna.raw("POST", path, nil, "Sec-Fetch-Site", "cross-site").wants(http.StatusForbidden)
	require.Equal(t, true, anna.raw("POST", path, nil).wants(http.StatusOK)["ok"])
	anna.raw("POST", path, nil).wants(http.StatusNotFound)
}

func TestBadge(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	path := "/" + repo.FullName() + "/actions/workflows/ci.yml/badge.svg"
	badge := func(path string) string {
		t.Helper()
		a := r.anonymous().raw("GET", path, nil)
		a.wants(http.StatusOK)
		require.Equal(t, "image/svg+xml; charset=utf-8", a.Header.Get("Content-Type"))
		requireXML(t, string(a.body))
		return string(a.body)
	}
	r.sql(`UPDATE repositories SET is_private = false WHERE id = $1`, repo.ID)
	require.Contains(t, badge(path), "ci: waiting")
	r.finish(r.latestRun(repo), "success")
	require.Contains(t, badge(path), "ci: success")
	require.Contains(t, badge(path+"?branch=main&event=push"), "ci: success")
	require.Contains(t, badge(path+"?branch=other"), "ci: no status")
	require.Contains(t, badge(path+"?event=schedule"), "ci: no status")
	require.Contains(t, badge(strings.Replace(path, "ci.yml", "nope.yml", 1)), "nope: no status")
	hostile := badge(strings.Replace(path, "ci.yml", "%3Cscript%3E%26%22'%01"+strings.Repeat("x", 500), 1))
	require.NotContains(t, hostile, "<script")
	require.Less(t, len(hostile), 2000)

	anna.push(repo, "main", map[string]string{".gitea/workflows/sub/deep.yml": "on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"})
	deep := anna.do("GET", repoPath(repo, "/actions/workflows/sub%%2Fdeep.yml"), nil).wants(http.StatusOK)
	require.Contains(t, badge(strings.TrimPrefix(deep["badge_url"].(string), r.url)), "deep: waiting", "in a directory")

	a := anna.raw("GET", path, nil)
	require.Equal(t, "public, max-age=30, must-revalidate", a.Header.Get("Cache-Control"))
	anna.raw("GET", path, nil, "If-None-Match", a.Header.Get("ETag")).wants(http.StatusNotModified)
	r.sql(`UPDATE owners SET visibility = 'private' WHERE id = $1`, repo.OwnerID)
	require.Contains(t, anna.raw("GET", path, nil).Header.Get("Cache-Control"), "private", "its owner is hidden, and so is it")
	r.anonymous().raw("GET", path, nil).wants(http.StatusUnauthorized)
	r.sql(`UPDATE owners SET visibility = 'public' WHERE id = $1`, repo.OwnerID)
	r.sql(`UPDATE repositories SET is_private = true WHERE id = $1`, repo.ID)
	require.Equal(t, "private, max-age=30, must-revalidate", anna.raw("GET", path, nil).Header.Get("Cache-Control"))
	r.anonymous().raw("GET", path, nil).wants(http.StatusUnauthorized)
}

func requireXML(t *testing.T, text string) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	for {
		if _, err := d.Token(); err != nil {
			require.True(t, errors.Is(err, io.EOF), "%v: %s", err, text)
			return
		}
	}
}
