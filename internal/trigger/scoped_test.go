package trigger_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

const (
	scopedFile  = ".gitea/scoped_workflows/policy.yml"
	scopedCheck = `name: Policy
on: {push: {branches: [main]}, workflow_dispatch: {}}
jobs:
  check: {runs-on: linux, steps: [{run: x}]}
  shared: {uses: ./lib.yml}
`
)

// source makes a repository of another owner whose scoped workflow runs in all.
func (f *fixture) source(t *testing.T) *db.Repository {
	t.Helper()
	source := f.repository(t, "boss", "policies", true)
	f.publish(t, source, "v1", scopedFile, scopedCheck, "lib.yml", library, ".gitea/workflows/own.yml", onEveryPush)
	require.NoError(t, f.db.SetScopedSource(t.Context(), 0, source.ID, false))
	return source
}

func TestScopedWorkflowsRunInOtherRepositories(t *testing.T) {
	f := newFixture(t)
	source := f.source(t)
	f.push(t, ".gitea/workflows/policy.yml", onEveryPush, "One")
	runs := f.runs(t)
	require.Len(t, runs, 2)
	own, scoped := runs[0], runs[1]
	require.Equal(t, []any{int64(0), "policy.yml"}, []any{own.SourceRepoID, own.WorkflowName})
	require.Equal(t, []any{source.ID, "Policy", "policy.yml", scopedFile, f.repo.ID, own.SHA, own.Ref, "One", "push"}, []any{
		scoped.SourceRepoID, scoped.WorkflowName, scoped.WorkflowFile, scoped.WorkflowPath, scoped.RepoID, scoped.SHA, scoped.Ref, scoped.Title, scoped.Event,
	})
	require.JSONEq(t, string(own.EventPayload), string(scoped.EventPayload))
	files := f.files(t, &scoped, 1)
	require.Equal(t, map[string]db.CallTarget{"./lib.yml": {File: 1}}, files[0].Calls)
	for _, file := range files {
		require.Equal(t, []any{source.ID, "boss/policies", "refs/heads/main"}, []any{file.RepoID, file.Repository, file.Ref})
		require.NotEqual(t, scoped.SHA, file.SHA, "the commit of the source")
	}

	require.NoError(t, f.SetWorkflowDisabled(t.Context(), f.repo, "policy.yml", true))
	f.push(t, "x", "x", "Two")
	runs = f.runs(t)[2:]
	require.Len(t, runs, 1, "only files of the repository itself are disabled")
	require.Equal(t, source.ID, runs[0].SourceRepoID)
	f.end(t, &runs[0], 1, ci.StatusFailure, db.JobEnd{JobID: f.jobs(t, &runs[0], 1)[0].ID, Status: ci.StatusFailure},
		db.JobEnd{JobID: f.jobs(t, &runs[0], 1)[1].ID, Status: ci.StatusFailure})
	_, err := f.rerun(t, f.latest(t))
	require.NoError(t, err)
	require.Len(t, f.files(t, &runs[0], 2), 2)

	f.git(t, "push", "-q", "origin", "main:refs/heads/side")
	require.Len(t, f.runs(t), 3, "its filters count")
	require.NoError(t, f.db.SetScopedOptOut(t.Context(), f.repo.ID, source.ID, true))
	f.push(t, "x", "y", "Three")
	require.Len(t, f.runs(t), 3, "opted out")
	require.NoError(t, f.db.SetScopedSource(t.Context(), 0, source.ID, true))
	f.push(t, "x", "z", "Four [skip ci]")
	require.Len(t, f.runs(t), 3)
	f.push(t, "x", "!", "Five")
	require.Len(t, f.runs(t), 4, "required")
}

func TestASourceRunsItsOwnOnce(t *testing.T) {
	f := newFixture(t)
	require.NoError(t, f.db.SetScopedSource(t.Context(), 0, f.repo.ID, false))
	require.NoError(t, f.db.SetScopedSource(t.Context(), f.owner.ID, f.repo.ID, false))
	f.push(t, scopedFile, onEveryPush, "One")
	require.Len(t, f.runs(t), 1)
	require.Equal(t, f.repo.ID, f.latest(t).SourceRepoID)
}

func TestABrokenScopedWorkflowIsSeen(t *testing.T) {
	f := newFixture(t)
	f.publish(t, f.source(t), "v2", scopedFile, "on: push\njobs: 5\n")
	f.push(t, "x", "x", "One")
	run := f.latest(t)
	require.Equal(t, ci.StatusFailure, run.Status)
	require.Equal(t, scopedFile, run.Problems[0].File)
}

func TestDispatchOfAScopedWorkflow(t *testing.T) {
	f := newFixture(t)
	source := f.source(t)
	empty := f.repository(t, "boss", "empty", false)
	require.NoError(t, f.db.SetScopedSource(t.Context(), 0, empty.ID, false))
	other := f.repository(t, "boss", "other", false)
	f.push(t, "x", "x", "One [skip ci]")
	dispatch := func(workflow string, from int64) (*db.Run, error) {
		return f.Dispatch(t.Context(), trigger.DispatchRequest{
			Repo: f.repo, Actor: f.owner, Workflow: workflow, Ref: "main", SourceRepoID: from,
		})
	}
	run, err := dispatch("policy.yml", source.ID)
	require.NoError(t, err)
	require.Equal(t, []any{source.ID, "workflow_dispatch", "One [skip ci]", f.repo.ID}, []any{run.SourceRepoID, run.Event, run.Title, run.RepoID})
	for name, from := range map[string]int64{"policy.yml": 0, "own.yml": source.ID, "ci.yml": other.ID, "x.yml": empty.ID} {
		_, err := dispatch(name, from)
		require.True(t, fault.Has(err, fault.CodeNotFound), "%s: %v", name, err)
	}
	require.NoError(t, f.db.SetScopedOptOut(t.Context(), f.repo.ID, source.ID, true))
	_, err = dispatch("policy.yml", source.ID)
	require.True(t, fault.Has(err, fault.CodeNotFound), err)
}
