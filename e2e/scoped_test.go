package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

const policy = `name: Policy
on: {push: {branches: [main]}}
jobs:
  check:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "checks ${{ github.repository }} at ${{ github.sha }}"'}]
  lib:
    needs: check
    uses: ./.gitea/workflows/lib.yml
`

const policyLib = `on: workflow_call
jobs:
  shared:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "the library of the policy, for ${{ github.repository }}"'}]
`

// The scoped workflows of a source run in every repository of its owner, so the test has a stack of its own.
func TestScopedWorkflows(t *testing.T) {
	s := ownStack(t)
	const own = "on: workflow_dispatch\njobs:\n  own:\n    runs-on: ubuntu-latest\n    steps: [{run: echo own}]\n"
	source, consumer := s.project(t, own), s.project(t, own)
	source.push(t, map[string]string{".gitea/scoped_workflows/policy.yml": policy, ".gitea/workflows/lib.yml": policyLib}, "Add the policy")
	require.NoError(t, source.SetScopedSource(t.Context(), source.repo, true))

	consumer.push(t, map[string]string{"README.md": "x"}, "Change something")
	runs, err := consumer.Runs(t.Context(), consumer.repo, client.RunFilter{})
	require.NoError(t, err)
	require.Len(t, runs, 1, "its own workflow does not start by a push")
	run := consumer.awaitEnd(t, runs[0].ID)
	jobs := consumer.jobs(t, run.ID)
	require.Equal(t, map[string]string{"check": "success", "lib": "success", "shared": "success"}, conclusions(jobs), "%+v", jobs)
	require.NotZero(t, run.SourceRepoID)
	require.Equal(t, "Change something", run.Title)
	require.Equal(t, "policy.yml@refs/heads/main", run.Path)
	require.Contains(t, consumer.log(t, jobs["check"]), "checks "+consumer.repo+" at "+run.HeadSHA)
	require.Contains(t, consumer.log(t, jobs["shared"]), "the library of the policy, for "+consumer.repo, "./ is in the repository of the source")

	again, err := consumer.Rerun(t.Context(), consumer.repo, run.ID)
	require.NoError(t, err)
	require.Equal(t, "success", consumer.awaitEnd(t, again.ID).Conclusion)
}
