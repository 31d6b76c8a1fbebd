package apiserver_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCreateUser(t *testing.T) {
	r := newRig(t)
	root, anna := r.user("root1", true), r.user("anna")
	body := func(change ...string) map[string]any {
		b := map[string]any{"username": "ben", "email": "ben@example.com", "password": password, "must_change_password": false}
		for i := 0; i+1 < len(change); i += 2 {
			b[change[i]] = change[i+1]
		}
		return b
	}
	out := root.do("POST", "/admin/users", body("full_name", "Ben B.")).wants(http.StatusCreated)
	require.Equal(t, "ben", out["login"])
	require.Equal(t, "Ben B.", out["full_name"])
	root.with(basic("ben", password)).do("GET", "/user", nil).wants(http.StatusOK)

	for message, b := range map[string]any{
		"user already exists [name: BEN]": body("username", "BEN"),
		"[Username]: Required":            body("username", ""),
		"[Username]: name is reserved":    body("username", "Api"),
		"[Username]: use letters and digits, with single '-', '_' or '.' between them": body("username", "../etc"),
		"[Password]: Required":                      body("username", "x", "password", ""),
		"[Password]: MinSize(8)":                    body("username", "x", "password", "short"),
		"[Email]: Email":                            body("username", "x", "email", "nobody"),
		"[Visibility]: In(public,limited,private)":  body("username", "x", "visibility", "odd"),
		"[Password]: a number does not fit here":    `{"username":"x","password":12345678}`,
		"[]: invalid character '\\x00' in a string": `{"username":"x","password":"12345678","full_name":"a\u0000b"}`,
		"[]: unexpected end of JSON input":          `{"username":`,
	} {
		root.do("POST", "/admin/users", b).refused(http.StatusUnprocessableEntity, message)
	}
	anna.do("POST", "/admin/users", body()).refused(http.StatusForbidden, "user should be the site admin")
}

func TestAccessTokens(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	me := anna.with(basic("anna", password))

	made := me.do("POST", "/users/anna/tokens", `{"name":"ci","scopes":["write:repository","read:user"]}`).wants(http.StatusCreated)
	text := made["sha1"].(string)
	require.Len(t, text, 40)
	require.Equal(t, text[32:], made["token_last_eight"])
	require.Equal(t, []any{"read:user", "write:repository"}, made["scopes"])
	anna.with("token "+text).do("GET", "/user", nil).wants(http.StatusOK)

	me.do("POST", "/users/anna/tokens", `{"name":"ci","scopes":["all"]}`).
		refused(http.StatusBadRequest, "access token name has been used already")
	me.do("POST", "/users/anna/tokens", `{"name":"x"}`).refused(http.StatusBadRequest, "access token must have a scope")
	me.do("POST", "/users/anna/tokens", `{"name":"x","scopes":["write:everything"]}`).
		refused(http.StatusBadRequest, `invalid access token scope provided: "write:everything"`)
	me.do("POST", "/users/anna/tokens", `{"scopes":["all"]}`).refused(http.StatusUnprocessableEntity, "[Name]: Required")

	// Only the password makes tokens, a token does not, and nobody makes those of others but a site admin.
	anna.do("POST", "/users/anna/tokens", `{"name":"y","scopes":["all"]}`).refused(http.StatusUnauthorized, "auth required")
	anna.with(basic("anna", text)).do("GET", "/users/anna/tokens", nil).refused(http.StatusUnauthorized, "auth required")
	ben.with(basic("ben", password)).do("GET", "/users/anna/tokens", nil).wants(http.StatusForbidden)
	r.anonymous().do("GET", "/users/anna/tokens", nil).refused(http.StatusUnauthorized, tokenRequired)
	root.with(basic("root1", password)).do("GET", "/users/nobody/tokens", nil).refused(http.StatusNotFound, "user does not exist")
	a := root.with(basic("root1", password)).do("GET", "/users/anna/tokens", nil)
	a.wants(http.StatusOK)
	require.Len(t, a.list(), 2)
	require.NotContains(t, string(a.body), text)

	one := me.do("GET", "/users/anna/tokens/ci", nil).wants(http.StatusOK)
	require.Equal(t, []any{"ci", text[len(text)-8:], ""}, []any{one["name"], one["token_last_eight"], one["sha1"]})
	require.Equal(t, one, me.do("GET", fmt.Sprintf("/users/anna/tokens/%d", number(one["id"])), nil).wants(http.StatusOK))
	me.do("DELETE", "/users/anna/tokens/ci", nil).wants(http.StatusNoContent)
	me.do("GET", "/users/anna/tokens/ci", nil).refused(http.StatusNotFound, "token not found")
	me.do("DELETE", "/users/anna/tokens/ci", nil).refused(http.StatusNotFound, "token not found")
	me.do("DELETE", "/users/anna/tokens/-1", nil).wants(http.StatusNotFound)
	anna.with("token "+text).do("GET", "/user", nil).refused(http.StatusUnauthorized, badCredentials)
}

func TestOrganizationMembers(t *testing.T) {
	r := newRig(t)
	anna, ben, eve := r.user("anna"), r.user("ben"), r.user("eve")
	out := anna.do("POST", "/orgs", map[string]string{"username": "acme", "full_name": "Acme", "visibility": "private"}).wants(http.StatusCreated)
	require.Equal(t, "acme", out["name"])
	anna.do("POST", "/orgs", map[string]string{"username": "Acme"}).wants(http.StatusUnprocessableEntity)
	anna.do("POST", "/orgs", map[string]string{}).refused(http.StatusUnprocessableEntity, "[Username]: Required")
	ben.do("GET", "/orgs/acme", nil).refused(http.StatusNotFound, "not found")
	ben.do("GET", "/orgs/eve", nil).refused(http.StatusNotFound, "not found")

	anna.do("PUT", "/orgs/acme/members/ben", `{"role":"boss"}`).refused(http.StatusUnprocessableEntity, "[Role]: In(owner,member)")
	anna.do("PUT", "/orgs/acme/members/nobody", nil).refused(http.StatusNotFound, "user does not exist")
	anna.do("PUT", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)
	ben.do("GET", "/orgs/acme", nil).wants(http.StatusOK)
	ben.do("PUT", "/orgs/acme/members/eve", nil).wants(http.StatusForbidden)
	ben.do("GET", "/orgs/acme/members/anna", nil).wants(http.StatusNoContent)
	ben.do("GET", "/orgs/acme/members/eve", nil).wants(http.StatusNotFound)
	a := ben.do("GET", "/orgs/acme/members", nil)
	a.wants(http.StatusOK)
	require.Len(t, a.list(), 2)
	eve.do("GET", "/orgs/acme/members", nil).wants(http.StatusNotFound)

	// Somebody always owns it.
	anna.do("DELETE", "/orgs/acme/members/anna", nil).wants(http.StatusConflict)
	anna.do("PUT", "/orgs/acme/members/anna", `{"role":"member"}`).wants(http.StatusConflict)
	anna.do("DELETE", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)
	anna.do("DELETE", "/orgs/acme/members/ben", nil).wants(http.StatusNotFound)
}

func TestCreateRepository(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	out := anna.do("POST", "/user/repos", map[string]any{
		"name": "Demo.1", "private": true, "default_branch": "trunk", "description": "d", "unknown": 1,
	}).wants(http.StatusCreated)
	require.Equal(t, "anna/Demo.1", out["full_name"])
	require.Equal(t, true, out["empty"])
	require.Equal(t, "trunk", out["default_branch"])
	require.Equal(t, r.url+"/anna/Demo.1.git", out["clone_url"])
	anna.do("GET", "/repos/ANNA/demo.1", nil).wants(http.StatusOK)
	anna.do("POST", "/user/repos", `{"name":"demo.1"}`).refused(http.StatusConflict, "The repository with the same name already exists.")

	for message, body := range map[string]any{
		"[Name]: Required":                                                  "",
		"[Name]: AlphaDashDot":                                              `{"name":"a/b"}`,
		"[Name]: name is reserved":                                          `{"name":".."}`,
		"[Name]: MaxSize(100)":                                              map[string]string{"name": strings.Repeat("x", 101)},
		"[Name]: a number does not fit here":                                `{"name":5}`,
		"[DefaultBranch]: GitRefName":                                       `{"name":"x","default_branch":"a..b"}`,
		"[CloneURL]: clone URL scheme \"file\" is not allowed":              `{"name":"x","clone_url":"file:///etc"}`,
		"[CloneURL]: must not hold credentials":                             `{"name":"x","clone_url":"https://u:p@example.com/x"}`,
		"[AutoInit]: a repository that lives outside has its commits there": `{"name":"x","auto_init":true,"clone_url":"https://example.com/x.git"}`,
		"[ObjectFormatName]: In(sha1)":                                      `{"name":"x","object_format_name":"sha256"}`,
	} {
		anna.do("POST", "/user/repos", body).refused(http.StatusUnprocessableEntity, message)
	}
	anna.do("GET", "/repos/anna/x", nil).wants(http.StatusNotFound)

	out = anna.do("POST", "/user/repos", `{"name":"mirror","clone_url":"https://example.com/a/b.git"}`).wants(http.StatusCreated)
	require.Equal(t, true, out["mirror"])
	require.Equal(t, "https://example.com/a/b.git", out["original_url"])
	require.Equal(t, false, out["empty"])
}

func TestCollaboratorInput(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	r.user("ben")
	repo := anna.repo("demo", true)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"king"}`).
		refused(http.StatusUnprocessableEntity, "[Permission]: In(read,write,admin)")
	anna.do("PUT", repoPath(repo, "/collaborators/nobody"), nil).refused(http.StatusNotFound, "user does not exist")
	anna.do("PUT", repoPath(repo, "/collaborators/anna"), nil).wants(http.StatusUnprocessableEntity)
	anna.do("DELETE", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNotFound)
}

func TestAutoInit(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	out := anna.do("POST", "/user/repos", `{"name":"demo","description":"A test.","auto_init":true,"readme":"Default","default_branch":"trunk"}`).
		wants(http.StatusCreated)
	require.Equal(t, false, out["empty"])
	branch := anna.do("GET", "/repos/anna/demo/branches/trunk", nil).wants(http.StatusOK)
	require.Equal(t, "Initial commit\n", branch["commit"].(map[string]any)["message"])

	// A push on top of it is an event as any other.
	dir := t.TempDir()
	anna.git(dir, "clone", "-q", r.url+"/anna/demo.git", ".")
	require.FileExists(t, dir+"/README.md")
	require.NoError(t, os.MkdirAll(dir+"/.gitea/workflows", 0o755))
	require.NoError(t, os.WriteFile(dir+"/.gitea/workflows/ci.yml", []byte("on: push\njobs: {a: {runs-on: x, steps: [{run: x}]}}\n"), 0o644))
	anna.git(dir, "add", ".")
	anna.git(dir, "commit", "-q", "-m", "a workflow")
	anna.git(dir, "push", "-q", "origin", "trunk")
	require.EqualValues(t, 1, anna.do("GET", "/repos/anna/demo/actions/runs", nil).wants(http.StatusOK)["total_count"])

	anna.do("POST", "/user/repos", `{"name":"x","auto_init":true,"readme":"Fancy"}`).
		refused(http.StatusBadRequest, "readme template does not exist, available templates: [Default]")
	anna.do("POST", "/user/repos", `{"name":"x","auto_init":true,"license":"MIT"}`).wants(http.StatusBadRequest)
	anna.do("GET", "/repos/anna/x", nil).wants(http.StatusNotFound)
}

func TestEditRepository(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.pushed("demo")
	path := repoPath(repo, "")
	anna.push(repo, "trunk", map[string]string{".gitea/workflows/other.yml": workflow})
	ben.do("PATCH", path, `{"private":false}`).refused(http.StatusNotFound, "not found")
	out := anna.do("PATCH", path, `{"name":"demo","description":"d","private":false,"default_branch":"trunk"}`).wants(http.StatusOK)
	require.Equal(t, []any{"d", false, "trunk"}, []any{out["description"], out["private"], out["default_branch"]})
	anna.do("GET", repoPath(repo, "/actions/workflows/other.yml"), nil).wants(http.StatusOK)
	require.Contains(t, anna.git(t.TempDir(), "ls-remote", "--symref", r.url+"/anna/demo.git", "HEAD"), "refs/heads/trunk")
	ben.do("PATCH", path, `{"private":true}`).wants(http.StatusForbidden)
	require.Equal(t, out["description"], anna.do("PATCH", path, `{}`).wants(http.StatusOK)["description"])
	for body, message := range map[string]string{
		`{"name":"other"}`:                                    "[Name]: repositories cannot be renamed",
		`{"default_branch":"none"}`:                           `[DefaultBranch]: branch "none" doesn't exist`,
		`{"default_branch":"a..b"}`:                           `[DefaultBranch]: branch "a..b" doesn't exist`,
		`{"description":"` + strings.Repeat("x", 2049) + `"}`: "[Description]: MaxSize(2048)",
	} {
		anna.do("PATCH", path, body).refused(http.StatusUnprocessableEntity, message)
	}
	anna.repo("empty", true)
	anna.do("PATCH", "/repos/anna/empty", `{"default_branch":"dev"}`).wants(http.StatusOK)
	anna.do("PATCH", "/repos/anna/empty", `{"default_branch":"a..b"}`).refused(http.StatusUnprocessableEntity, "[DefaultBranch]: GitRefName")
}
