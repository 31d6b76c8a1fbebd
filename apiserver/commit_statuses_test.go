package apiserver_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestCommitStatuses(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	sha := r.latestRun(repo).Run.SHA
	statuses, commit := repoPath(repo, "/statuses/%s", sha), repoPath(repo, "/commits/main")
	combined := func() (any, any) {
		out := anna.do("GET", commit+"/status", nil).wants(http.StatusOK)
		require.Equal(t, sha, out["sha"])
		return out["state"], out["total_count"]
	}
	state, n := combined()
	require.Equal(t, []any{"pending", 0.0}, []any{state, n})

	report := func(state, context string) map[string]any {
		return anna.do("POST", statuses, map[string]string{
			"state": state, "context": context, "target_url": "https://ci.example/1", "description": "d",
		}).wants(http.StatusCreated)
	}
	out := report("pending", "lint")
	require.Equal(t, []any{"pending", "lint", "https://ci.example/1", "d", r.url + "/api/v1" + statuses},
		[]any{out["status"], out["context"], out["target_url"], out["description"], out["url"]})
	require.Equal(t, "anna", out["creator"].(map[string]any)["login"])
	report("success", "lint")
	state, n = combined()
	require.Equal(t, []any{"success", 1.0}, []any{state, n}, "the latest of a context counts")
	require.Equal(t, "default", report("warning", "")["context"])
	state, n = combined()
	require.Equal(t, []any{"success", 2.0}, []any{state, n})
	report("error", "test")
	state, _ = combined()
	require.Equal(t, "failure", state)

	for _, path := range []string{statuses, commit + "/statuses", repoPath(repo, "/commits/refs%%2Fheads%%2Fmain/statuses")} {
		all := anna.do("GET", path, nil)
		require.Len(t, all.list(), 4)
		require.Equal(t, "4", all.Header.Get("X-Total-Count"))
		require.Equal(t, "test", all.list()[0].(map[string]any)["context"], "newest first")
	}
	require.Len(t, anna.do("GET", statuses+"?state=pending&sort=oldest", nil).list(), 1)

	for body, message := range map[string]string{
		`{}`:                  "[State]: Required",
		`{"state":"perfect"}`: "[State]: In(pending,success,error,failure,warning,skipped)",
		`{"state":"success","target_url":"javascript:alert(1)"}`:                "[TargetUrl]: Url",
		`{"state":"success","context":"` + strings.Repeat("x", 256) + `"}`:      "[Context]: MaxSize(255)",
		`{"state":"success","description":"` + strings.Repeat("x", 1025) + `"}`: "[Description]: MaxSize(1024)",
	} {
		anna.do("POST", statuses, body).refused(http.StatusUnprocessableEntity, message)
	}
	nowhere := strings.Repeat("0", 40)
	anna.do("POST", repoPath(repo, "/statuses/%s", nowhere), `{"state":"success"}`).
		refused(http.StatusNotFound, `ref "`+nowhere+`" doesn't exist`)
	anna.do("GET", repoPath(repo, "/commits/none/status"), nil).wants(http.StatusNotFound)
	ben.do("POST", statuses, `{"state":"success"}`).refused(http.StatusNotFound, "not found")
	require.NoError(t, r.db.SetCollaborator(t.Context(), repo.ID, ben.owner.ID, db.PermissionRead))
	ben.do("POST", statuses, `{"state":"success"}`).refused(http.StatusForbidden, "user should have a permission to write to a repo")
}

func TestTooManyCommitStatuses(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	sha := r.latestRun(repo).Run.SHA
	r.sql(`INSERT INTO commit_statuses (repo_id, sha, context, state, creator_id)
		SELECT $1, $2, 'x', 'pending', 1 FROM generate_series(1, 1000)`, repo.ID, sha)
	anna.do("POST", repoPath(repo, "/statuses/%s", sha), `{"state":"success","context":"x"}`).
		refused(http.StatusUnprocessableEntity, "[Context]: this commit has 1000 reports of the context already")
	anna.do("POST", repoPath(repo, "/statuses/%s", sha), `{"state":"success","context":"y"}`).wants(http.StatusCreated)
}
