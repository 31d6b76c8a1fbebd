package apiserver_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"code.gitea.io/sdk/gitea"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/hook"
)

const newHook = `{"type":"gitea","config":{"url":"https://example.com/hook","content_type":"json","secret":"s3cret"},
	"authorization_header":"Bearer t0ken","events":["workflow_run","push","push"],"branch_filter":"{main,release/*}","active":true}`

func TestSDKHooks(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	anna.repo("demo", true)
	g := anna.sdk()
	_, _, err := g.CreateOrg(gitea.CreateOrgOption{Name: "acme"})
	require.NoError(t, err)
	option := gitea.CreateHookOption{
		Type: gitea.HookTypeGitea, Config: map[string]string{"url": "https://example.com/hook", "content_type": "json", "secret": "s3cret"},
		Events: []string{"workflow_job"}, Active: true, AuthorizationHeader: "Bearer t0ken",
	}
	yes, no := true, false
	for level, call := range map[string]struct {
		create func() (*gitea.Hook, *gitea.Response, error)
		list   func() ([]*gitea.Hook, *gitea.Response, error)
		get    func(int64) (*gitea.Hook, *gitea.Response, error)
		edit   func(int64, gitea.EditHookOption) (*gitea.Response, error)
		remove func(int64) (*gitea.Response, error)
	}{
		"repository": {
			func() (*gitea.Hook, *gitea.Response, error) { return g.CreateRepoHook("anna", "demo", option) },
			func() ([]*gitea.Hook, *gitea.Response, error) {
				return g.ListRepoHooks("anna", "demo", gitea.ListHooksOptions{})
			},
			func(id int64) (*gitea.Hook, *gitea.Response, error) { return g.GetRepoHook("anna", "demo", id) },
			func(id int64, o gitea.EditHookOption) (*gitea.Response, error) {
				return g.EditRepoHook("anna", "demo", id, o)
			},
			func(id int64) (*gitea.Response, error) { return g.DeleteRepoHook("anna", "demo", id) },
		},
		"organization": {
			func() (*gitea.Hook, *gitea.Response, error) { return g.CreateOrgHook("acme", option) },
			func() ([]*gitea.Hook, *gitea.Response, error) {
				return g.ListOrgHooks("acme", gitea.ListHooksOptions{})
			},
			func(id int64) (*gitea.Hook, *gitea.Response, error) { return g.GetOrgHook("acme", id) },
			func(id int64, o gitea.EditHookOption) (*gitea.Response, error) { return g.EditOrgHook("acme", id, o) },
			func(id int64) (*gitea.Response, error) { return g.DeleteOrgHook("acme", id) },
		},
		"user": {
			func() (*gitea.Hook, *gitea.Response, error) { return g.CreateMyHook(option) },
			func() ([]*gitea.Hook, *gitea.Response, error) { return g.ListMyHooks(gitea.ListHooksOptions{}) },
			func(id int64) (*gitea.Hook, *gitea.Response, error) { return g.GetMyHook(id) },
			func(id int64, o gitea.EditHookOption) (*gitea.Response, error) { return g.EditMyHook(id, o) },
			func(id int64) (*gitea.Response, error) { return g.DeleteMyHook(id) },
		},
	} {
		t.Run(level, func(t *testing.T) {
			made, _, err := call.create()
			require.NoError(t, err)
			require.True(t, made.Active)
			list, _, err := call.list()
			require.NoError(t, err)
			require.Len(t, list, 1)
			require.Equal(t, made, list[0])
			_, err = call.edit(made.ID, gitea.EditHookOption{Active: &no, Events: []string{"workflow_run"}, Config: map[string]string{"content_type": "form"}})
			require.NoError(t, err)
			got, _, err := call.get(made.ID)
			require.NoError(t, err)
			require.False(t, got.Active)
			require.Equal(t, []string{"workflow_run"}, got.Events)
			require.Equal(t, map[string]string{"url": "https://example.com/hook", "content_type": "form"}, got.Config)
			_, err = call.edit(made.ID, gitea.EditHookOption{Active: &yes})
			require.NoError(t, err)
			_, err = call.remove(made.ID)
			require.NoError(t, err)
			_, _, err = call.get(made.ID)
			require.ErrorContains(t, err, "not found")
		})
	}
}

func TestSecretsOfHooksAreSealedAndNotShown(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	made := anna.do("POST", repoPath(repo, "/hooks"), newHook).wants(http.StatusCreated)
	require.Equal(t, map[string]any{"url": "https://example.com/hook", "content_type": "json"}, made["config"])
	require.Equal(t, "********", made["authorization_header"])
	require.Equal(t, []any{"push", "workflow_run"}, made["events"])
	path := repoPath(repo, "/hooks/%d", number(made["id"]))
	var sealed []byte
	require.NoError(t, r.db.Pool.QueryRow(t.Context(), `SELECT sealed FROM hooks`).Scan(&sealed))
	require.NotContains(t, string(sealed), "s3cret")
	secrets := func() hook.Secrets {
		h, err := r.db.Hook(t.Context(), db.HookScope{RepoID: repo.ID}, number(made["id"]))
		require.NoError(t, err)
		s, err := hook.OpenSecrets(testKeys(t), h)
		require.NoError(t, err)
		return s
	}
	require.Equal(t, hook.Secrets{Secret: "s3cret", Authorization: "Bearer t0ken"}, secrets())

	anna.do("PATCH", path, `{"active":false}`).wants(http.StatusOK)
	anna.do("PATCH", path, anna.do("GET", path, nil).wants(http.StatusOK)).wants(http.StatusOK)
	require.Equal(t, hook.Secrets{Secret: "s3cret", Authorization: "Bearer t0ken"}, secrets(), "what was read may be sent back")
	anna.do("PATCH", path, `{"config":{"secret":"other"},"authorization_header":""}`).wants(http.StatusOK)
	require.Equal(t, hook.Secrets{Secret: "other"}, secrets())
	anna.do("PATCH", path, `{"config":{"secret":""}}`).wants(http.StatusOK)
	require.NoError(t, r.db.Pool.QueryRow(t.Context(), `SELECT sealed FROM hooks`).Scan(&sealed))
	require.Nil(t, sealed)

	r.sql(`UPDATE hooks SET sealed = '\x0102'`) // the key is gone
	require.Empty(t, anna.do("GET", path, nil).wants(http.StatusOK)["authorization_header"])
	anna.do("PATCH", path, `{"active":true}`).refused(http.StatusConflict, "the secret of this webhook cannot be read any more; set it again")
	anna.do("PATCH", path, `{"config":{"secret":"new"}}`).wants(http.StatusOK)
	require.Equal(t, hook.Secrets{Secret: "new"}, secrets())
}

func TestHooksThatAreRefused(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) {
		c.CheckHookURL = func(u *url.URL) error {
			if u.Hostname() == "10.0.0.1" {
				return errors.New("no")
			}
			return nil
		}
	})
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	body := func(change map[string]any, config map[string]string) map[string]any {
		out := map[string]any{"type": "gitea", "config": map[string]string{"url": "https://example.com/", "content_type": "json"}}
		for name, value := range config {
			out["config"].(map[string]string)[name] = value
		}
		for name, value := range change {
			out[name] = value
		}
		return out
	}
	for message, b := range map[string]map[string]any{
		"[Type]: Required":                                                  body(map[string]any{"type": nil}, nil),
		"[Config]: Required":                                                body(map[string]any{"config": nil}, nil),
		"Invalid hook type: slack":                                          body(map[string]any{"type": "slack"}, nil),
		"Missing config option: url":                                        body(map[string]any{"config": map[string]string{"content_type": "json"}}, nil),
		"Missing config option: content_type":                               body(map[string]any{"config": map[string]string{"url": "x"}}, nil),
		"Invalid content type":                                              body(nil, map[string]string{"content_type": "xml"}),
		"Invalid webhook URL":                                               body(nil, map[string]string{"url": "ftp://example.com/"}),
		"Invalid webhook URL: no":                                           body(nil, map[string]string{"url": "http://10.0.0.1/"}),
		"[BranchFilter]: is no pattern: a { is not closed":                  body(map[string]any{"branch_filter": "{a"}, nil),
		"[AuthorizationHeader]: is no value of a header":                    body(map[string]any{"authorization_header": "a\r\nb"}, nil),
		"[Events]: is no name of an event":                                  body(map[string]any{"events": []string{""}}, nil),
		"[Config.secret]: is longer than 4096 bytes":                        body(nil, map[string]string{"secret": strings.Repeat("x", 4097)}),
		"Invalid webhook URL: credentials belong into authorization_header": body(nil, map[string]string{"url": "http://a:b@example.com/"}),
	} {
		anna.do("POST", repoPath(repo, "/hooks"), b).refused(http.StatusUnprocessableEntity, message)
	}
	for range db.MaxHooks {
		anna.do("POST", repoPath(repo, "/hooks"), body(nil, nil)).wants(http.StatusCreated)
	}
	anna.do("POST", repoPath(repo, "/hooks"), body(nil, nil)).refused(http.StatusUnprocessableEntity, "there are 50 hooks already")
	list := anna.do("GET", repoPath(repo, "/hooks?limit=7"), nil)
	require.Len(t, list.list(), 7)
	require.Equal(t, "50", list.Header.Get("X-Total-Count"))
	require.Equal(t, []any{"workflow_run", "workflow_job"}, list.list()[0].(map[string]any)["events"])
}

func TestWhoMayManageHooks(t *testing.T) {
	r := newRig(t)
	anna, ben := r.user("anna"), r.user("ben")
	repo := anna.repo("demo", false)
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	made := anna.do("POST", repoPath(repo, "/hooks"), newHook).wants(http.StatusCreated)
	mine := anna.do("POST", "/user/hooks", newHook).wants(http.StatusCreated)
	r.anonymous().do("GET", repoPath(repo, "/hooks"), nil).wants(http.StatusUnauthorized)
	ben.do("GET", repoPath(repo, "/hooks"), nil).wants(http.StatusForbidden)
	anna.do("PUT", repoPath(repo, "/collaborators/ben"), `{"permission":"write"}`).wants(http.StatusNoContent)
	ben.do("GET", repoPath(repo, "/hooks/%d", number(made["id"])), nil).wants(http.StatusForbidden)
	ben.do("GET", "/orgs/acme/hooks", nil).wants(http.StatusForbidden)
	require.Empty(t, ben.do("GET", "/user/hooks", nil).list())
	// The hooks of one place are not those of another.
	anna.do("GET", repoPath(repo, "/hooks/%d", number(mine["id"])), nil).wants(http.StatusNotFound)
	anna.do("DELETE", "/user/hooks/"+itoa(number(made["id"])), nil).wants(http.StatusNotFound)
}

func TestDeliveries(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	made := anna.do("POST", repoPath(repo, "/hooks"), newHook).wants(http.StatusCreated)
	path := repoPath(repo, "/hooks/%d", number(made["id"]))
	anna.do("POST", path+"/tests", nil).wants(http.StatusNoContent)
	list := anna.do("GET", path+"/deliveries", nil)
	require.Equal(t, "1", list.Header.Get("X-Total-Count"))
	first := list.list()[0].(map[string]any)
	require.Equal(t, []any{"ping", "pending", "pending", 0.0, false}, []any{first["event"], first["state"], first["status"], first["attempts"], first["redelivery"]})
	unstarted, err := r.db.UnstartedDeliveries(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []int64{number(first["id"])}, unstarted, "its workflow is started by the fan-out")
	require.NoError(t, r.db.RecordTry(t.Context(), db.DeliveryTry{
		DeliveryID: number(first["id"]), Number: 2, State: db.DeliveryFailed, StatusCode: 404, Error: "the receiver answered 404",
		RequestHeaders: map[string]string{"Authorization": "********"}, ResponseHeaders: map[string]string{"X": "y"}, ResponseBody: []byte("gone\xff"),
	}))
	whole := anna.do("GET", path+"/deliveries/"+itoa(number(first["id"])), nil).wants(http.StatusOK)
	require.Equal(t, "Not Found", whole["status"])
	require.Equal(t, 2.0, whole["attempts"])
	request, response := whole["request"].(map[string]any), whole["response"].(map[string]any)
	require.Equal(t, map[string]any{"Authorization": "********"}, request["headers"])
	ping := request["payload"].(map[string]any)
	require.Equal(t, made["id"], ping["hook_id"])
	require.Equal(t, "anna/demo", ping["repository"].(map[string]any)["full_name"])
	require.NotContains(t, mustJSON(t, whole), "s3cret")
	require.Equal(t, "gone\ufffd", response["payload"])

	again := anna.do("POST", path+"/deliveries/"+itoa(number(first["id"]))+"/redeliver", nil).wants(http.StatusAccepted)
	require.Equal(t, first["guid"], again["guid"])
	require.NotEqual(t, first["id"], again["id"])
	require.Equal(t, true, again["redelivery"])
	require.Equal(t, "2", anna.do("GET", path+"/deliveries", nil).Header.Get("X-Total-Count"))
	anna.do("GET", path+"/deliveries/999", nil).refused(http.StatusNotFound, "not found")
	anna.do("POST", path+"/deliveries/999/redeliver", nil).refused(http.StatusNotFound, "not found")
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

func TestMessagesOfRunsAndJobs(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.LinkURL = "https://ci.example" })
	anna := r.user("anna")
	anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	repo := anna.pushed("demo")
	r.sql(`UPDATE repositories SET owner_id = (SELECT id FROM owners WHERE login = 'acme') WHERE id = $1`, repo.ID)
	v := r.latestRun(repo)
	job := r.jobs(v)[0]
	r.claim(job)
	r.finish(v, "failure")
	message := func(jobID int64, status ci.Status, event, action string) map[string]any {
		e := db.StatusEvent{RepoID: repo.ID, RunID: v.Run.ID, Attempt: 1, JobID: jobID, Status: status}
		body, ref, ok, err := r.server.HookPayload(t.Context(), e, event, action)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, "refs/heads/main", ref)
		var out map[string]any
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Equal(t, action, out["action"])
		require.Equal(t, "anna", out["sender"].(map[string]any)["login"])
		require.Equal(t, "acme", out["organization"].(map[string]any)["username"])
		require.Equal(t, "https://ci.example/acme/demo", out["repository"].(map[string]any)["html_url"])
		require.NotContains(t, body, "anna@example.com", "addresses of people are not told")
		return out
	}
	const never = "1970-01-01T00:00:00Z"
	run := message(0, ci.StatusWaiting, hook.EventRun, "requested")
	require.Equal(t, "ci.yml", run["workflow"].(map[string]any)["id"])
	shown := run["workflow_run"].(map[string]any)
	require.Equal(t, []any{"queued", never, never}, []any{shown["status"], shown["started_at"], shown["completed_at"]})
	require.Equal(t, "https://ci.example/api/v1/repos/acme/demo/actions/runs/"+itoa(v.Run.ID), shown["url"])
	require.NotContains(t, shown, "conclusion")
	shown = message(0, ci.StatusRunning, hook.EventRun, "in_progress")["workflow_run"].(map[string]any)
	require.Equal(t, []any{"in_progress", never}, []any{shown["status"], shown["completed_at"]})
	shown = message(0, ci.StatusFailure, hook.EventRun, "completed")["workflow_run"].(map[string]any)
	require.Equal(t, []any{"completed", "failure"}, []any{shown["status"], shown["conclusion"]})
	require.NotEqual(t, never, shown["completed_at"])

	shown = message(job.ID, ci.StatusWaiting, hook.EventJob, "queued")["workflow_job"].(map[string]any)
	require.Equal(t, []any{"queued", never, []any{}}, []any{shown["status"], shown["started_at"], shown["steps"]})
	require.NotContains(t, shown, "runner_name")
	shown = message(job.ID, ci.StatusRunning, hook.EventJob, "in_progress")["workflow_job"].(map[string]any)
	require.Equal(t, []any{"in_progress", "runner-1", never}, []any{shown["status"], shown["runner_name"], shown["completed_at"]})
	shown = message(job.ID, ci.StatusFailure, hook.EventJob, "completed")["workflow_job"].(map[string]any)
	require.Equal(t, []any{"completed", "failure"}, []any{shown["status"], shown["conclusion"]})

	r.sql(`UPDATE jobs SET is_hidden = true WHERE id = $1`, job.ID)
	message(job.ID, ci.StatusSkipped, hook.EventJob, "completed") // who heard of it hears of its end

	for _, e := range []db.StatusEvent{{RepoID: repo.ID, RunID: 999, Attempt: 1}, {RepoID: 999, RunID: v.Run.ID, Attempt: 1}, {RepoID: repo.ID, RunID: v.Run.ID, Attempt: 9}} {
		_, _, ok, err := r.server.HookPayload(t.Context(), e, hook.EventRun, "requested")
		require.NoError(t, err)
		require.False(t, ok)
	}
}
