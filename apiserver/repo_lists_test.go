package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// names are the full names of repositories.
func names(list []any) []string {
	out := []string{}
	for _, entry := range list {
		out = append(out, entry.(map[string]any)["full_name"].(string))
	}
	return out
}

func TestRepositoryLists(t *testing.T) {
	r := newRig(t)
	anna, ben, root, nobody := r.user("anna"), r.user("ben"), r.user("root1", true), r.anonymous()
	secret := anna.repo("secret", true)
	anna.repo("open", false)
	shared := anna.repo("shared", true)
	require.NoError(t, r.db.SetCollaborator(t.Context(), shared.ID, ben.owner.ID, db.PermissionWrite))
	anna.do("POST", "/orgs", map[string]string{"username": "acme", "visibility": "private"}).wants(http.StatusCreated)
	anna.do("POST", "/orgs/acme/repos", map[string]any{"name": "team"}).wants(http.StatusCreated)

	for _, tt := range []struct {
		who  *client
		path string
		want []string
	}{
		{anna, "/user/repos", []string{"anna/open", "anna/secret", "anna/shared", "acme/team"}},
		{ben, "/user/repos", []string{"anna/shared"}},
		{ben, "/users/anna/repos", []string{"anna/open", "anna/shared"}},
		{nobody, "/users/Anna/repos", []string{"anna/open"}},
		{root, "/users/anna/repos", []string{"anna/open", "anna/secret", "anna/shared"}},
		{anna, "/orgs/acme/repos", []string{"acme/team"}},
		{r.withScopes(anna.owner, "public-only", "all"), "/user/repos", []string{"anna/open"}},
	} {
		require.Equal(t, tt.want, names(tt.who.do("GET", tt.path, nil).list()), tt.path)
	}
	ben.do("GET", "/orgs/acme/repos", nil).wants(http.StatusNotFound)
	nobody.do("GET", "/user/repos", nil).refused(http.StatusUnauthorized, tokenRequired)

	found := anna.do("GET", "/repos/search?q=S&sort=created&order=desc", nil).wants(http.StatusOK)
	require.Equal(t, []string{"anna/shared", "anna/secret"}, names(found["data"].([]any)))
	require.Empty(t, nobody.do("GET", "/repos/search?q=secret", nil).wants(http.StatusOK)["data"])
	anna.do("GET", "/repos/search?sort=stars", nil).wants(http.StatusUnprocessableEntity)
	anna.do("GET", "/repos/search?order=up", nil).wants(http.StatusUnprocessableEntity)
	page := anna.do("GET", "/user/repos?limit=1&page=2", nil)
	require.Equal(t, []string{"anna/secret"}, names(page.list()))
	require.Equal(t, "4", page.Header.Get("X-Total-Count"))
	require.Contains(t, page.Header.Get("Link"), `rel="next"`)

	one := ben.do("GET", "/user/repos", nil).list()[0].(map[string]any)
	require.Equal(t, map[string]any{"admin": false, "push": true, "pull": true}, one["permissions"])

	byID := fmt.Sprintf("/repositories/%d", secret.ID)
	require.Equal(t, "anna/secret", anna.do("GET", byID, nil).wants(http.StatusOK)["full_name"])
	ben.do("GET", byID, nil).refused(http.StatusNotFound, "not found")
	anna.do("GET", "/repositories/x", nil).wants(http.StatusNotFound)
}

func TestUsersAndTheirOrganizations(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	_, err := r.accounts.CreateUser(t.Context(), newUser("hidden", "private"))
	require.NoError(t, err)
	anna.do("POST", "/orgs", map[string]string{"username": "acme", "visibility": "private"}).wants(http.StatusCreated)
	anna.do("POST", "/orgs", map[string]string{"username": "open"}).wants(http.StatusCreated)

	require.Equal(t, "anna", ben.do("GET", "/users/ANNA", nil).wants(http.StatusOK)["login"])
	require.Equal(t, "anna", r.anonymous().do("GET", "/users/anna", nil).wants(http.StatusOK)["login"])
	for _, name := range []string{"hidden", "acme", "none"} {
		ben.do("GET", "/users/"+name, nil).refused(http.StatusNotFound, "user does not exist")
	}
	require.Len(t, anna.do("GET", "/user/orgs", nil).list(), 2)
	require.Len(t, anna.do("GET", "/users/anna/orgs", nil).list(), 2)
	require.Len(t, ben.do("GET", "/users/anna/orgs", nil).list(), 1)
	require.Len(t, r.withScopes(anna.owner, "public-only", "all").do("GET", "/user/orgs", nil).list(), 1)
}

func TestSettings(t *testing.T) {
	r := newRig(t)
	out := r.anonymous().do("GET", "/settings/api", nil).wants(http.StatusOK)
	require.EqualValues(t, 50, out["max_response_items"])
	require.EqualValues(t, 30, out["default_paging_num"])
	r.anonymous().do("GET", "/settings/repository", nil).wants(http.StatusOK)
}

func TestBranches(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	sha := anna.push(repo, "a/b", map[string]string{"x": "x"})
	list := anna.do("GET", repoPath(repo, "/branches?limit=1"), nil)
	require.Equal(t, "2", list.Header.Get("X-Total-Count"))
	require.Equal(t, "a/b", list.list()[0].(map[string]any)["name"])
	one := anna.do("GET", repoPath(repo, "/branches/a%%2Fb"), nil).wants(http.StatusOK)
	require.Equal(t, sha, one["commit"].(map[string]any)["id"])
	require.Equal(t, true, one["user_can_push"])
	anna.do("GET", repoPath(repo, "/branches/none"), nil).refused(http.StatusNotFound, `branch "none" doesn't exist`)
	require.Empty(t, anna.do("GET", repoPath(anna.repo("empty", true), "/branches"), nil).list())
}

func TestArtifactsAreNone(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	for _, path := range []string{"/actions/artifacts", "/actions/runs/1/artifacts", "/actions/runs/999/artifacts?name=x"} {
		out := anna.do("GET", repoPath(repo, "%s", path), nil).wants(http.StatusOK)
		require.Equal(t, map[string]any{"artifacts": []any{}, "total_count": 0.0}, out)
	}
	for _, path := range []string{"/actions/artifacts/1", "/actions/artifacts/x", "/actions/artifacts/1/zip"} {
		anna.do("GET", repoPath(repo, "%s", path), nil).refused(http.StatusNotFound, "artifact not found")
	}
	anna.do("DELETE", repoPath(repo, "/actions/artifacts/1"), nil).refused(http.StatusNotFound, "artifact not found")
}
