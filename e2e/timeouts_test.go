package e2e

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/workflows"
)

// The shortest timeout of a job is a minute, so both jobs wait for theirs at the same time.
const timeoutsWorkflow = `
on: workflow_dispatch
jobs:
  slow:
    runs-on: ubuntu-latest
    timeout-minutes: 1
    steps:
      - run: echo begun; sleep 600
  never:
    runs-on: nowhere
    steps:
      - run: "true"
  after:
    needs: [slow, never]
    if: always()
    runs-on: ubuntu-latest
    steps:
      - run: echo "${{ needs.slow.result }} ${{ needs.never.result }}"
`

func TestTimeouts(t *testing.T) {
	t.Setenv("PAWL_QUEUE_TIMEOUT", "20s")
	p := ownStack(t).project(t, timeoutsWorkflow)
	run := p.awaitEnd(t, p.dispatch(t, nil))
	jobs := p.jobs(t, run.ID)
	require.Equal(t, "cancelled", jobs["slow"].Conclusion)
	require.Contains(t, jobs["slow"].Reason, "timed out after 1 minute")
	require.Contains(t, p.log(t, jobs["slow"]), "timed out after 1 minute")
	require.Equal(t, "cancelled", jobs["never"].Conclusion)
	require.Contains(t, jobs["never"].Reason, "no runner took the job within 20s")
	require.Contains(t, p.log(t, jobs["after"]), "cancelled cancelled")
	recordHistories(t, p, run, jobs, "timeouts")
	history(t, p, workflows.JobWorkflowID(jobs["never"].ID), "timeouts-job-never")
}

const supersedeWorkflow = `
on:
  workflow_dispatch:
    inputs:
      seconds: {type: number, required: true}
concurrency: {group: deploy, cancel-in-progress: true}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps:
      - run: sleep ${{ inputs.seconds }}
`

func TestANewRunCancelsTheOneInProgress(t *testing.T) {
	p := theStack(t).project(t, supersedeWorkflow)
	first := p.dispatch(t, map[string]string{"seconds": "600"})
	p.await(t, first, func(r client.Run) bool { return r.Status == "in_progress" })
	second := p.dispatch(t, map[string]string{"seconds": "0"})
	cancelled, run := p.awaitEnd(t, first), p.awaitEnd(t, second)
	require.Equal(t, "cancelled", cancelled.Conclusion)
	require.Equal(t, "success", run.Conclusion)
	require.False(t, run.StartedAt.Before(cancelled.StoppedAt), "never two at once")
	recordHistories(t, p, cancelled, p.jobs(t, first), "superseded")
	recordHistories(t, p, run, p.jobs(t, second), "superseding")
}
