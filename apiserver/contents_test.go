package apiserver_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func encoded(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// A whole life of a workflow file without git.
func TestContents(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	file := repoPath(repo, "/contents/.gitea/workflows/ci.yml")

	// The first commit of an empty repository; it is a push, which starts the workflow.
	out := anna.do("POST", file, map[string]any{"content": encoded(workflow), "message": "Add CI"}).wants(http.StatusCreated)
	content, commit := out["content"].(map[string]any), out["commit"].(map[string]any)
	require.Equal(t, []any{"ci.yml", ".gitea/workflows/ci.yml", "file", encoded(workflow)},
		[]any{content["name"], content["path"], content["type"], content["content"]})
	require.Equal(t, "Add CI\n", commit["message"])
	require.Empty(t, commit["parents"])
	run := r.latestRun(repo)
	require.Equal(t, []string{"push", "Add CI", commit["sha"].(string)}, []string{run.Run.Event, run.Run.Title, run.Run.SHA})

	read := anna.do("GET", file, nil).wants(http.StatusOK)
	require.Equal(t, encoded(workflow), read["content"])
	require.Equal(t, content["sha"], read["sha"])
	list := anna.do("GET", repoPath(repo, "/contents"), nil).list()
	require.Len(t, list, 1)
	require.Equal(t, []any{".gitea", "dir", nil}, []any{list[0].(map[string]any)["path"], list[0].(map[string]any)["type"], list[0].(map[string]any)["content"]})
	require.Equal(t, ".gitea/workflows/ci.yml", anna.do("GET", repoPath(repo, "/contents/.gitea/workflows/"), nil).list()[0].(map[string]any)["path"])

	anna.do("PUT", file, map[string]any{"content": encoded("on: push\n"), "sha": commit["sha"]}).wants(http.StatusUnprocessableEntity)
	out = anna.do("PUT", file, map[string]any{
		"content": encoded("on: workflow_dispatch\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"), "sha": content["sha"], "branch": "main",
		"author": map[string]string{"name": "Ann", "email": "ann@example.com"},
	}).wants(http.StatusOK)
	require.Equal(t, "Ann", out["commit"].(map[string]any)["author"].(map[string]any)["name"])
	require.Equal(t, run.Run.ID, r.latestRun(repo).Run.ID, "the file has no push any more")
	changed := out["content"].(map[string]any)["sha"]
	anna.do("DELETE", file, map[string]any{"sha": changed}).wants(http.StatusOK)
	anna.do("GET", file, nil).refused(http.StatusNotFound, `path ".gitea/workflows/ci.yml" doesn't exist`)
	require.Equal(t, encoded(workflow), anna.do("GET", file+"?ref="+commit["sha"].(string), nil).wants(http.StatusOK)["content"])
	require.Equal(t, false, anna.do("GET", repoPath(repo, ""), nil).wants(http.StatusOK)["empty"])
}

func TestContentsRefuse(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	require.NoError(t, r.db.SetCollaborator(t.Context(), repo.ID, ben.owner.ID, db.PermissionRead))
	file := repoPath(repo, "/contents/.gitea/workflows/ci.yml")
	for _, tt := range []struct {
		method, path, body string
		status             int
		message            string
	}{
		{"POST", file, `{}`, 422, "[Content]: Required"},
		{"POST", file, `{"content":"*"}`, 422, "[Content]: Base64"},
		{"POST", file, `{"content":"eA=="}`, 422, "repository file already exists [path: .gitea/workflows/ci.yml]"},
		{"POST", file, `{"content":"eA==","branch":"none"}`, 404, `branch "none" doesn't exist`},
		{"POST", file, `{"content":"eA==","branch":"a..b"}`, 404, `branch "a..b" doesn't exist`},
		{"POST", file, `{"content":"eA==","author":{"name":"<x>"}}`, 422, "[Author.name]: is no name for a commit"},
		{"POST", file, `{"content":"eA==","new_branch":"x"}`, 422, "[NewBranch]: not supported, push the branch"},
		{"PUT", file, `{"content":"eA==","sha":"x","from_path":"x"}`, 422, "[FromPath]: not supported, push the move"},
		{"PUT", file, `{"content":"eA=="}`, 422, "[SHA]: Required"},
		{"PUT", repoPath(repo, "/contents/new"), `{"content":"eA==","sha":"x"}`, 404, "repository file does not exist [path: new]"},
		{"DELETE", file, `{}`, 422, "[SHA]: Required"},
		{"POST", repoPath(repo, "/contents/.git/config"), `{"content":"eA=="}`, 422, `path ".git/config" cannot be a file`},
		{"POST", repoPath(repo, "/contents/..%%2Fx"), `{"content":"eA=="}`, 422, `path "../x" cannot be a file`},
		{"POST", file + "/below", `{"content":"eA=="}`, 422, `path ".gitea/workflows/ci.yml/below" cannot be a file`},
		{"GET", repoPath(repo, "/contents/..%%2F..%%2Fetc%%2Fpasswd"), "", 404, `path "../../etc/passwd" doesn't exist`},
		{"GET", file + "?ref=none", "", 404, `ref "none" doesn't exist`},
	} {
		anna.do(tt.method, tt.path, tt.body).refused(tt.status, tt.message)
	}
	ben.do("GET", file, nil).wants(http.StatusOK)
	ben.do("POST", repoPath(repo, "/contents/x"), `{"content":"eA=="}`).
		refused(http.StatusForbidden, "user should have a permission to write to a repo")
	require.Equal(t, int64(1), r.latestRun(repo).Run.RunNumber, "nothing was started")
	anna.do("POST", "/user/repos", `{"name":"mirror","clone_url":"https://example.com/a/b.git"}`).wants(http.StatusCreated)
	anna.do("POST", "/repos/anna/mirror/contents/x", `{"content":"eA=="}`).
		refused(http.StatusForbidden, "this repository lives elsewhere, push there")
}

// Two who change the same file at once: one of them hears that it has changed.
func TestContentsAreNotLost(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	file := repoPath(repo, "/contents/a")
	sha := anna.do("POST", file, map[string]any{"content": encoded("0")}).wants(http.StatusCreated)["content"].(map[string]any)["sha"]
	statuses := make(chan int, 4)
	for i := range cap(statuses) {
		go func() {
			statuses <- anna.do("PUT", file, map[string]any{"content": encoded(string(rune('a' + i))), "sha": sha}).StatusCode
		}()
	}
	won := 0
	for range cap(statuses) {
		if status := <-statuses; status == http.StatusOK {
			won++
		} else {
			require.Equal(t, http.StatusUnprocessableEntity, status)
		}
	}
	require.Equal(t, 1, won)
}
