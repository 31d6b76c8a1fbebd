package apiserver_test

import (
	"testing"

	"code.gitea.io/sdk/gitea"
	"github.com/stretchr/testify/require"
)

// What clients of Actions look up and write on their way, by the SDK.
func TestSDKRepositories(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	g := anna.sdk()
	repo, _, err := g.CreateRepo(gitea.CreateRepoOption{Name: "demo", AutoInit: true, Readme: "Default"})
	require.NoError(t, err)
	require.False(t, repo.Empty)
	made, _, err := g.CreateFile("anna", "demo", ".gitea/workflows/ci.yml", gitea.CreateFileOptions{Content: encoded(workflow)})
	require.NoError(t, err)
	runs, _, err := g.ListRepoActionRuns("anna", "demo", gitea.ListRepoActionRunsOptions{})
	require.NoError(t, err)
	require.EqualValues(t, 1, runs.TotalCount)
	got, _, err := g.GetContents("anna", "demo", "main", ".gitea/workflows/ci.yml")
	require.NoError(t, err)
	require.Equal(t, made.Content.SHA, got.SHA)
	list, _, err := g.ListContents("anna", "demo", "", "")
	require.NoError(t, err)
	require.Len(t, list, 2)
	_, _, err = g.UpdateFile("anna", "demo", ".gitea/workflows/ci.yml", gitea.UpdateFileOptions{SHA: got.SHA, Content: encoded("on: push\n")})
	require.NoError(t, err)
	got, _, err = g.GetContents("anna", "demo", "main", ".gitea/workflows/ci.yml")
	require.NoError(t, err)
	_, err = g.DeleteFile("anna", "demo", ".gitea/workflows/ci.yml", gitea.DeleteFileOptions{SHA: got.SHA})
	require.NoError(t, err)

	branch, _, err := g.GetRepoBranch("anna", "demo", "main")
	require.NoError(t, err)
	branches, _, err := g.ListRepoBranches("anna", "demo", gitea.ListRepoBranchesOptions{})
	require.NoError(t, err)
	require.Len(t, branches, 1)
	commit, _, err := g.GetSingleCommit("anna", "demo", branch.Commit.ID)
	require.NoError(t, err)
	require.Equal(t, "Delete .gitea/workflows/ci.yml\n", commit.RepoCommit.Message)
	require.Len(t, commit.Parents, 1)
	status, _, err := g.CreateStatus("anna", "demo", branch.Commit.ID, gitea.CreateStatusOption{State: gitea.StatusFailure, Context: "x"})
	require.NoError(t, err)
	require.Equal(t, gitea.StatusFailure, status.State)
	statuses, _, err := g.ListStatuses("anna", "demo", "main", gitea.ListStatusesOption{})
	require.NoError(t, err)
	require.Len(t, statuses, 1)
	combined, _, err := g.GetCombinedStatus("anna", "demo", "main")
	require.NoError(t, err)
	require.Equal(t, gitea.StatusFailure, combined.State)
}

func TestSDKLookups(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.repo("demo", true)
	g := anna.sdk()
	_, _, err := g.CreateOrg(gitea.CreateOrgOption{Name: "acme"})
	require.NoError(t, err)
	byID, _, err := g.GetRepoByID(repo.ID)
	require.NoError(t, err)
	require.Equal(t, "anna/demo", byID.FullName)
	for name, list := range map[string]func() ([]*gitea.Repository, *gitea.Response, error){
		"own": func() ([]*gitea.Repository, *gitea.Response, error) { return g.ListMyRepos(gitea.ListReposOptions{}) },
		"user's": func() ([]*gitea.Repository, *gitea.Response, error) {
			return g.ListUserRepos("anna", gitea.ListReposOptions{})
		},
		"found": func() ([]*gitea.Repository, *gitea.Response, error) {
			return g.SearchRepos(gitea.SearchRepoOptions{Keyword: "dem", Sort: "updated", Order: "desc"})
		},
	} {
		repos, _, err := list()
		require.NoError(t, err, name)
		require.Len(t, repos, 1, name)
	}
	none, _, err := g.ListOrgRepos("acme", gitea.ListOrgReposOptions{})
	require.NoError(t, err)
	require.Empty(t, none)
	orgs, _, err := g.ListMyOrgs(gitea.ListOrgsOptions{})
	require.NoError(t, err)
	require.Len(t, orgs, 1)
	orgs, _, err = g.ListUserOrgs("anna", gitea.ListOrgsOptions{})
	require.NoError(t, err)
	require.Len(t, orgs, 1)
	user, _, err := g.GetUserInfo("anna")
	require.NoError(t, err)
	require.Equal(t, anna.owner.ID, user.ID)
	keys, _, err := g.ListMyPublicKeys(gitea.ListPublicKeysOptions{})
	require.NoError(t, err)
	require.Empty(t, keys)
	settings, _, err := g.GetGlobalAPISettings()
	require.NoError(t, err)
	require.Equal(t, 50, settings.MaxResponseItems)
	_, _, err = g.GetGlobalRepoSettings()
	require.NoError(t, err)
}
