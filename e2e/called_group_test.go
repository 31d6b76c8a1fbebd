package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// The group of a called file holds back the job that calls it, in any run, till the holder has ended; also where the file
// is called by the address of the server.
func TestACalledFileHasAGroupOfItsOwn(t *testing.T) {
	s := theStack(t)
	open, set := flag(t)
	p := s.project(t, "on: push\njobs:\n  x: {runs-on: ubuntu-latest, steps: [{run: echo}]}\n")
	p.push(t, map[string]string{
		".gitea/workflows/deploy.yml": fmt.Sprintf(`on: {workflow_call: {inputs: {to: {type: string}}}}
concurrency: deploy-${{ inputs.to }}
jobs:
  work:
    runs-on: ubuntu-latest
    steps: [{run: '%s'}]
`, until(open)),
		".gitea/workflows/ci.yml": fmt.Sprintf(`on: workflow_dispatch
jobs:
  call:
    uses: %s/%s/.gitea/workflows/deploy.yml@main
    with: {to: prod}
`, p.URL, p.repo),
		".gitea/workflows/stuck.yml": `on: workflow_dispatch
concurrency: Deploy-Prod
jobs:
  call: {uses: ./.gitea/workflows/deploy.yml, with: {to: prod}}
`}, "Deploy")

	first := p.dispatch(t, nil)
	eventually(t, func() bool { return p.jobs(t, first)["work"].Status == "in_progress" }, "the first deploys")
	second := p.dispatch(t, nil)
	reason := p.waiting(t, second, "call", "concurrency")
	require.Contains(t, reason, "deploy-prod")
	require.NotContains(t, p.jobs(t, second), "work", "no children yet")
	set()
	require.Equal(t, "success", p.awaitEnd(t, first).Conclusion)
	run := p.awaitEnd(t, second)
	jobs := p.jobs(t, second)
	require.Equal(t, map[string]string{"call": "success", "work": "success"}, conclusions(jobs))
	recordHistories(t, p, run, jobs, "called-group")

	stuck, err := p.Dispatch(t.Context(), p.repo, "stuck.yml", "main", nil)
	require.NoError(t, err)
	ended := p.await(t, stuck, client.Run.Done)
	require.Equal(t, "cancelled", ended.Conclusion)
	require.Contains(t, p.jobs(t, stuck)["call"].Reason, `deadlock: its own run is in the concurrency group "deploy-prod" already`)
}
