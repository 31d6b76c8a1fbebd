package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTimeline(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	path := repoPath(repo, "/actions/runs/%d/timeline", v.Run.ID)
	build := r.jobs(v)[0]
	task, _ := r.claim(build)
	r.sql(`DELETE FROM timeline`)
	r.sql(`INSERT INTO timeline (attempt_id, n, at, job_id, event, detail) VALUES
		($1, 1, now() - interval '2 hours', 0, 'started', ''), ($1, 2, now() - interval '1 hour', $2, 'offered', '')`, v.Attempt.ID, build.ID)
	r.sql(`UPDATE tasks SET status = 'cancelled', reason = 'timed out', stopped_at = now() WHERE id = $1`, task)
	r.finish(v, "cancelled")

	a := anna.do("GET", path, nil)
	out := a.wants(http.StatusOK)
	require.EqualValues(t, 4, out["total_count"])
	require.Equal(t, "4", a.Header.Get("X-Total-Count"))
	events := out["events"].([]any)
	for i, want := range []string{"started", "offered", "claimed", "task-ended"} {
		require.Equal(t, want, events[i].(map[string]any)["event"])
	}
	require.NotContains(t, events[0], "job")
	offered := events[1].(map[string]any)
	require.Equal(t, "build", offered["job"])
	require.EqualValues(t, build.ID, offered["job_id"])
	require.Equal(t, fmt.Sprintf("by runner runner-1 (task %d, try 1)", task), events[2].(map[string]any)["detail"])
	require.Equal(t, fmt.Sprintf("cancelled: timed out (task %d)", task), events[3].(map[string]any)["detail"])

	page := anna.do("GET", path+"?attempt=1&limit=1&page=2", nil).wants(http.StatusOK)["events"].([]any)
	require.Len(t, page, 1)
	require.Equal(t, "offered", page[0].(map[string]any)["event"])

	anna.do("POST", repoPath(repo, "/actions/runs/%d/rerun", v.Run.ID), nil).wants(http.StatusCreated)
	require.EqualValues(t, 0, anna.do("GET", path, nil).wants(http.StatusOK)["total_count"], "of the latest attempt")
	require.EqualValues(t, 4, anna.do("GET", path+"?attempt=1", nil).wants(http.StatusOK)["total_count"])
	for _, attempt := range []string{"0", "-1", "3", "x", "99999999999999999999"} {
		anna.do("GET", path+"?attempt="+attempt, nil).refused(http.StatusNotFound, "not found")
	}
	anna.do("GET", repoPath(repo, "/actions/runs/999999/timeline"), nil).refused(http.StatusNotFound, "not found")
}
