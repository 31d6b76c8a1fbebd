package apiserver_test

import (
	"encoding/base64"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
)

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

const (
	badCredentials = "invalid username, password or token"
	tokenRequired  = "token is required"
)

func TestFormsOfAuthentication(t *testing.T) {
	r := newRig(t)
	anna := r.user("Anna")
	for name, auth := range map[string]string{
		"token":                       "token " + anna.token,
		"bearer":                      "Bearer " + anna.token,
		"scheme in capitals":          "TOKEN " + anna.token,
		"password":                    basic("Anna", password),
		"name in another case":        basic("aNNa", password),
		"address":                     basic("anna@example.com", password),
		"token as user":               basic(anna.token, ""),
		"token as user, x-oauth":      basic(anna.token, "x-oauth-basic"),
		"token as password":           basic("whoever", anna.token),
		"token as password, own name": basic("anna", anna.token),
	} {
		t.Run(name, func(t *testing.T) {
			out := anna.with(auth).do("GET", "/user", nil).wants(http.StatusOK)
			require.Equal(t, "Anna", out["login"])
		})
	}
	for name, auth := range map[string]string{
		"unknown token":  "token 0123456789012345678901234567890123456789",
		"JWT":            "Bearer abc.def.ghi",
		"empty token":    "token ",
		"wrong password": basic("anna", "wrong horse"),
		"no password":    basic("anna", ""),
		"unknown user":   basic("nobody", password),
		"bot":            basic("gitea-actions", password),
		"NUL":            basic("an\x00na", password),
		"not UTF-8":      basic("anna", "\xff\xfe"),
		"other scheme":   "Digest x",
		"not base64":     "Basic ###",
	} {
		t.Run(name, func(t *testing.T) {
			anna.with(auth).do("GET", "/user", nil).refused(http.StatusUnauthorized, badCredentials)
			anna.with(auth).do("GET", "/version", nil).refused(http.StatusUnauthorized, badCredentials)
		})
	}
	r.anonymous().do("GET", "/user", nil).refused(http.StatusUnauthorized, tokenRequired)
}

func TestQueryToken(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	for _, name := range []string{"token", "access_token"} {
		a := r.anonymous().do("GET", "/user?"+name+"="+anna.token, nil)
		a.wants(http.StatusOK)
		require.NotEmpty(t, a.Header.Get("X-Gitea-Warning"))
	}
	r.anonymous().do("GET", "/user?token=nonsense", nil).refused(http.StatusUnauthorized, badCredentials)

	off := newRig(t, func(c *apiserver.Config) { c.DisableQueryTokens = true })
	off.anonymous().do("GET", "/user?token="+off.user("anna").token, nil).refused(http.StatusUnauthorized, tokenRequired)
}

func TestPasswordChangeTakesEffectAtOnce(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	me := anna.with(basic("anna", password))
	me.do("GET", "/user", nil).wants(http.StatusOK)
	require.NoError(t, r.accounts.SetPassword(t.Context(), anna.owner.ID, "another horse"))
	me.do("GET", "/user", nil).refused(http.StatusUnauthorized, badCredentials)
	anna.with(basic("anna", "another horse")).do("GET", "/user", nil).wants(http.StatusOK)

	require.NoError(t, r.db.SetActive(t.Context(), anna.owner.ID, false))
	anna.do("GET", "/user", nil).refused(http.StatusUnauthorized, badCredentials)
	anna.with(basic("anna", "another horse")).do("GET", "/user", nil).refused(http.StatusUnauthorized, badCredentials)
}

func TestScopes(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	open := anna.repo("open", false)
	runs := repoPath(repo, "/actions/runs")
	dispatch := repoPath(repo, "/actions/workflows/ci.yml/dispatches")

	reads := r.withScopes(anna.owner, "read:repository")
	reads.do("GET", runs, nil).wants(http.StatusOK)
	reads.do("POST", dispatch, "{}").refused(http.StatusForbidden,
		"token does not have at least one of required scope(s), required=[write:repository], token scope=read:repository")
	reads.do("GET", "/user", nil).refused(http.StatusForbidden,
		"token does not have at least one of required scope(s), required=[read:user], token scope=read:repository")
	// The scope is looked at before the repository (rest-api.md §1.3).
	r.withScopes(anna.owner, "read:user").do("GET", "/repos/no/body", nil).wants(http.StatusForbidden)

	writes := r.withScopes(anna.owner, "write:repository")
	writes.do("GET", runs, nil).wants(http.StatusOK)
	writes.do("POST", dispatch, "{}").refused(http.StatusUnprocessableEntity, "[Ref]: Required")

	public := r.withScopes(anna.owner, "public-only", "read:repository", "read:user")
	public.do("GET", runs, nil).refused(http.StatusNotFound, "not found")
	public.do("GET", repoPath(open, "/actions/runs"), nil).wants(http.StatusOK)
	public.do("GET", "/user/actions/runs", nil).wants(http.StatusForbidden)
	public.do("GET", "/user/actions/runners", nil).wants(http.StatusForbidden)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	all := r.withScopes(anna.owner, "public-only", "all")
	all.do("GET", "/orgs/acme/actions/runs", nil).wants(http.StatusForbidden)
	all.do("GET", "/orgs/acme/actions/jobs", nil).wants(http.StatusForbidden)
}

func TestSudo(t *testing.T) {
	r := newRig(t)
	root, anna := r.user("root1", true), r.user("anna")
	out := root.do("GET", "/user", nil, "Sudo", "ANNA").wants(http.StatusOK)
	require.Equal(t, "anna", out["login"])
	out = root.do("GET", "/user?sudo=anna", nil).wants(http.StatusOK)
	require.Equal(t, "anna", out["login"])
	root.do("GET", "/user", nil, "Sudo", "nobody").refused(http.StatusNotFound, "user does not exist")
	root.do("GET", "/user", nil, "Sudo", "gitea-actions").refused(http.StatusNotFound, "user does not exist")
	anna.do("GET", "/user", nil, "Sudo", "root1").refused(http.StatusForbidden, "Only administrators allowed to sudo.")
	r.anonymous().do("GET", "/version", nil, "Sudo", "anna").wants(http.StatusForbidden)
}

func TestPermissionsOfRepositories(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	private, public := anna.pushed("private"), anna.repo("public", false)
	run := r.latestRun(private).Run.ID
	nobody := r.anonymous()

	// Who may not read hears that nothing is there, signed in or not.
	for _, c := range []*client{ben, nobody} {
		c.do("GET", repoPath(private, ""), nil).refused(http.StatusNotFound, "not found")
		c.do("GET", repoPath(private, "/actions/runs/%d", run), nil).refused(http.StatusNotFound, "not found")
		c.do("POST", repoPath(private, "/actions/runs/%d/cancel", run), nil).refused(http.StatusNotFound, "not found")
	}
	nobody.do("GET", repoPath(public, ""), nil).wants(http.StatusOK)
	nobody.do("GET", repoPath(public, "/actions/tasks"), nil).wants(http.StatusOK)
	nobody.do("GET", repoPath(public, "/actions/runs"), nil).refused(http.StatusUnauthorized, tokenRequired)
	ben.do("GET", repoPath(public, "/actions/runs"), nil).wants(http.StatusOK)
	ben.do("PUT", repoPath(public, "/actions/workflows/ci.yml/disable"), nil).
		refused(http.StatusForbidden, "user should have a permission to write to a repo")
	ben.do("GET", repoPath(public, "/actions/runners"), nil).refused(http.StatusForbidden, "user should be the owner of the repo")

	share := func(permission string) {
		anna.do("PUT", repoPath(private, "/collaborators/ben"), map[string]string{"permission": permission}).wants(http.StatusNoContent)
	}
	share("read")
	ben.do("GET", repoPath(private, "/actions/runs"), nil).wants(http.StatusOK)
	ben.do("POST", repoPath(private, "/actions/runs/%d/cancel", run), nil).wants(http.StatusForbidden)
	share("write")
	out := ben.do("GET", repoPath(private, ""), nil).wants(http.StatusOK)
	require.Equal(t, map[string]any{"admin": false, "push": true, "pull": true}, out["permissions"])
	ben.do("POST", repoPath(private, "/actions/runs/%d/cancel", run), nil).wants(http.StatusAccepted)
	ben.do("PUT", repoPath(private, "/collaborators/root1"), nil).wants(http.StatusForbidden)
	share("admin")
	ben.do("PUT", repoPath(private, "/collaborators/root1"), nil).wants(http.StatusNoContent)
	ben.do("GET", repoPath(private, "/actions/runners"), nil).wants(http.StatusForbidden)
	root.do("GET", repoPath(private, "/actions/runners"), nil).wants(http.StatusOK)

	anna.do("DELETE", repoPath(private, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	ben.do("GET", repoPath(private, ""), nil).wants(http.StatusNotFound)
}

func TestOrganizationRoles(t *testing.T) {
	r := newRig(t)
	anna, ben, eve := r.user("anna"), r.user("ben"), r.user("eve")
	anna.do("POST", "/orgs", map[string]string{"username": "acme"}).wants(http.StatusCreated)
	anna.do("PUT", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)
	out := anna.do("POST", "/orgs/acme/repos", map[string]any{"name": "demo", "private": true}).wants(http.StatusCreated)
	require.Equal(t, "acme/demo", out["full_name"])

	ben.do("GET", "/repos/acme/demo/actions/runs", nil).wants(http.StatusOK)
	ben.do("PUT", "/repos/acme/demo/actions/workflows/x.yml/disable", nil).wants(http.StatusForbidden)
	ben.do("GET", "/orgs/acme/actions/runs", nil).wants(http.StatusOK)
	ben.do("GET", "/orgs/acme/actions/jobs", nil).wants(http.StatusOK)
	ben.do("GET", "/orgs/acme/actions/runners", nil).refused(http.StatusForbidden, "Must be an organization owner")
	ben.do("POST", "/orgs/acme/repos", map[string]string{"name": "mine"}).wants(http.StatusForbidden)
	eve.do("GET", "/orgs/acme/actions/runs", nil).refused(http.StatusForbidden, "Must be an organization member")
	eve.do("GET", "/repos/acme/demo", nil).wants(http.StatusNotFound)
	r.anonymous().do("GET", "/orgs/acme/actions/runs", nil).refused(http.StatusUnauthorized, tokenRequired)

	anna.do("PUT", "/orgs/acme/members/ben", map[string]string{"role": "owner"}).wants(http.StatusNoContent)
	ben.do("GET", "/repos/acme/demo/actions/runners", nil).wants(http.StatusOK)
	ben.do("POST", "/orgs/acme/actions/runners/registration-token", nil).wants(http.StatusOK)
}

// The token of a task writes to its own repository, reads public ones, and is good for nothing else.
func TestTaskToken(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, other, public := anna.pushed("demo"), anna.repo("other", true), anna.repo("public", false)
	run := r.latestRun(repo)
	_, text := r.claim(r.jobs(run)[0])
	task := r.anonymous().with("token " + text)

	task.do("GET", repoPath(repo, "/actions/runs/%d", run.Run.ID), nil).wants(http.StatusOK)
	out := task.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches?return_run_details=true"), `{"ref":"main"}`).
		wants(http.StatusOK)
	started := task.do("GET", repoPath(repo, "/actions/runs/%d", number(out["workflow_run_id"])), nil).wants(http.StatusOK)
	require.Equal(t, "gitea-actions", started["actor"].(map[string]any)["login"])
	require.EqualValues(t, db.ActionsBotID, started["actor"].(map[string]any)["id"])

	task.do("GET", repoPath(public, ""), nil).wants(http.StatusOK)
	task.do("PUT", repoPath(public, "/actions/workflows/x.yml/disable"), nil).wants(http.StatusForbidden)
	task.do("GET", repoPath(other, ""), nil).wants(http.StatusNotFound)
	task.do("GET", repoPath(repo, "/actions/runners"), nil).wants(http.StatusForbidden)
	for _, path := range []string{"/user", "/user/actions/runs", "/admin/actions/runs", "/user/actions/runners"} {
		task.do("GET", path, nil).wants(http.StatusForbidden)
	}

	r.finish(run, "success")
	task.do("GET", repoPath(repo, ""), nil).refused(http.StatusUnauthorized, badCredentials)
}
