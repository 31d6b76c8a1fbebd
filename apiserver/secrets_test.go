package apiserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestSecrets(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.repo("demo", false)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"admin"}`).wants(http.StatusNoContent)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	anna.do("PUT", "/orgs/acme/members/ben", nil).wants(http.StatusNoContent)

	for _, level := range []string{repoPath(repo, ""), "/orgs/acme", "/user"} {
		one := level + "/actions/secrets/deploy_key"
		anna.do("PUT", one, `{"data":"hunter2-hunter2","description":"for deploys"}`).wants(http.StatusCreated)
		anna.do("PUT", one, `{"data":"hunter3-hunter3","description":"for deploys"}`).wants(http.StatusNoContent)
		anna.do("PUT", level+"/actions/secrets/DEPLOY_KEY", `{"data":"hunter4-hunter4","description":"for deploys"}`).wants(http.StatusNoContent)
		for _, name := range []string{"github_x", "GITEA_TOKEN", "ci", "1a", "a-b", "a%20b"} {
			anna.do("PUT", level+"/actions/secrets/"+name, `{"data":"x"}`).refused(http.StatusBadRequest, "invalid variable or secret name")
			anna.do("DELETE", level+"/actions/secrets/"+name, nil).wants(http.StatusBadRequest)
		}
		anna.do("PUT", one, `{}`).refused(http.StatusUnprocessableEntity, "[Data]: Required")
		anna.do("PUT", one, `{"data":1}`).refused(http.StatusUnprocessableEntity, "[Data]: a number does not fit here")
		anna.do("PUT", one, map[string]string{"data": strings.Repeat("x", 65_537)}).refused(http.StatusBadRequest, "data too long")
		if level == "/user" {
			anna.do("GET", level+"/actions/secrets", nil).wants(http.StatusNotFound)
		} else {
			a := anna.do("GET", level+"/actions/secrets", nil)
			a.wants(http.StatusOK)
			require.Equal(t, "1", a.Header.Get("X-Total-Count"))
			require.NotContains(t, string(a.body), "hunter")
			shown := a.list()[0].(map[string]any)
			require.Equal(t, "DEPLOY_KEY", shown["name"])
			require.Equal(t, "for deploys", shown["description"])
			require.Len(t, shown, 3)
		}
		r.anonymous().do("PUT", one, `{"data":"x"}`).wants(http.StatusUnauthorized)
		if level != "/user" {
			ben.do("PUT", one, `{"data":"x"}`).wants(http.StatusForbidden)
			ben.do("GET", level+"/actions/secrets", nil).wants(http.StatusForbidden)
			ben.do("DELETE", one, nil).wants(http.StatusForbidden)
		}
		anna.do("DELETE", one, nil).wants(http.StatusNoContent)
		anna.do("DELETE", one, nil).refused(http.StatusNotFound, "secret was not found [name: DEPLOY_KEY]")
	}
	// The token of a task opens no secrets.
	pushed := anna.pushed("pushed")
	_, task := r.claim(r.jobs(r.latestRun(pushed))[0])
	r.anonymous().with("token "+task).do("GET", repoPath(pushed, "/actions/secrets"), nil).wants(http.StatusForbidden)
	anna.with("token "+task).do("PUT", "/user/actions/secrets/A", `{"data":"x"}`).wants(http.StatusForbidden)
	public := r.withScopes(anna.owner, "write:user", "public-only")
	public.do("PUT", "/user/actions/secrets/A", `{"data":"x"}`).wants(http.StatusForbidden)
}

func TestVariables(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.repo("demo", false)
	org := number(anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)["id"])
	for level, scope := range map[string]db.Scope{
		repoPath(repo, ""): {RepoID: repo.ID}, "/orgs/acme": {OwnerID: org}, "/user": {OwnerID: anna.owner.ID},
	} {
		all := level + "/actions/variables"
		one := all + "/region"
		anna.do("GET", one, nil).refused(http.StatusNotFound, "variable not found")
		anna.do("PUT", one, `{"value":"x"}`).refused(http.StatusNotFound, "variable not found")
		anna.do("POST", one, `{"value":"eu west","description":"where"}`).wants(http.StatusCreated)
		anna.do("POST", all+"/REGION", `{"value":"x"}`).refused(http.StatusConflict, "variable name REGION already exists")
		want := map[string]any{
			"owner_id": float64(scope.OwnerID), "repo_id": float64(scope.RepoID), "name": "REGION", "data": "eu west", "description": "where",
		}
		require.Equal(t, want, anna.do("GET", one, nil).wants(http.StatusOK))
		anna.do("PUT", one, `{"name":"zone","value":"eu-1","description":"which"}`).wants(http.StatusNoContent)
		anna.do("GET", one, nil).wants(http.StatusNotFound)
		anna.do("PUT", all+"/Zone", `{"value":"eu-2"}`).wants(http.StatusNoContent)
		want["name"], want["data"], want["description"] = "ZONE", "eu-2", ""
		require.Equal(t, want, anna.do("GET", all+"/zone", nil).wants(http.StatusOK))
		anna.do("POST", one, `{"value":"x"}`).wants(http.StatusCreated)
		anna.do("PUT", all+"/zone", `{"name":"region","value":"x"}`).wants(http.StatusConflict)
		anna.do("PUT", all+"/zone", `{"name":"no good","value":"x"}`).refused(http.StatusBadRequest, "invalid variable or secret name")
		anna.do("POST", all+"/ci", `{"value":"x"}`).refused(http.StatusBadRequest, "invalid variable or secret name")
		anna.do("POST", all+"/a", `{}`).refused(http.StatusUnprocessableEntity, "[Value]: Required")
		anna.do("POST", all+"/a", fmt.Sprintf(`{"value":%q}`, strings.Repeat("x", 65_537))).refused(http.StatusBadRequest, "data too long")

		a := anna.do("GET", all+"?limit=1&page=2", nil)
		a.wants(http.StatusOK)
		require.Equal(t, "2", a.Header.Get("X-Total-Count"))
		require.Contains(t, a.Header.Get("Link"), `rel="prev"`)
		require.Equal(t, "ZONE", a.list()[0].(map[string]any)["name"])
		if level != "/user" {
			ben.do("GET", all, nil).wants(http.StatusForbidden)
			ben.do("POST", all+"/b", `{"value":"x"}`).wants(http.StatusForbidden)
		}
		anna.do("DELETE", one, nil).wants(http.StatusNoContent)
		anna.do("DELETE", one, nil).refused(http.StatusNotFound, "variable not found")
	}
}

// What the server evaluates sees variables too.
func TestVariablesInExpressions(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	anna.do("POST", "/user/actions/variables/machine", `{"value":"of-the-user"}`).wants(http.StatusCreated)
	anna.do("POST", repoPath(repo, "/actions/variables/machine"), `{"value":"big"}`).wants(http.StatusCreated)
	anna.do("POST", repoPath(repo, "/actions/variables/list"), `{"value":"[1,2]"}`).wants(http.StatusCreated)
	anna.push(repo, "main", map[string]string{".gitea/workflows/vars.yml": `on: push
run-name: on ${{ vars.MACHINE }}
concurrency: g-${{ vars.machine }}
jobs:
  cells:
    name: ${{ vars.machine }} ${{ matrix.n }}
    runs-on: ${{ vars.machine }}
    strategy: {matrix: {n: "${{ fromJSON(vars.list) }}"}}
    steps: [{run: "true"}]
`})
	var run *db.RunView
	runs, _, err := r.db.Runs(t.Context(), db.RunFilter{RepoID: repo.ID})
	require.NoError(t, err)
	for _, v := range runs {
		if v.Run.WorkflowFile == "vars.yml" {
			run = v
		}
	}
	require.NotNil(t, run)
	require.Equal(t, "on big", run.Run.Title)
	require.Equal(t, "g-big", run.Attempt.Concurrency.Group)
	jobs := r.jobs(run)
	require.Len(t, jobs, 2)
	require.Equal(t, "big 2", jobs[1].Name)
	require.Equal(t, []string{"big"}, jobs[1].RunsOn)
}
