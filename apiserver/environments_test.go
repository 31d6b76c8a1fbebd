package apiserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestEnvironments(t *testing.T) {
	r := newRig(t)
	anna, ben, eve := r.user("anna"), r.user("ben"), r.user("eve")
	repo := anna.pushed("demo")
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	org := number(anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)["id"])
	hidden := number(eve.do("POST", "/orgs", `{"username":"hidden","visibility":"private"}`).wants(http.StatusCreated)["id"])
	all := repoPath(repo, "/environments")
	path := all + "/Production%20%2F1"

	body := fmt.Sprintf(`{"wait_timer":30,"prevent_self_review":true,"reviewers":[{"type":"User","id":%d},{"type":"Organization","id":%d},
		{"type":"User","id":%[1]d}],"deployment_branch_policy":null}`, ben.owner.ID, org)
	out := anna.do("PUT", path, body).wants(http.StatusOK)
	require.Equal(t, "Production /1", out["name"])
	require.Equal(t, r.url+"/api/v1"+path, out["url"])
	rules := out["protection_rules"].([]any)
	require.Len(t, rules, 2)
	require.Equal(t, "wait_timer", rules[0].(map[string]any)["type"])
	require.EqualValues(t, 30, rules[0].(map[string]any)["wait_timer"])
	require.Equal(t, true, rules[1].(map[string]any)["prevent_self_review"])
	reviewers := rules[1].(map[string]any)["reviewers"].([]any)
	require.Len(t, reviewers, 2, "one named twice counts once")
	require.Equal(t, "Organization", reviewers[1].(map[string]any)["type"])
	require.Equal(t, "ben", reviewers[0].(map[string]any)["reviewer"].(map[string]any)["login"])
	require.Equal(t, out, anna.do("GET", all+"/production%20%2f1", nil).wants(http.StatusOK), "names have no case")
	require.EqualValues(t, 1, ben.do("GET", all, nil).wants(http.StatusOK)["total_count"])

	// A body replaces all rules.
	out = anna.do("PUT", path, nil).wants(http.StatusOK)
	require.Empty(t, out["protection_rules"])

	many := strings.TrimSuffix(strings.Repeat(fmt.Sprintf(`{"type":"User","id":%d},`, ben.owner.ID), 7), ",")
	for message, body := range map[string]string{
		"[WaitTimer]: Range(0,43200)":                     `{"wait_timer":43201}`,
		"[WaitTimer]: a string does not fit here":         `{"wait_timer":"30"}`,
		"[Reviewers]: MaxSize(6)":                         `{"reviewers":[` + many + `]}`,
		"[Reviewers.type]: In(User,Organization)":         fmt.Sprintf(`{"reviewers":[{"type":"Team","id":%d}]}`, org),
		"[DeploymentBranchPolicy]: not supported":         `{"deployment_branch_policy":{"protected_branches":true,"custom_branch_policies":false}}`,
		"[PreventSelfReview]: a number does not fit here": `{"prevent_self_review":1}`,
	} {
		anna.do("PUT", path, body).refused(http.StatusUnprocessableEntity, message)
	}
	for _, ref := range []string{
		fmt.Sprintf(`"User","id":%d`, eve.owner.ID), fmt.Sprintf(`"User","id":%d`, org), fmt.Sprintf(`"Organization","id":%d`, hidden),
		fmt.Sprintf(`"Organization","id":%d`, ben.owner.ID), `"User","id":-2`, `"User","id":0`, `"User","id":999999`,
	} {
		anna.do("PUT", path, `{"reviewers":[{"type":`+ref+`}]}`).
			refused(http.StatusUnprocessableEntity, "[Reviewers.id]: there is no such reviewer who may read the repository")
	}
	anna.do("PUT", all+"/%20x", nil).wants(http.StatusUnprocessableEntity)
	anna.do("PUT", all+"/"+strings.Repeat("x", 256), nil).refused(http.StatusUnprocessableEntity, "[Name]: MaxSize(255)")

	ben.do("PUT", path, nil).wants(http.StatusForbidden)
	ben.do("DELETE", path, nil).wants(http.StatusForbidden)
	eve.do("GET", path, nil).wants(http.StatusNotFound)
	anna.do("DELETE", path, nil).wants(http.StatusNoContent)
	anna.do("DELETE", path, nil).refused(http.StatusNotFound, "not found")
	anna.do("GET", path, nil).refused(http.StatusNotFound, "not found")
}

// deploys has a job wait for an environment, as its run's workflow does.
func (r *rig) deploys(run *db.RunView, job *db.Job, environment string) {
	r.t.Helper()
	r.sql(`UPDATE jobs SET status = 'blocked' WHERE id = $1`, job.ID)
	_, err := r.db.EnterEnvironment(r.t.Context(), &db.Job{ID: job.ID, RunID: run.Run.ID, AttemptID: run.Attempt.ID, RepoID: run.Run.RepoID}, environment)
	require.NoError(r.t, err)
}

func TestReviews(t *testing.T) {
	r := newRig(t)
	anna, ben, eve := r.user("anna"), r.user("ben"), r.user("eve")
	repo := anna.pushed("demo")
	v := r.latestRun(repo)
	r.sql(`UPDATE attempts SET workflow_seen_at = now()`)
	path := repoPath(repo, "/actions/runs/%d", v.Run.ID)
	for _, name := range []string{"ben", "eve"} {
		anna.do("PUT", repoPath(repo, "/collaborators/%s", name), `{"permission":"read"}`).wants(http.StatusNoContent)
	}
	put := func(name, rules string) int64 {
		return number(anna.do("PUT", repoPath(repo, "/environments/%s", name), rules).wants(http.StatusOK)["id"])
	}
	prod := put("prod", fmt.Sprintf(`{"prevent_self_review":true,"reviewers":[{"type":"User","id":%d},{"type":"User","id":%d}]}`, ben.owner.ID, anna.owner.ID))
	stage := put("stage", `{"wait_timer":10}`)
	require.Empty(t, anna.do("GET", path+"/pending_deployments", nil).list())
	build, test := r.jobs(v)[0], r.jobs(v)[1]
	r.deploys(v, build, "PROD")
	r.deploys(v, test, "stage")

	pending := func(c *client) []any {
		a := c.do("GET", path+"/pending_deployments", nil)
		a.wants(http.StatusOK)
		return a.list()
	}
	list := pending(ben)
	require.Len(t, list, 2)
	first, second := list[0].(map[string]any), list[1].(map[string]any)
	require.EqualValues(t, prod, first["environment"].(map[string]any)["id"])
	require.Equal(t, true, first["current_user_can_approve"])
	require.Equal(t, []any{float64(build.ID)}, first["job_ids"])
	require.Len(t, first["reviewers"], 2)
	require.Equal(t, false, pending(eve)[0].(map[string]any)["current_user_can_approve"])
	require.Equal(t, false, pending(anna)[0].(map[string]any)["current_user_can_approve"], "she started it")
	require.EqualValues(t, stage, second["environment"].(map[string]any)["id"])
	require.EqualValues(t, 10, second["wait_timer"])
	require.NotNil(t, second["wait_timer_started_at"])
	require.NotNil(t, second["wait_until"])
	require.Equal(t, false, second["current_user_can_approve"])
	job := anna.do("GET", repoPath(repo, "/actions/jobs/%d", build.ID), nil).wants(http.StatusOK)
	require.Equal(t, `environment "prod" needs a review by ben or anna`, job["pending_reason"])
	require.Equal(t, "waiting", job["status"])

	say := func(c *client, state string, ids ...int64) reply {
		return c.do("POST", path+"/pending_deployments", map[string]any{"environment_ids": ids, "state": state, "comment": "go"})
	}
	for message, body := range map[string]string{
		"[EnvironmentIds]: Required":                   `{"state":"approved","comment":""}`,
		"[EnvironmentIds]: a string does not fit here": `{"environment_ids":"1"}`,
		"[State]: In(approved,rejected)":               `{"environment_ids":[1],"state":"maybe"}`,
		"[Comment]: MaxSize(1024)":                     `{"environment_ids":[1],"state":"approved","comment":"` + strings.Repeat("x", 1025) + `"}`,
	} {
		ben.do("POST", path+"/pending_deployments", body).refused(http.StatusUnprocessableEntity, message)
	}
	say(eve, "approved", prod).wants(http.StatusForbidden)
	say(anna, "approved", prod).wants(http.StatusForbidden)
	say(ben, "approved", stage).wants(http.StatusUnprocessableEntity)
	say(ben, "approved", 999999).wants(http.StatusUnprocessableEntity)
	require.Empty(t, anna.do("GET", path+"/approvals", nil).list())
	anna.do("DELETE", repoPath(repo, "/environments/prod"), nil).
		refused(http.StatusConflict, "jobs wait for this environment; review or cancel them first")

	a := say(ben, "approved", prod)
	a.wants(http.StatusOK)
	deployment := a.list()[0].(map[string]any)
	require.EqualValues(t, build.ID, deployment["id"])
	require.Equal(t, "prod", deployment["environment"])
	require.Equal(t, "approved", deployment["state"])
	require.Contains(t, r.engine.woken, v.Run.ID)
	say(ben, "rejected", prod).wants(http.StatusUnprocessableEntity)
	require.Len(t, pending(anna), 1)
	reviews := anna.do("GET", path+"/approvals", nil).list()
	require.Len(t, reviews, 1)
	review := reviews[0].(map[string]any)
	require.Equal(t, "approved", review["state"])
	require.Equal(t, "go", review["comment"])
	require.Equal(t, "ben", review["user"].(map[string]any)["login"])
	require.EqualValues(t, prod, review["environments"].([]any)[0].(map[string]any)["id"])
}
