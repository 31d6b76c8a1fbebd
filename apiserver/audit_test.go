package apiserver_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/observability"
)

// readsByPost are the routes that read although they are asked by POST.
var readsByPost = regexp.MustCompile(`/git-upload-pack$|^/\{owner\}/\{repo\}/actions/runs/\{run\}(/jobs/\{job\})?(/attempts/\{attempt\})?$`)

// Whatever route is added, what it changes is recorded, under a name that no other has.
func TestEveryMutatingRouteHasAnActionOfItsOwn(t *testing.T) {
	taken := map[string]string{}
	for _, route := range newRig(t).server.Routes() {
		action := apiserver.ActionOf(route.Method, route.Path)
		if readsByPost.MatchString(route.Path) || (route.Method == http.MethodGet && !strings.HasSuffix(route.Path, "/registration-token")) {
			require.Empty(t, action, "%+v", route)
			continue
		}
		require.Regexp(t, `^[a-z]+(-[a-z]+)*(\.[a-z]+(-[a-z]+)*)+$`, action, "%+v", route)
		require.Empty(t, taken[action], "%s is the name of %s %s too", action, route.Method, route.Path)
		taken[action] = route.Method + " " + route.Path
	}
	require.Greater(t, len(taken), 40)
}

func TestActionNames(t *testing.T) {
	const repo = "/repos/{owner}/{repo}"
	for route, want := range map[string]string{
		"POST " + repo + "/actions/runs/{run}/cancel":                      "run.cancel",
		"POST " + repo + "/actions/runs/{run}/force-cancel":                "run.force-cancel",
		"POST " + repo + "/actions/runs/{run}/rerun-failed-jobs":           "run.rerun-failed-jobs",
		"POST " + repo + "/actions/runs/{run}/jobs/{job_id}/rerun":         "run.job.rerun",
		"POST " + repo + "/actions/jobs/{job_id}/rerun":                    "job.rerun",
		"DELETE " + repo + "/actions/runs/{run}":                           "run.delete",
		"POST " + repo + "/actions/runs/cancel":                            "runs.cancel",
		"POST " + repo + "/actions/runs/{run}/pending_deployments":         "deployment.review",
		"POST " + repo + "/actions/workflows/{workflow_id}/dispatches":     "workflow.dispatch",
		"PUT " + repo + "/actions/workflows/{workflow_id}/enable":          "workflow.enable",
		"PUT " + repo + "/actions/secrets/{name}":                          "secret.set",
		"POST " + repo + "/actions/variables/{name}":                       "variable.create",
		"PUT " + repo + "/actions/variables/{name}":                        "variable.set",
		"PATCH " + repo + "/actions/settings":                              "settings.edit",
		"DELETE " + repo:                                                   "repo.delete",
		"PATCH " + repo:                                                    "repo.edit",
		"POST " + repo + "/hooks":                                          "hook.create",
		"POST " + repo + "/hooks/{id}/deliveries/{delivery}/attempts":      "hook.delivery.attempt.create",
		"POST " + repo + "/statuses/{sha}":                                 "status.create",
		"GET " + repo + "/actions/runners/registration-token":              "runner.registration-token.read",
		"POST /orgs/{org}/actions/runners/registration-token":              "org.runner.registration-token.create",
		"DELETE /admin/actions/runners/{runner_id}":                        "admin.runner.delete",
		"PUT /user/actions/secrets/{name}":                                 "user.secret.set",
		"POST /users/{username}/tokens":                                    "user.token.create",
		"POST /orgs":                                                       "org.create",
		"PATCH /orgs/{org}":                                                "org.edit",
		"POST /admin/users":                                                "admin.user.create",
		"POST /{owner}/{repo}/actions/runs/{run}/cancel":                   "web.run.cancel",
		"PUT " + repo + "/contents/{path:.*}":                              "content.set",
		"POST " + repo + "/branches":                                       "branch.create",
		"POST " + repo + "/hooks/{id}/tests":                               "hook.test.create",
		"POST /{owner}/{repo}/git-receive-pack":                            "git.push",
		"DELETE " + repo + "/actions/scoped_workflows/{source_id}/opt-out": "scoped-workflow.opt-out.delete",
		"GET " + repo + "/actions/runs":                                    "",
		"POST /{owner}/{repo}/git-upload-pack":                             "",
	} {
		method, path, _ := strings.Cut(route, " ")
		require.Equal(t, want, apiserver.ActionOf(method, path), route)
	}
}

// audited are the entries of the log, the oldest first.
func (r *rig) audited(f db.AuditFilter) []db.AuditEntry {
	r.t.Helper()
	f.Limit = 1000
	entries, err := r.db.AuditLog(r.t.Context(), f)
	require.NoError(r.t, err)
	for i, j := 0, len(entries)-1; i < j; i, j = i+1, j-1 {
		entries[i], entries[j] = entries[j], entries[i]
	}
	return entries
}

// last is the newest entry.
func (r *rig) last() db.AuditEntry {
	r.t.Helper()
	all := r.audited(db.AuditFilter{})
	require.NotEmpty(r.t, all)
	return all[len(all)-1]
}

func TestWhatIsDoneIsRecorded(t *testing.T) {
	r := newRig(t)
	anna, ben, root := r.user("anna"), r.user("ben"), r.user("root1", true)
	repo := anna.pushed("demo")
	run := r.latestRun(repo)

	push := r.audited(db.AuditFilter{Action: "git.push"})
	require.NotEmpty(t, push)
	require.Equal(t, "anna/demo", push[len(push)-1].Repo)
	require.Equal(t, "anna", push[len(push)-1].Actor)
	require.Regexp(t, `^0{40}\.\.[0-9a-f]{40}$`, push[len(push)-1].Target["refs/heads/main"])
	require.Equal(t, http.StatusOK, push[len(push)-1].Status)

	anna.do("POST", repoPath(repo, "/actions/runs/%d/cancel", run.Run.ID), nil, "X-Request-Id", "r-7", "User-Agent", "ua/1").wants(http.StatusAccepted)
	e := r.last()
	require.Equal(t, "run.cancel", e.Action)
	require.Equal(t, map[string]string{"run": fmt.Sprint(run.Run.ID)}, e.Target)
	require.Equal(t, []any{anna.owner.ID, "anna", "token", "test all"}, []any{e.ActorID, e.Actor, e.Credential, e.CredentialName})
	require.NotZero(t, e.CredentialID)
	require.Equal(t, []any{repo.ID, "anna/demo", anna.owner.ID, "anna"}, []any{e.RepoID, e.Repo, e.OwnerID, e.Owner})
	require.Equal(t, []string{"127.0.0.1", "ua/1", "r-7"}, []string{e.Address, e.UserAgent, e.RequestID})
	require.Equal(t, []any{db.AuditOK, http.StatusAccepted, ""}, []any{e.Result, e.Status, e.Error})
	require.WithinDuration(t, time.Now(), e.At, time.Minute)

	// What was made is named.
	anna.do("POST", "/user/repos", `{"name":"second","description":"words that nobody records"}`).wants(http.StatusCreated)
	e = r.last()
	require.Equal(t, "user.repo.create", e.Action)
	require.Equal(t, "anna/second", e.Target["made_full_name"])
	require.NotContains(t, fmt.Sprint(e), "nobody records")
	made := anna.with(basic("anna", password)).do("POST", "/users/anna/tokens", `{"name":"ci","scopes":["all"]}`).wants(http.StatusCreated)
	e = r.last()
	require.Equal(t, []any{"user.token.create", "password", "ci", "anna"}, []any{e.Action, e.Credential, e.Target["made_name"], e.Owner})
	require.NotContains(t, fmt.Sprint(e), made["sha1"])
	require.NotContains(t, fmt.Sprint(e), password)

	// Who gets which rights, and what becomes visible to whom.
	for _, change := range []struct{ method, path, body, name, value string }{
		{"PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"admin"}`, "permission", "admin"},
		{"PUT", repoPath(repo, "/collaborators/ben"), `{}`, "permission", "write"},
		{"PATCH", repoPath(repo, ""), `{"private":true}`, "private", "true"},
		{"PUT", "/orgs/acme/members/ben", `{"role":"owner"}`, "role", "owner"},
	} {
		anna.do("POST", "/orgs", `{"username":"acme"}`)
		require.Less(t, anna.do(change.method, change.path, change.body).StatusCode, 300)
		require.Equal(t, change.value, r.last().Target[change.name], change.path)
	}
	anna.do("DELETE", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusNoContent)
	anna.with(basic("anna", password)).do("POST", "/users/anna/tokens", `{"name":"few","scopes":["read:user","read:repository"]}`).wants(http.StatusCreated)
	require.Equal(t, "read:repository,read:user", r.last().Target["scopes"])

	// A site admin who acts as another, refusals, the page, a task.
	root.do("POST", repoPath(repo, "/actions/runs/%d/cancel", run.Run.ID), nil, "Sudo", "anna")
	e = r.last()
	require.Equal(t, []string{"root1", "anna"}, []string{e.Actor, e.ActingAs})
	ben.do("POST", repoPath(repo, "/actions/runs/%d/rerun", run.Run.ID), nil).wants(http.StatusNotFound)
	e = r.last()
	require.Equal(t, []any{"run.rerun", db.AuditRefused, 404, "not found", "ben"}, []any{e.Action, e.Result, e.Status, e.Error, e.Actor})
	require.Equal(t, "anna/demo", e.Repo, "as the path has it")
	r.anonymous().with("token wrong-secret").do("DELETE", repoPath(repo, "/collaborators/ben"), nil).wants(http.StatusUnauthorized)
	e = r.last()
	require.Equal(t, []any{"collaborator.delete", "unknown", "", 401}, []any{e.Action, e.Credential, e.Actor, e.Status})
	require.NotContains(t, fmt.Sprint(e), "wrong-secret")
	anna.raw("POST", fmt.Sprintf("/anna/demo/actions/runs/%d/cancel", run.Run.ID), nil)
	require.Equal(t, "web.run.cancel", r.last().Action)
	anna.do("GET", repoPath(repo, "/actions/runners/registration-token"), nil).wants(http.StatusOK)
	require.Equal(t, "runner.registration-token.read", r.last().Action)
	anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	require.Equal(t, map[string]string{"workflow_id": "ci.yml", "run": fmt.Sprint(r.latestRun(repo).Run.ID)}, r.last().Target)
	task, token := r.claim(r.jobs(r.latestRun(repo))[0])
	bot := &client{rig: r, auth: "token " + token}
	bot.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"none"}`)
	e = r.last()
	require.Equal(t, []any{"task", task, "gitea-actions"}, []any{e.Credential, e.CredentialID, e.Actor})

	before := len(r.audited(db.AuditFilter{}))
	anna.do("GET", repoPath(repo, "/actions/runs"), nil).wants(http.StatusOK)
	require.Len(t, r.audited(db.AuditFilter{}), before, "reads are not recorded")
	require.NoError(t, observability.CheckNames(r.registry))
}

// What cannot be recorded is done all the same, and counted.
func TestAnEntryThatCannotBeWritten(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	r.sql(`ALTER TABLE audit_log RENAME TO gone`)
	anna.do("POST", "/user/repos", `{"name":"demo"}`).wants(http.StatusCreated)
	families, err := r.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "pawl_audit_entries_total" {
			for _, m := range f.GetMetric() {
				require.Equal(t, m.GetLabel()[0].GetValue() == "failed", m.GetCounter().GetValue() == 1, m.String())
			}
		}
	}
}

// Who is refused again and again does not fill the log.
func TestRefusalsAreBounded(t *testing.T) {
	clock := &still{}
	r := newRig(t, func(c *apiserver.Config) { c.Now = clock.now })
	anna := r.user("anna")
	for range 70 {
		r.anonymous().do("POST", "/user/repos", `{}`).wants(http.StatusUnauthorized)
	}
	require.Len(t, r.audited(db.AuditFilter{Result: db.AuditRefused}), 60)
	anna.do("POST", "/user/repos", `{}`).wants(http.StatusUnprocessableEntity)
	require.Len(t, r.audited(db.AuditFilter{Result: db.AuditRefused}), 61, "another client")
	clock.advance(time.Second)
	r.anonymous().do("POST", "/user/repos", `{}`).wants(http.StatusUnauthorized)
	require.Len(t, r.audited(db.AuditFilter{Result: db.AuditRefused}), 62)
	anna.do("POST", "/user/repos", `{"name":"demo"}`).wants(http.StatusCreated)
	require.Equal(t, db.AuditOK, r.last().Result)
}

func TestLimitedCallsAreRecorded(t *testing.T) {
	r, _ := limitedRig(t, apiserver.Limits{Caller: ratelimit.Rate{PerSecond: 1, Burst: 1}})
	anna := r.user("anna")
	anna.do("POST", "/user/repos", `{"name":"demo"}`).wants(http.StatusCreated)
	anna.do("POST", "/user/repos", `{"name":"demo2"}`).wants(http.StatusTooManyRequests)
	require.Equal(t, http.StatusTooManyRequests, r.last().Status)
}

func TestAuditLists(t *testing.T) {
	r := newRig(t)
	anna, root := r.user("anna"), r.user("root1", true)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	anna.do("POST", "/orgs/acme/repos", `{"name":"tool"}`).wants(http.StatusCreated)
	for i := range 7 {
		anna.do("PUT", fmt.Sprintf("/repos/acme/tool/environments/e%d", i), nil).wants(http.StatusOK)
	}
	anna.do("PUT", "/repos/acme/tool/environments/e", `{"wait_timer":-1}`).wants(http.StatusUnprocessableEntity)

	// All of it, three a page, as the header leads.
	var seen []int64
	path := "/admin/audit?limit=3&actor=ANNA"
	for path != "" {
		a := root.do("GET", path, nil)
		out := a.wants(http.StatusOK)
		for _, e := range out["entries"].([]any) {
			seen = append(seen, number(e.(map[string]any)["id"]))
		}
		link := regexp.MustCompile(`^<` + r.url + `/api/v1(/.*)>; rel="next"$`).FindStringSubmatch(a.Header.Get("Link"))
		path = ""
		if link != nil {
			path = link[1]
			require.Contains(t, path, "cursor="+out["next_cursor"].(string))
		}
	}
	require.Len(t, seen, 10)
	require.IsDecreasing(t, seen)

	entries := func(c *client, path string) []any {
		t.Helper()
		return c.do("GET", path, nil).wants(http.StatusOK)["entries"].([]any)
	}
	require.Len(t, entries(root, "/admin/audit?action=environment.set&result=ok"), 7)
	refused := entries(root, "/admin/audit?result=refused")
	require.Len(t, refused, 1)
	one := refused[0].(map[string]any)
	require.Equal(t, []any{"anna", "environment.set", "acme/tool", "acme", "refused"}, []any{one["actor"], one["action"], one["repository"], one["owner"], one["result"]})
	require.Equal(t, map[string]any{"name": "e"}, one["target"])
	require.Len(t, entries(root, "/admin/audit?repo=acme/tool"), 9)
	require.Len(t, entries(root, "/admin/audit?owner=acme"), 9)
	require.Empty(t, entries(root, "/admin/audit?until=2020-01-01T00:00:00Z"))
	require.Len(t, entries(root, "/admin/audit?since=2020-01-01T00:00:00Z"), 10)
	require.Len(t, entries(anna, "/orgs/acme/audit"), 9)
	require.Len(t, entries(anna, "/repos/acme/tool/audit?action=environment.set"), 8)

	for _, query := range []string{"result=x", "since=yesterday", "until=1", "cursor=x", "cursor=1-", "cursor=-1-1", "cursor=99999999999999999-1"} {
		root.do("GET", "/admin/audit?"+query, nil).wants(http.StatusBadRequest)
	}
	ben := r.user("ben")
	for path, status := range map[string]int{"/admin/audit": 403, "/orgs/acme/audit": 403, "/repos/acme/tool/audit": 403} {
		ben.do("GET", path, nil).wants(status)
	}
	r.anonymous().do("GET", "/admin/audit", nil).wants(http.StatusUnauthorized)

	// What spans repositories is not for tokens that see only the public ones.
	r.sql(`UPDATE repositories SET is_private = true WHERE name = 'tool'`)
	for path, c := range map[string]*client{"/orgs/acme/audit": anna, "/admin/audit": root} {
		r.withScopes(c.owner, "public-only", "all").do("GET", path, nil).refused(http.StatusForbidden, "this token is limited to public resources")
	}
}
