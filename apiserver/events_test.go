package apiserver_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ratelimit"
)

// change is an event of a stream of changes, in short: its name, of what, and the status.
func (e event) change(t testing.TB) string {
	t.Helper()
	var got struct {
		Name, Status, Conclusion string
		JobID                    int64 `json:"job_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(e.data), &got), e)
	return strings.Join(strings.Fields(strings.Join([]string{e.name, got.Name, got.Status, got.Conclusion}, " ")), " ")
}

// changes are the next n events but comments.
func changes(t testing.TB, events <-chan event, n int) []string {
	t.Helper()
	var out []string
	for len(out) < n {
		if e := next(t, events); e.comment == "" {
			out = append(out, e.change(t))
		}
	}
	return out
}

func ends(t testing.TB, events <-chan event) {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case e, open := <-events:
			if !open {
				return
			}
			require.NotEmpty(t, e.comment, "only comments are left")
		case <-limit:
			require.FailNow(t, "the stream goes on")
		}
	}
}

func TestEventsOfARun(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	jobs := r.jobs(v)
	path := repoPath(repo, "/actions/runs/%d/events", v.Run.ID)

	events, _ := anna.follow(path)
	first := next(t, events)
	require.Equal(t, "snapshot", first.name)
	require.NotEmpty(t, first.id)
	var snapshot struct {
		Run  map[string]any
		Jobs []map[string]any
	}
	require.NoError(t, json.Unmarshal([]byte(first.data), &snapshot))
	require.Equal(t, []any{float64(v.Run.ID), 1.0, 1.0, "queued"}, []any{snapshot.Run["id"], snapshot.Run["run_number"], snapshot.Run["run_attempt"], snapshot.Run["status"]})
	require.Len(t, snapshot.Jobs, len(jobs))
	require.Equal(t, jobs[0].Name, snapshot.Jobs[0]["name"])

	r.claim(jobs[0])
	running := next(t, events)
	require.Equal(t, "job "+jobs[0].Name+" in_progress", running.change(t))
	require.Equal(t, []string{"run in_progress"}, changes(t, events, 1))
	r.finish(v, "failure")
	rest := changes(t, events, len(jobs)+2)
	require.Equal(t, []string{"run completed failure", "end completed failure"}, rest[len(jobs):])
	ends(t, events)

	// Who comes back gets what came after it.
	again, _ := anna.follow(path, "Last-Event-ID", running.id)
	require.Equal(t, "run in_progress", next(t, again).change(t))
	changes(t, again, len(jobs))
	require.Equal(t, []string{"run completed failure", "end completed failure"}, changes(t, again, 2))
	ends(t, again)
	// After the end, or with a place that the log does not reach back to, where everything stands is told anew.
	for _, last := range []string{"x", "0-0", "1-1", "99999999999-1"} {
		late, _ := anna.follow(path, "Last-Event-ID", last)
		require.Equal(t, "snapshot", next(t, late).name, last)
		require.Equal(t, []string{"end completed failure"}, changes(t, late, 1))
		ends(t, late)
	}
	anna.do("GET", repoPath(repo, "/actions/runs/999/events"), nil).refused(http.StatusNotFound, "not found")
	anna.do("GET", repoPath(repo, "/actions/runs/x/events"), nil).refused(http.StatusNotFound, "not found")
	require.Equal(t, "text/event-stream", anna.do("HEAD", path, nil).Header.Get("Content-Type"))
}

func TestEventsAfterTheLastOne(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/runs/%d/events", v.Run.ID)
	events, _ := anna.follow(path)
	next(t, events)
	r.finish(v, "success")
	var last event
	for last.name != "run" {
		last = next(t, events)
	}
	again, _ := anna.follow(path, "Last-Event-ID", last.id)
	require.Equal(t, "snapshot", next(t, again).name)
	require.Equal(t, []string{"end completed success"}, changes(t, again, 1))
	ends(t, again)
}

// The end of an attempt is not the end of a run that goes on in another one.
func TestEventsOfARerun(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/runs/%d/events", v.Run.ID)
	events, stop := anna.follow(path)
	first := next(t, events)
	r.finish(v, "failure")
	for range len(r.jobs(v)) + 2 {
		next(t, events)
	}
	stop()
	anna.do("POST", repoPath(repo, "/actions/runs/%d/rerun", v.Run.ID), nil).wants(http.StatusCreated)
	again, _ := anna.follow(path, "Last-Event-ID", first.id)
	var seen []string
	for !strings.HasPrefix(strings.Join(seen, ";"), "end") && (len(seen) == 0 || seen[len(seen)-1] != "run queued") {
		seen = append(seen, changes(t, again, 1)...)
	}
	require.Contains(t, seen, "run completed failure")
	require.NotContains(t, seen, "end completed failure")
	r.finish(r.latestRun(repo), "success")
	for seen[len(seen)-1] != "end completed success" {
		seen = append(seen, changes(t, again, 1)...)
	}
	ends(t, again)
}

func TestEventsOfARepository(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, other := anna.pushed("demo"), anna.pushed("other")
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/events")
	events, _ := anna.follow(path)
	first := next(t, events)
	require.Equal(t, "snapshot", first.name)
	require.Contains(t, first.data, `"runs":[{"id":`)
	r.finish(r.latestRun(other), "success")
	r.finish(v, "success")
	require.Equal(t, "run completed success", changes(t, events, len(r.jobs(v))+1)[len(r.jobs(v))])
	anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	require.Equal(t, "run queued", changes(t, events, 1)[0], "it has no end")

	again, _ := anna.follow(path, "Last-Event-ID", first.id)
	require.Equal(t, "run completed success", changes(t, again, len(r.jobs(v))+1)[len(r.jobs(v))])
	require.Equal(t, "run queued", changes(t, again, 1)[0])
	r.anonymous().do("GET", path, nil).wants(http.StatusNotFound)
}

// The log is in the order in which transactions began. One that began first and came to a job last does not have the job
// go on after its end.
func TestNothingFollowsTheEndOfAJob(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	events, _ := anna.follow(repoPath(repo, "/actions/events"))
	require.Equal(t, "snapshot", next(t, events).name)
	ends, err := r.db.Pool.Begin(t.Context())
	require.NoError(t, err)
	_, err = ends.Exec(t.Context(), `UPDATE repositories SET updated_at = now() WHERE id = $1`, repo.ID) // it has its number now
	require.NoError(t, err)
	r.sql(`UPDATE jobs SET status = 'running' WHERE id = $1`, job.ID)
	_, err = ends.Exec(t.Context(), `UPDATE jobs SET status = 'cancelled' WHERE id = $1`, job.ID)
	require.NoError(t, err)
	require.NoError(t, ends.Commit(t.Context()))
	require.Equal(t, []string{"job build completed cancelled"}, changes(t, events, 1))
	r.finish(r.latestRun(repo), "cancelled")
	for _, change := range changes(t, events, 2) {
		require.NotContains(t, change, "in_progress")
	}
}

func TestWhoFollowsEventsIsAskedAgain(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.StreamRecheck, c.LogHeartbeat = 20*time.Millisecond, 10*time.Millisecond })
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	r.sql(`UPDATE repositories SET is_private = true WHERE id = $1`, repo.ID)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	run := r.latestRun(repo).Run.ID
	path := repoPath(repo, "/actions/runs/%d/events", run)
	follow := func(c *client, path string) <-chan event {
		events, _ := c.follow(path)
		require.Equal(t, "snapshot", next(t, events).name)
		require.Equal(t, "still here", next(t, events).comment)
		return events
	}
	annas, bens := follow(anna, path), follow(ben, repoPath(repo, "/actions/events"))
	anna.do("DELETE", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	ends(t, bens)
	require.Equal(t, "still here", next(t, annas).comment)
	r.sql(`DELETE FROM access_tokens WHERE user_id = $1`, anna.owner.ID)
	ends(t, annas)

	anna = r.withScopes(anna.owner, "read:repository")
	gone := follow(anna, path)
	r.sql(`DELETE FROM runs WHERE id = $1`, run)
	ends(t, gone)
}

// To be asked again is no call of the follower: it does not count as one, nor is it refused when there were too many.
func TestWhoFollowsMayHaveMadeTooManyCalls(t *testing.T) {
	r, _ := limitedRig(t, apiserver.Limits{Caller: ratelimit.Rate{PerSecond: 0.001, Burst: 20}}, func(c *apiserver.Config) {
		c.StreamRecheck, c.LogHeartbeat = 5*time.Millisecond, 5*time.Millisecond
	})
	anna := r.user("anna")
	repo := anna.pushed("demo")
	events, _ := anna.follow(repoPath(repo, "/actions/events"))
	require.Equal(t, "snapshot", next(t, events).name)
	for anna.do("GET", "/user", nil).StatusCode == http.StatusOK {
	}
	for range 20 {
		require.Equal(t, "still here", next(t, events).comment)
	}
}

func TestEventStreamsAreBounded(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.MaxStreams = 1 })
	anna := r.user("anna")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/events")
	events, stop := anna.follow(path)
	next(t, events)
	anna.do("GET", path, nil).refused(http.StatusTooManyRequests, "too many streams are being followed, try again later")
	stop()
	require.Eventually(t, func() bool {
		return anna.raw("HEAD", "/api/v1"+path, nil).StatusCode == http.StatusOK
	}, 10*time.Second, 5*time.Millisecond)
	events, _ = anna.follow(path)
	next(t, events)
	r.server.Drain()
	ends(t, events)
}

// One caller, with whatever tokens, does not keep the others out.
func TestStreamsAreSharedByCallers(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.MaxStreams = 5 })
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	r.sql(`UPDATE repositories SET is_private = false WHERE id = $1`, repo.ID)
	path := repoPath(repo, "/actions/runs/%d/events", r.latestRun(repo).Run.ID)
	var stops []func()
	for _, c := range []*client{anna, r.withScopes(anna.owner, "read:repository")} {
		events, stop := c.follow(path)
		next(t, events)
		stops = append(stops, stop)
	}
	anna.do("GET", path, nil).wants(http.StatusTooManyRequests)
	for _, c := range []*client{ben, ben, r.anonymous()} {
		events, _ := c.follow(path)
		next(t, events)
	}
	r.user("cleo").do("GET", path, nil).wants(http.StatusTooManyRequests) // now there is none left
	stops[0]()
	require.Eventually(t, func() bool {
		return anna.raw("HEAD", "/api/v1"+path, nil).StatusCode == http.StatusOK
	}, 10*time.Second, 5*time.Millisecond)
}

// The place of a client counts as what it was: all that the log has is sent, page by page.
func TestManyMissedEvents(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	path := repoPath(repo, "/actions/events")
	events, stop := anna.follow(path)
	first := next(t, events)
	stop()
	const many = 1203
	r.sql(`INSERT INTO status_events (repo_id, owner_id, run_id, attempt, status) SELECT $1, 1, n, 1, 'running' FROM generate_series(1, $2) n`, repo.ID, many)
	var end db.EventPlace
	require.Eventually(t, func() bool {
		list, err := r.db.StatusEvents(t.Context(), db.EventPlace{}, 10_000)
		require.NoError(t, err)
		end = list[len(list)-1].Place
		return len(list) >= many
	}, 10*time.Second, 5*time.Millisecond)
	again, _ := anna.follow(path, "Last-Event-ID", first.id)
	var last event
	for range many {
		last = next(t, again)
	}
	require.Equal(t, end.String(), last.id)
}
