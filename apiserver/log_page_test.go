package apiserver_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// logPage is a page of a log as a client reads it.
type logPage struct {
	Step       string
	StepName   string `json:"step_name"`
	Cursor     *int64
	NextCursor *int64 `json:"next_cursor"`
	Lines      []struct {
		Row  int64
		Time string
		Line string
	}
	Done, Expired, Truncated bool
	Message                  string
}

func (p logPage) text() string {
	var lines []string
	for _, l := range p.Lines {
		lines = append(lines, l.Line)
	}
	return strings.Join(lines, " ")
}

func (c *client) logPage(path, query string) logPage {
	c.rig.t.Helper()
	a := c.do("GET", path+"?"+query, nil)
	a.wants(http.StatusOK)
	var page logPage
	require.NoError(c.rig.t, json.Unmarshal(a.body, &page))
	require.NotNil(c.rig.t, page.Lines)
	return page
}

// report stores steps as the gateway does.
func (r *rig) report(task int64, steps ...db.Step) {
	r.t.Helper()
	for i := range steps {
		steps[i].Index = i
	}
	raw, err := json.Marshal(steps)
	require.NoError(r.t, err)
	r.sql(`UPDATE tasks SET steps = $2 WHERE id = $1`, task, string(raw))
}

// step is a step that began and has rows.
func step(status ci.Status, first, length int64) db.Step {
	s := db.Step{Status: status, StartedAt: logTime, LogIndex: first, LogLength: length}
	if status.Terminal() {
		s.StoppedAt = logTime.Add(time.Second)
	}
	return s
}

// logged makes a repository with a job of two steps that a runner has.
func (c *client) logged() (repo *db.Repository, run *db.RunView, job *db.Job, log *logger) {
	c.rig.t.Helper()
	repo = c.pushed("demo")
	run = c.rig.latestRun(repo)
	job = c.rig.jobs(run)[0]
	task, _ := c.rig.claim(job)
	c.rig.sql(`UPDATE jobs SET step_names = '{one,two}' WHERE id = $1`, job.ID)
	return repo, run, job, c.rig.logger(task)
}

func TestLogPagesOfSteps(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, run, job, log := anna.logged()
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)

	log.append(false, "s0", "s1")
	p := anna.logPage(path, "step=set-up")
	require.Equal(t, "s0 s1", p.text(), "nothing has begun")
	require.Equal(t, []any{"set-up", "Set up job", false}, []any{p.Step, p.StepName, p.Done})

	log.append(false, "a0", "a1")
	r.report(log.task, step(ci.StatusRunning, 2, 1), db.Step{Status: ci.StatusWaiting})
	p = anna.logPage(path, "step=set-up")
	require.Equal(t, "s0 s1", p.text())
	require.True(t, p.Done)
	p = anna.logPage(path, "step=0")
	require.Equal(t, []any{"a0", "one", int64(1), false}, []any{p.text(), p.StepName, *p.NextCursor, p.Done}, "as far as was reported")
	require.EqualValues(t, 2, p.Lines[0].Row)
	require.Equal(t, "2026-01-02T03:04:05.6809000Z", p.Lines[0].Time)
	r.report(log.task, step(ci.StatusRunning, 2, 2), db.Step{Status: ci.StatusWaiting})
	require.Equal(t, "a1", anna.logPage(path, "step=0&cursor=1").text(), "the cursor goes on")
	require.Empty(t, anna.logPage(path, "step=1").Lines)
	require.Empty(t, anna.logPage(path, "step=complete").Lines)

	log.append(false, "b0", "c0")
	r.report(log.task, step(ci.StatusFailure, 2, 2), step(ci.StatusSuccess, 4, 1))
	p = anna.logPage(path, "step=0&cursor=2")
	require.Equal(t, []any{int64(2), true}, []any{*p.NextCursor, p.Done})
	require.Equal(t, "b0", anna.logPage(path, "step=1").text())
	p = anna.logPage(path, "step=complete")
	require.Equal(t, []any{"c0", false}, []any{p.text(), p.Done})

	// The server ended the task: its reason is the last line, when no row can come any more.
	r.finish(run, "failure")
	r.sql(`UPDATE tasks SET reason = 'the runner is lost' WHERE id = $1`, log.task)
	require.Equal(t, "c0", anna.logPage(path, "step=complete").text())
	log.append(true, "c1")
	p = anna.logPage(path, "step=complete&limit=2")
	require.Equal(t, []any{"c0 c1", int64(2), false}, []any{p.text(), *p.NextCursor, p.Done})
	p = anna.logPage(path, "step=complete&cursor=2")
	require.Equal(t, []any{"Pawl: the runner is lost", int64(3), true}, []any{p.text(), *p.NextCursor, p.Done})
	p = anna.logPage(path, "step=complete&cursor=3")
	require.Equal(t, []any{"", int64(3), true}, []any{p.text(), *p.NextCursor, p.Done})
	require.Equal(t, "s0 s1 a0 a1 b0 c0 c1 Pawl: the runner is lost", anna.logPage(path, "cursor=").text())

	for _, step := range []string{"2", "-1", "x", "", "99999999999999999999"} {
		anna.do("GET", path+"?step="+step, nil).refused(http.StatusNotFound, fmt.Sprintf("this job has no step %q", step))
	}
	r.user("ben").do("GET", path+"?step=0", nil).wants(http.StatusNotFound)
}

func TestLogPagesByCursor(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, run, job, log := anna.logged()
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	var want []string
	for i := range 25 { // 25 chunks of 100 rows
		lines := make([]string, 100)
		for k := range lines {
			lines[k] = fmt.Sprintf("%d-%d", i, k)
		}
		log.append(false, lines...)
		want = append(want, lines...)
	}
	var got []string
	var cursor int64
	for page := (logPage{}); len(page.Lines) > 0 || cursor == 0; {
		page = anna.logPage(path, fmt.Sprintf("cursor=%d&limit=333", cursor))
		require.Equal(t, cursor, *page.Cursor)
		require.False(t, page.Done)
		for _, l := range page.Lines {
			require.EqualValues(t, len(got), l.Row)
			got = append(got, l.Line)
		}
		require.EqualValues(t, len(got), *page.NextCursor)
		cursor = *page.NextCursor
	}
	require.Equal(t, want, got)
	require.Len(t, anna.logPage(path, "limit=0").Lines, 1000, "the default")
	require.Len(t, anna.logPage(path, "limit=99999").Lines, 2500)

	for _, bad := range []string{"x", "-1", "1.5", "99999999999999999999", "%20"} {
		p := anna.logPage(path, "cursor="+bad)
		require.Equal(t, "invalid cursor", p.Message, bad)
		require.Empty(t, p.Lines)
		require.Nil(t, p.NextCursor)
	}
	p := anna.logPage(path, "cursor=2501")
	require.Equal(t, []any{0, int64(2501), false}, []any{len(p.Lines), *p.NextCursor, p.Done}, "beyond the end it stands still")
	p = anna.logPage(path, "cursor=9223372036854775807")
	require.EqualValues(t, 1<<63-1, *p.NextCursor)

	r.finish(run, "success")
	require.False(t, anna.logPage(path, "cursor=2500").Done, "rows may still come")
	r.sql(`UPDATE tasks SET stopped_at = now() - interval '1 min' WHERE id = $1`, log.task)
	require.True(t, anna.logPage(path, "cursor=2500").Done)

	r.sql(`UPDATE task_logs SET expired_at = now() WHERE task_id = $1`, log.task)
	p = anna.logPage(path, "cursor=7")
	require.Equal(t, []any{true, true, "logs have been cleaned up", int64(7)}, []any{p.Expired, p.Done, p.Message, *p.NextCursor})
	anna.do("GET", path, nil).refused(http.StatusNotFound, "logs have been cleaned up")
}

// A page is bounded in bytes too, but never so small that a client does not come further.
func TestLogPagesOfLongLines(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, _, job, log := anna.logged()
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	long := strings.Repeat("x", 60_000)
	for range 4 {
		log.append(false, long, long, long, long, long, long, long, long)
	}
	var rows, pages int
	for cursor := int64(0); rows < 32; pages++ {
		a := anna.do("GET", fmt.Sprintf("%s?cursor=%d", path, cursor), nil)
		require.Less(t, len(a.body), 1200<<10)
		p := anna.logPage(path, fmt.Sprintf("cursor=%d", cursor))
		require.NotEmpty(t, p.Lines)
		rows, cursor = rows+len(p.Lines), *p.NextCursor
	}
	require.Equal(t, 2, pages)
}

// Rows above the limit of a log are counted and not stored; a reader passes over all of them at once.
func TestLogPagesOfATruncatedLog(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, run, job, log := anna.logged()
	log.append(false, "a", "b")
	ok, err := r.db.AppendLog(t.Context(), db.LogAppend{TaskID: log.task, Expected: 2, Rows: 1_000_000, Seal: true, Truncate: true})
	require.NoError(t, err)
	require.True(t, ok)
	require.False(t, anna.logPage(repoPath(repo, "/actions/jobs/%d/logs", job.ID), "step=0").Done, "its last report is still to come")
	r.finish(run, "success")
	path := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	p := anna.logPage(path, "cursor=0")
	require.Equal(t, []any{"a b", int64(1_000_002), true, true}, []any{p.text(), *p.NextCursor, p.Done, p.Truncated})
	p = anna.logPage(path, "cursor=5")
	require.Equal(t, []any{"", int64(1_000_002), true}, []any{p.text(), *p.NextCursor, p.Done})
}
