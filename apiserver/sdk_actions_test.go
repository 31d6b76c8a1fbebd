package apiserver_test

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"code.gitea.io/sdk/gitea"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// sdkScene is what the calls of the SDK find: anna's repository demo with runs, her organization acme, runners at all
// levels, and a secret and a variable of every level as soon as they can be made.
type sdkScene struct {
	*gitea.Client // anna's, who is a site admin
	rig           *rig
	anna          *client
	repo          *db.Repository
	org           int64
}

func newSDKScene(t *testing.T) *sdkScene {
	r := newRig(t)
	s := &sdkScene{rig: r, anna: r.user("anna", true)}
	s.repo = s.anna.pushed("demo")
	s.org = number(s.anna.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)["id"])
	return s
}

// ended is a run that has ended so, with its first job.
func (s *sdkScene) ended(status string) (run, job int64) {
	s.anna.do("POST", repoPath(s.repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	view := s.rig.latestRun(s.repo)
	jobs := s.rig.jobs(view)
	task, _ := s.rig.claim(jobs[0])
	s.rig.logger(task).append(true, "hello")
	s.rig.finish(view, status)
	return view.Run.ID, jobs[0].ID
}

// runner is a new one of a level.
func (s *sdkScene) runner(scope db.Scope) int64 { return s.rig.runner("r", scope).ID }

// The ways in which the SDK returns.
func one(r *gitea.Response, err error) (*gitea.Response, error)             { return r, err }
func two[T any](_ T, r *gitea.Response, err error) (*gitea.Response, error) { return r, err }

// sdkCall is a call of the SDK.
type sdkCall struct {
	name string
	call func(s *sdkScene) (*gitea.Response, error)
	// gone is the status that the call ends with, for what cannot be there yet; 0 wants success.
	gone int
}

// sdkCalls are all calls about Actions that the SDK has, in an order in which they can be made. Those whose route is not
// there yet are passed over.
func sdkCalls() []sdkCall {
	return slices.Concat(sdkRunCalls(), sdkWorkflowCalls(), sdkRunnerCalls(), sdkArtifactCalls(), sdkSecretCalls(), sdkVariableCalls())
}

func sdkRunCalls() []sdkCall {
	runs, jobs := gitea.ListRepoActionRunsOptions{Status: "completed", Actor: "anna"}, gitea.ListRepoActionJobsOptions{Status: "success"}
	return []sdkCall{
		{name: "ListRepoActionRuns", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListRepoActionRuns("anna", "demo", runs)) }},
		{name: "ListOrgActionRuns", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListOrgActionRuns("acme", runs)) }},
		{name: "ListUserActionRuns", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListUserActionRuns(runs)) }},
		{name: "ListAdminActionRuns", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListAdminActionRuns(runs)) }},
		{name: "ListRepoActionJobs", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListRepoActionJobs("anna", "demo", jobs)) }},
		{name: "ListOrgActionJobs", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListOrgActionJobs("acme", jobs)) }},
		{name: "ListUserActionJobs", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListUserActionJobs(jobs)) }},
		{name: "ListAdminActionJobs", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListAdminActionJobs(jobs)) }},
		{name: "ListRepoActionTasks", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListRepoActionTasks("anna", "demo", gitea.ListOptions{}))
		}},
		{name: "GetRepoActionRun", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("success")
			return two(s.GetRepoActionRun("anna", "demo", run))
		}},
		{name: "ListRepoActionRunJobs", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("success")
			return two(s.ListRepoActionRunJobs("anna", "demo", run, jobs))
		}},
		{name: "GetRepoActionJob", call: func(s *sdkScene) (*gitea.Response, error) {
			_, job := s.ended("failure")
			return two(s.GetRepoActionJob("anna", "demo", job))
		}},
		{name: "GetRepoActionJobLogs", call: func(s *sdkScene) (*gitea.Response, error) {
			_, job := s.ended("success")
			return two(s.GetRepoActionJobLogs("anna", "demo", job))
		}},
		{name: "RerunRepoActionRun", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("success")
			return two(s.RerunRepoActionRun("anna", "demo", run))
		}},
		{name: "RerunRepoActionRunFailedJobs", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("failure")
			return one(s.RerunRepoActionRunFailedJobs("anna", "demo", run))
		}},
		{name: "RerunRepoActionJob", call: func(s *sdkScene) (*gitea.Response, error) {
			run, job := s.ended("cancelled")
			return two(s.RerunRepoActionJob("anna", "demo", run, job))
		}},
		{name: "DeleteRepoActionRun", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("success")
			return one(s.DeleteRepoActionRun("anna", "demo", run))
		}},
	}
}

func sdkWorkflowCalls() []sdkCall {
	return []sdkCall{
		{name: "ListRepoActionWorkflows", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListRepoActionWorkflows("anna", "demo")) }},
		{name: "GetRepoActionWorkflow", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.GetRepoActionWorkflow("anna", "demo", "ci.yml"))
		}},
		{name: "DisableRepoActionWorkflow", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.DisableRepoActionWorkflow("anna", "demo", "ci.yml"))
		}},
		{name: "EnableRepoActionWorkflow", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.EnableRepoActionWorkflow("anna", "demo", "ci.yml"))
		}},
		{name: "DispatchRepoActionWorkflow", call: func(s *sdkScene) (*gitea.Response, error) {
			option := gitea.CreateActionWorkflowDispatchOption{Ref: "main", Inputs: map[string]string{"who": "sdk"}}
			if r, err := two(s.DispatchRepoActionWorkflow("anna", "demo", "ci.yml", option, false)); err != nil {
				return r, err
			}
			return two(s.DispatchRepoActionWorkflow("anna", "demo", "ci.yml", option, true))
		}},
	}
}

func sdkRunnerCalls() []sdkCall {
	list, yes := gitea.ListActionRunnersOptions{}, true
	off := gitea.EditActionRunnerOption{Disabled: &yes}
	repo := func(s *sdkScene) int64 { return s.runner(db.Scope{RepoID: s.repo.ID}) }
	org := func(s *sdkScene) int64 { return s.runner(db.Scope{OwnerID: s.org}) }
	user := func(s *sdkScene) int64 { return s.runner(db.Scope{OwnerID: s.anna.owner.ID}) }
	all := func(s *sdkScene) int64 { return s.runner(db.Scope{}) }
	return []sdkCall{
		{name: "CreateRepoActionRunnerRegistrationToken", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.CreateRepoActionRunnerRegistrationToken("anna", "demo"))
		}},
		{name: "ListRepoActionRunners", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListRepoActionRunners("anna", "demo", list))
		}},
		{name: "GetRepoActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetRepoActionRunner("anna", "demo", repo(s))) }},
		{name: "UpdateRepoActionRunner", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.UpdateRepoActionRunner("anna", "demo", repo(s), off))
		}},
		{name: "DeleteRepoActionRunner", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.DeleteRepoActionRunner("anna", "demo", repo(s)))
		}},

		{name: "CreateOrgActionRunnerRegistrationToken", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.CreateOrgActionRunnerRegistrationToken("acme"))
		}},
		{name: "ListOrgActionRunners", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListOrgActionRunners("acme", list)) }},
		{name: "GetOrgActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetOrgActionRunner("acme", org(s))) }},
		{name: "UpdateOrgActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.UpdateOrgActionRunner("acme", org(s), off)) }},
		{name: "DeleteOrgActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteOrgActionRunner("acme", org(s))) }},

		{name: "CreateUserActionRunnerRegistrationToken", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.CreateUserActionRunnerRegistrationToken())
		}},
		{name: "ListUserActionRunners", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.ListUserActionRunners(list)) }},
		{name: "GetUserActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetUserActionRunner(user(s))) }},
		{name: "UpdateUserActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.UpdateUserActionRunner(user(s), off)) }},
		{name: "DeleteUserActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteUserActionRunner(user(s))) }},

		{name: "CreateAdminActionRunnerRegistrationToken", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.CreateAdminActionRunnerRegistrationToken())
		}},
		{name: "ListAdminActionRunners", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListAdminActionRunners(gitea.ListActionRunnersOptions{Disabled: &yes}))
		}},
		{name: "GetAdminActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetAdminActionRunner(all(s))) }},
		{name: "UpdateAdminActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.UpdateAdminActionRunner(all(s), off)) }},
		{name: "DeleteAdminActionRunner", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteAdminActionRunner(all(s))) }},
	}
}

func sdkArtifactCalls() []sdkCall {
	list := gitea.ListActionArtifactsOptions{Name: "x"}
	const none = http.StatusNotFound
	return []sdkCall{
		{name: "ListRepoActionArtifacts", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListRepoActionArtifacts("anna", "demo", list))
		}},
		{name: "ListRepoActionRunArtifacts", call: func(s *sdkScene) (*gitea.Response, error) {
			run, _ := s.ended("success")
			return two(s.ListRepoActionRunArtifacts("anna", "demo", run, list))
		}},
		{name: "GetRepoActionArtifact", gone: none, call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.GetRepoActionArtifact("anna", "demo", 1))
		}},
		{name: "GetRepoActionArtifactArchive", gone: none, call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.GetRepoActionArtifactArchive("anna", "demo", 1))
		}},
		{name: "GetRepoActionArtifactArchiveReader", gone: none, call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.GetRepoActionArtifactArchiveReader("anna", "demo", 1))
		}},
		{name: "DeleteRepoActionArtifact", gone: none, call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.DeleteRepoActionArtifact("anna", "demo", 1))
		}},
	}
}

func sdkSecretCalls() []sdkCall {
	secret := gitea.CreateOrUpdateSecretOption{Data: "hidden", Description: "d"}
	return []sdkCall{
		{name: "CreateRepoActionSecret", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.CreateRepoActionSecret("anna", "demo", "S", secret))
		}},
		{name: "ListRepoActionSecret", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListRepoActionSecret("anna", "demo", gitea.ListRepoActionSecretOption{}))
		}},
		{name: "DeleteRepoActionSecret", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteRepoActionSecret("anna", "demo", "S")) }},
		{name: "CreateOrgActionSecret", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.CreateOrgActionSecret("acme", "S", secret))
		}},
		{name: "ListOrgActionSecret", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListOrgActionSecret("acme", gitea.ListOrgActionSecretOption{}))
		}},
		{name: "DeleteOrgActionSecret", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteOrgActionSecret("acme", "S")) }},
		{name: "CreateUserActionSecret", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.CreateUserActionSecret("S", secret)) }},
		{name: "DeleteUserActionSecret", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteUserActionSecret("S")) }},
	}
}

func sdkVariableCalls() []sdkCall {
	create := gitea.CreateActionVariableOption{Value: "v", Description: "d"}
	edit := gitea.UpdateActionVariableOption{Value: "w"}
	return []sdkCall{
		{name: "CreateRepoActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.CreateRepoActionVariable("anna", "demo", "V", "v"))
		}},
		{name: "ListRepoActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListRepoActionVariable("anna", "demo", gitea.ListRepoActionVariableOption{}))
		}},
		{name: "GetRepoActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetRepoActionVariable("anna", "demo", "V")) }},
		{name: "UpdateRepoActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.UpdateRepoActionVariable("anna", "demo", "V", "w"))
		}},
		{name: "DeleteRepoActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.DeleteRepoActionVariable("anna", "demo", "V"))
		}},

		{name: "CreateOrgActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return one(s.CreateOrgActionVariable("acme", "V", create))
		}},
		{name: "ListOrgActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListOrgActionVariable("acme", gitea.ListOrgActionVariableOption{}))
		}},
		{name: "GetOrgActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetOrgActionVariable("acme", "V")) }},
		{name: "UpdateOrgActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.UpdateOrgActionVariable("acme", "V", edit)) }},
		{name: "DeleteOrgActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteOrgActionVariable("acme", "V")) }},

		{name: "CreateUserActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.CreateUserActionVariable("V", create)) }},
		{name: "ListUserActionVariable", call: func(s *sdkScene) (*gitea.Response, error) {
			return two(s.ListUserActionVariable(gitea.ListOptions{}))
		}},
		{name: "GetUserActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return two(s.GetUserActionVariable("V")) }},
		{name: "UpdateUserActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.UpdateUserActionVariable("V", edit)) }},
		{name: "DeleteUserActionVariable", call: func(s *sdkScene) (*gitea.Response, error) { return one(s.DeleteUserActionVariable("V")) }},
	}
}

func TestSDKCallsOfActions(t *testing.T) {
	s := newSDKScene(t)
	s.ended("success")
	for _, c := range sdkCalls() {
		t.Run(c.name, func(t *testing.T) {
			s.Client = s.anna.sdkFor(t, c.name)
			response, err := c.call(s)
			require.NotNil(t, response, err)
			switch {
			case c.gone != 0:
				require.Error(t, err)
				require.Equal(t, c.gone, response.StatusCode)
			case err != nil && noRoute(response, err):
				t.Skip("no route yet")
			default:
				require.NoError(t, err)
			}
		})
	}
}

// noRoute tells that the server does not know the call at all.
func noRoute(r *gitea.Response, err error) bool {
	return r.StatusCode == http.StatusMethodNotAllowed || (r.StatusCode == http.StatusNotFound && strings.Contains(err.Error(), "page not found"))
}

// A newer SDK with more calls is to be noticed.
func TestSDKCallsAreAllThere(t *testing.T) {
	var have, want []string
	for _, c := range sdkCalls() {
		have = append(have, c.name)
	}
	client := reflect.TypeFor[*gitea.Client]()
	for i := range client.NumMethod() {
		name := client.Method(i).Name
		if strings.Contains(name, "Action") {
			want = append(want, name)
		}
	}
	require.ElementsMatch(t, want, have)
}
