package apiserver_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"code.gitea.io/sdk/gitea"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// sdk is Gitea's own client, with the version check that it makes first.
func (c *client) sdk() *gitea.Client { return c.sdkFor(c.rig.t, "") }

// sdkFor is Gitea's own client for one of its calls, whose answers are checked against the OpenAPI document, and taken
// down as those of the call.
func (c *client) sdkFor(t testing.TB, call string) *gitea.Client {
	t.Helper()
	g, err := gitea.NewClient(c.rig.url, gitea.SetToken(c.token), gitea.SetHTTPClient(&http.Client{Transport: checked{t, call}}))
	require.NoError(t, err)
	return g
}

// checked is a transport that validates what comes back.
type checked struct {
	t    testing.TB
	call string
}

// RoundTrip sends a request.
func (c checked) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	known, err := checkReply(reply{Response: response, body: body}, r.Method, strings.TrimPrefix(r.URL.RequestURI(), "/api/v1"))
	if err != nil {
		c.t.Errorf("%s %s: %v", r.Method, r.URL, err)
	}
	if known != nil {
		known.note(response.StatusCode, c.call)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

func TestSDKAccounts(t *testing.T) {
	r := newRig(t)
	root := r.user("root1", true).sdk()
	version, _, err := root.ServerVersion()
	require.NoError(t, err)
	require.Equal(t, "1.27.0", version)
	user, _, err := root.AdminCreateUser(gitea.CreateUserOption{Username: "anna", Email: "anna@example.com", Password: password})
	require.NoError(t, err)
	require.Equal(t, "anna", user.UserName)
	r.user("ben")

	byPassword, err := gitea.NewClient(r.url, gitea.SetBasicAuth("anna", password))
	require.NoError(t, err)
	token, _, err := byPassword.CreateAccessToken(gitea.CreateAccessTokenOption{Name: "x", Scopes: []gitea.AccessTokenScope{gitea.AccessTokenScopeAll}})
	require.NoError(t, err)
	tokens, _, err := byPassword.ListAccessTokens(gitea.ListAccessTokensOptions{})
	require.NoError(t, err)
	require.Len(t, tokens, 1)

	anna, err := gitea.NewClient(r.url, gitea.SetToken(token.Token))
	require.NoError(t, err)
	me, _, err := anna.GetMyUserInfo()
	require.NoError(t, err)
	require.Equal(t, user.ID, me.ID)
	repo, _, err := anna.CreateRepo(gitea.CreateRepoOption{Name: "demo", Private: true})
	require.NoError(t, err)
	require.True(t, repo.Empty)
	_, err = anna.AddCollaborator("anna", "demo", "ben", gitea.AddCollaboratorOption{})
	require.NoError(t, err)
	org, _, err := anna.CreateOrg(gitea.CreateOrgOption{Name: "acme"})
	require.NoError(t, err)
	require.Equal(t, "acme", org.Name)
	_, _, err = anna.CreateOrgRepo("acme", gitea.CreateRepoOption{Name: "team"})
	require.NoError(t, err)
	member, _, err := anna.CheckOrgMembership("acme", "anna")
	require.NoError(t, err)
	require.True(t, member)
	members, _, err := anna.ListOrgMembership("acme", gitea.ListOrgMembershipOption{})
	require.NoError(t, err)
	require.Len(t, members, 1)
	_, err = anna.DeleteOrgMembership("acme", "anna")
	require.ErrorContains(t, err, "the last owner")
	_, err = byPassword.DeleteAccessToken(token.ID)
	require.NoError(t, err)
	_, _, err = anna.GetMyUserInfo()
	require.ErrorContains(t, err, badCredentials)
}

func TestSDKActions(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	g := anna.sdk()
	list, _, err := g.ListRepoActionWorkflows("anna", "demo")
	require.NoError(t, err)
	require.EqualValues(t, 1, list.TotalCount)
	_, err = g.DisableRepoActionWorkflow("anna", "demo", "ci.yml")
	require.NoError(t, err)
	w, _, err := g.GetRepoActionWorkflow("anna", "demo", "ci.yml")
	require.NoError(t, err)
	require.Equal(t, "disabled_manually", w.State)
	_, err = g.EnableRepoActionWorkflow("anna", "demo", "ci.yml")
	require.NoError(t, err)

	dispatch := gitea.CreateActionWorkflowDispatchOption{Ref: "main", Inputs: map[string]string{"who": "sdk"}}
	details, _, err := g.DispatchRepoActionWorkflow("anna", "demo", "ci.yml", dispatch, true)
	require.NoError(t, err)
	_, _, err = g.DispatchRepoActionWorkflow("anna", "demo", "ci.yml", dispatch, false)
	require.NoError(t, err)

	runs, page, err := g.ListRepoActionRuns("anna", "demo", gitea.ListRepoActionRunsOptions{
		ListOptions: gitea.ListOptions{Page: 1, PageSize: 1}, Event: "workflow_dispatch", Branch: "main", Actor: "anna",
	})
	require.NoError(t, err)
	require.EqualValues(t, 2, runs.TotalCount)
	require.Equal(t, []int{2, 2}, []int{page.NextPage, page.LastPage})
	run, _, err := g.GetRepoActionRun("anna", "demo", details.WorkflowRunID)
	require.NoError(t, err)
	require.Equal(t, "queued", run.Status)
	require.Equal(t, "anna", run.Actor.UserName)

	jobs, _, err := g.ListRepoActionRunJobs("anna", "demo", run.ID, gitea.ListRepoActionJobsOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 2, jobs.TotalCount)
	all, _, err := g.ListRepoActionJobs("anna", "demo", gitea.ListRepoActionJobsOptions{Status: "waiting"})
	require.NoError(t, err)
	require.EqualValues(t, 3, all.TotalCount)

	view, err := r.db.Run(t.Context(), repo.ID, run.ID, 0)
	require.NoError(t, err)
	task, _ := r.claim(r.jobs(view)[0])
	text := r.logger(task).append(true, "hello")
	job, _, err := g.GetRepoActionJob("anna", "demo", jobs.Jobs[0].ID)
	require.NoError(t, err)
	require.Equal(t, "runner-1", job.RunnerName)
	log, _, err := g.GetRepoActionJobLogs("anna", "demo", job.ID)
	require.NoError(t, err)
	require.Equal(t, text, string(log))
	tasks, _, err := g.ListRepoActionTasks("anna", "demo", gitea.ListOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, tasks.TotalCount)

	r.finish(view, "success")
	again, response, err := g.RerunRepoActionRun("anna", "demo", run.ID)
	require.NoError(t, err)
	require.Equal(t, http.StatusCreated, response.StatusCode)
	require.EqualValues(t, 2, again.RunAttempt)
	mine, _, err := g.ListUserActionRuns(gitea.ListRepoActionRunsOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 3, mine.TotalCount)
	_, _, err = g.ListUserActionJobs(gitea.ListRepoActionJobsOptions{})
	require.NoError(t, err)
}

func TestSDKRunners(t *testing.T) {
	r := newRig(t)
	anna, root := r.user("anna"), r.user("root1", true)
	repo := anna.repo("demo", true)
	runner := r.runner("r", db.Scope{RepoID: repo.ID})
	g := anna.sdk()
	token, _, err := g.CreateRepoActionRunnerRegistrationToken("anna", "demo")
	require.NoError(t, err)
	require.Len(t, token.Token, 40)
	list, _, err := g.ListRepoActionRunners("anna", "demo", gitea.ListActionRunnersOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, list.TotalCount)
	got, _, err := g.GetRepoActionRunner("anna", "demo", runner.ID)
	require.NoError(t, err)
	require.Equal(t, "online", got.Status)
	yes := true
	got, _, err = g.UpdateRepoActionRunner("anna", "demo", runner.ID, gitea.EditActionRunnerOption{Disabled: &yes})
	require.NoError(t, err)
	require.True(t, got.Disabled)
	admin, _, err := root.sdk().ListAdminActionRunners(gitea.ListActionRunnersOptions{Disabled: &yes})
	require.NoError(t, err)
	require.EqualValues(t, 1, admin.TotalCount)
	_, err = g.DeleteRepoActionRunner("anna", "demo", runner.ID)
	require.NoError(t, err)
	_, _, err = g.GetRepoActionRunner("anna", "demo", runner.ID)
	require.ErrorContains(t, err, "not found")
}
