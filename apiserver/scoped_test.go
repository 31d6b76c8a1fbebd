package apiserver_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestScopedSources(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	source, secret := anna.repo("shared", false), ben.repo("secret", true)
	consumer := anna.repo("demo", true)
	levels := map[string]*client{"/orgs/acme": anna, "/user": anna, "/admin": root}
	for prefix, c := range levels {
		list := prefix + "/actions/scoped_workflows"
		one := list + "/anna/shared"
		require.EqualValues(t, 0, c.do("GET", list, nil).wants(http.StatusOK)["total_count"])
		c.do("PUT", one, `{"required":"yes"}`).refused(http.StatusUnprocessableEntity, "[Required]: a string does not fit here")
		c.do("PUT", list+"/anna/none", nil).refused(http.StatusNotFound, "not found")
		c.do("PUT", one, `{"required":true}`).wants(http.StatusNoContent)
		c.do("PUT", one, nil).wants(http.StatusNoContent)
		out := c.do("GET", list, nil).wants(http.StatusOK)["sources"].([]any)[0].(map[string]any)
		require.EqualValues(t, source.ID, out["id"])
		require.Equal(t, "anna/shared", out["full_name"])
		require.Equal(t, false, out["required"])
		c.do("DELETE", one, nil).wants(http.StatusNoContent)
		c.do("DELETE", one, nil).refused(http.StatusNotFound, "not found")
		if c != root {
			c.do("PUT", list+"/ben/secret", nil).refused(http.StatusNotFound, "not found")
		}
		r.anonymous().do("GET", list, nil).wants(http.StatusUnauthorized)
	}
	ben.do("GET", "/orgs/acme/actions/scoped_workflows", nil).wants(http.StatusForbidden)
	ben.do("GET", "/admin/actions/scoped_workflows", nil).wants(http.StatusForbidden)

	// A repository sees what runs in it: names only of what the reader may know of.
	anna.do("PUT", "/user/actions/scoped_workflows/anna/shared", nil).wants(http.StatusNoContent)
	root.do("PUT", "/admin/actions/scoped_workflows/ben/secret", `{"required":true}`).wants(http.StatusNoContent)
	list := repoPath(consumer, "/actions/scoped_workflows")
	sources := anna.do("GET", list, nil).wants(http.StatusOK)["sources"].([]any)
	require.Len(t, sources, 2)
	require.Equal(t, "anna/shared", sources[0].(map[string]any)["full_name"])
	require.EqualValues(t, secret.ID, sources[1].(map[string]any)["id"])
	require.NotContains(t, sources[1], "full_name")
	require.Equal(t, true, sources[1].(map[string]any)["required"])

	out := func(id int64) string { return fmt.Sprintf("%s/%d/opt-out", list, id) }
	optedOut := func() any {
		return anna.do("GET", list, nil).wants(http.StatusOK)["sources"].([]any)[0].(map[string]any)["opted_out"]
	}
	for range 2 {
		anna.do("PUT", out(source.ID), nil).wants(http.StatusNoContent)
	}
	require.Equal(t, true, optedOut())
	anna.do("DELETE", out(source.ID), nil).wants(http.StatusNoContent)
	require.Equal(t, false, optedOut())
	anna.do("PUT", out(secret.ID), nil).refused(http.StatusConflict, "the workflows of this repository are required")
	anna.do("PUT", out(consumer.ID), nil).refused(http.StatusNotFound, "not found")
	anna.do("PUT", repoPath(consumer, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	ben.do("PUT", out(source.ID), nil).wants(http.StatusForbidden)

	// Required by either level is required.
	root.do("PUT", "/admin/actions/scoped_workflows/anna/shared", `{"required":true}`).wants(http.StatusNoContent)
	anna.do("PUT", out(source.ID), nil).wants(http.StatusConflict)
}

func TestRunsOfScopedWorkflows(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	source := anna.repo("shared", false)
	anna.push(source, "main", map[string]string{".gitea/scoped_workflows/ci.yml": workflow})
	anna.do("PUT", "/user/actions/scoped_workflows/anna/shared", nil).wants(http.StatusNoContent)
	repo := anna.pushed("demo")
	query := fmt.Sprintf("scoped_workflow_source_repo_id=%d", source.ID)
	dispatch := repoPath(repo, "/actions/workflows/ci.yml/dispatches?return_run_details=true&%s", query)
	started := number(anna.do("POST", dispatch, `{"ref":"main"}`).wants(http.StatusOK)["workflow_run_id"])

	run := anna.do("GET", repoPath(repo, "/actions/runs/%d", started), nil).wants(http.StatusOK)
	require.EqualValues(t, source.ID, run["scoped_workflow_source_repo_id"])
	count := func(query string) any {
		return anna.do("GET", repoPath(repo, "/actions/workflows/ci.yml/runs?%s", query), nil).wants(http.StatusOK)["total_count"]
	}
	require.EqualValues(t, 2, count(query), "the push, and the dispatch")
	require.EqualValues(t, 1, count(""))
	require.EqualValues(t, 1, count("scoped_workflow_source_repo_id=0"))
	require.EqualValues(t, 3, anna.do("GET", repoPath(repo, "/actions/runs"), nil).wants(http.StatusOK)["total_count"])
	require.EqualValues(t, 2, anna.do("GET", repoPath(repo, "/actions/runs?%s", query), nil).wants(http.StatusOK)["total_count"])
	for _, id := range []string{"99999", "x", "-1"} {
		anna.do("GET", repoPath(repo, "/actions/workflows/ci.yml/runs?scoped_workflow_source_repo_id=%s", id), nil).
			refused(http.StatusNotFound, `workflow "ci.yml" doesn't exist`)
	}
}
