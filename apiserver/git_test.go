package apiserver_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestCloneAndPush(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	require.Equal(t, true, anna.do("GET", repoPath(repo, ""), nil).wants(http.StatusOK)["empty"])
	// git sends Basic, with the token as the password.
	sha := anna.with(basic("anna", anna.token)).push(repo, "main", map[string]string{".gitea/workflows/ci.yml": workflow})
	require.Equal(t, false, anna.do("GET", repoPath(repo, ""), nil).wants(http.StatusOK)["empty"])

	run := r.latestRun(repo)
	require.Equal(t, sha, run.Run.SHA)
	require.Equal(t, "anna", run.Actor.Login)
	require.Len(t, r.engine.started, 1)
	pushes, err := r.db.PendingPushes(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, pushes, "the push has become events")

	_, task := r.claim(r.jobs(run)[0])
	for name, auth := range map[string]string{
		"token as password": basic("x-access-token", anna.token),
		"token as user":     basic(anna.token, ""),
		"password":          basic("anna", password),
		"token of a task":   basic("x-access-token", task),
		"bearer":            "Bearer " + anna.token,
	} {
		for _, address := range []string{"/anna/demo.git", "/anna/demo", "/ANNA/Demo.git"} {
			dir := t.TempDir()
			anna.with(auth).git(dir, "clone", "-q", r.url+address, "out")
			require.FileExists(t, filepath.Join(dir, "out", ".gitea", "workflows", "ci.yml"), name)
		}
	}
}

func TestGitPermissions(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	private, public := anna.repo("private", true), anna.repo("public", false)
	outside := anna.do("POST", "/user/repos", `{"name":"outside","clone_url":"https://example.com/x"}`).wants(http.StatusCreated)
	require.NotNil(t, outside)
	files := map[string]string{"a": "b"}
	anna.push(private, "main", files)
	anna.push(public, "main", files)
	anna.do("PUT", repoPath(private, "/collaborators/ben"), `{"permission":"read"}`).wants(http.StatusNoContent)
	reads := r.withScopes(anna.owner, "read:repository")
	wrong := r.withScopes(anna.owner, "write:user")
	hidden := r.withScopes(anna.owner, "all", "public-only")
	const fetch, push = "info/refs?service=git-upload-pack", "info/refs?service=git-receive-pack"

	for _, tt := range []struct {
		who    string
		client *client
		path   string
		want   int
	}{
		{"nobody", r.anonymous(), "/anna/public.git/" + fetch, 200},
		{"nobody", r.anonymous(), "/anna/public.git/" + push, 401},
		{"nobody", r.anonymous(), "/anna/private.git/" + fetch, 401},
		{"nobody", r.anonymous(), "/anna/none.git/" + fetch, 401},
		{"wrong", anna.with(basic("anna", "wrong horse")), "/anna/public.git/" + fetch, 401},
		{"owner", anna, "/anna/private.git/" + push, 200},
		{"owner", anna, "/anna/none.git/" + fetch, 404},
		{"reader", ben, "/anna/private.git/" + fetch, 200},
		{"reader", ben, "/anna/private.git/" + push, 403},
		{"stranger", ben, "/anna/outside.git/" + fetch, 200},
		{"owner", anna, "/anna/outside.git/" + push, 403},
		{"scope read", reads, "/anna/private.git/" + fetch, 200},
		{"scope read", reads, "/anna/private.git/" + push, 403},
		{"scope user", wrong, "/anna/private.git/" + fetch, 403},
		{"public only", hidden, "/anna/private.git/" + fetch, 404},
		{"public only", hidden, "/anna/public.git/" + fetch, 200},
		{"dumb protocol", anna, "/anna/private.git/info/refs", 404},
		{"unknown service", anna, "/anna/private.git/info/refs?service=git-evil", 404},
		{"reserved", anna, "/api/private.git/" + fetch, 404},
	} {
		a := tt.client.raw("GET", tt.path, nil)
		require.Equal(t, tt.want, a.StatusCode, "%s %s: %s", tt.who, tt.path, a.body)
		require.Equal(t, tt.want == 401, a.Header.Get("WWW-Authenticate") != "", "%s %s", tt.who, tt.path)
	}
	require.Equal(t, 405, anna.raw("GET", "/anna/private.git/git-receive-pack", nil).StatusCode)

	// The same through git itself: a reader's push changes nothing.
	dir := t.TempDir()
	ben.git(dir, "clone", "-q", r.url+"/anna/private.git", "out")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "out", "c"), nil, 0o600))
	ben.git(dir+"/out", "add", ".")
	ben.git(dir+"/out", "commit", "-q", "-m", "x")
	out, err := ben.tryGit(dir+"/out", "push", "-q", "origin", "HEAD:main")
	require.Error(t, err, out)
	require.Contains(t, out, "403")
}

// What a job pushes with its own token makes it into the repository. (That it starts no runs is for package trigger.)
func TestTaskPushes(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	other := anna.repo("other", true)
	_, text := r.claim(r.jobs(r.latestRun(repo))[0])
	task := r.anonymous().with(basic("x-access-token", text))
	task.push(repo, "from-job", map[string]string{"a": "b"})
	refs, err := r.db.KnownRefs(t.Context(), repo.ID)
	require.NoError(t, err)
	require.Contains(t, refs, "refs/heads/from-job")
	a := task.raw("GET", "/"+other.FullName()+".git/info/refs?service=git-upload-pack", nil)
	require.Equal(t, http.StatusNotFound, a.StatusCode)
}

func TestPages(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	r.sql(`UPDATE runs SET title = '<script>alert(1)</script>'`)
	run := r.latestRun(repo)
	job := r.jobs(run)[0]
	r.claim(job)
	for _, path := range []string{"/anna/demo", "/anna/demo/actions", "/anna/demo/actions/runs/1"} {
		a := anna.raw("GET", path, nil)
		a.wants(http.StatusOK)
		require.Equal(t, "text/html; charset=utf-8", a.Header.Get("Content-Type"))
		require.NotContains(t, string(a.body), "<script>")
		require.Contains(t, string(a.body), "&lt;script&gt;")
		require.Equal(t, http.StatusUnauthorized, r.anonymous().raw("GET", path, nil).StatusCode)
	}
	page := string(anna.raw("GET", "/anna/demo/actions/runs/1", nil).body)
	require.Contains(t, page, `id="job-`)
	require.Contains(t, page, "http://temporal.example:8080/namespaces/pawl/workflows/run%2F")
	a := anna.raw("GET", "/anna/demo/actions/runs/1/jobs/7", nil)
	require.Equal(t, http.StatusSeeOther, a.StatusCode)
	require.Equal(t, r.url+"/anna/demo/actions/runs/1#job-7", a.Header.Get("Location"))
	require.Equal(t, http.StatusNotFound, anna.raw("GET", "/anna/demo/actions/runs/99", nil).StatusCode)
	require.Equal(t, http.StatusOK, r.anonymous().raw("GET", "/", nil).StatusCode)
	require.Equal(t, db.PermissionNone, db.Permission(""))
}
