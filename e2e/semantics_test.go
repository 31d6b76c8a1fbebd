package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// waiting polls until a job waits for a reason of the kind, and returns the reason.
func (p *project) waiting(t *testing.T, run int64, job, kind string) string {
	t.Helper()
	var found client.Job
	eventually(t, func() bool {
		found = p.jobs(t, run)[job]
		return found.PendingReasonKind == kind
	}, "job %s of run %d waits for %s: %+v", job, run, kind, found)
	return found.PendingReason
}

// flag is a file that jobs of a test wait for.
func flag(t *testing.T) (path string, set func()) {
	path = filepath.Join(t.TempDir(), "flag")
	return path, func() { require.NoError(t, os.WriteFile(path, nil, 0o644)) }
}

func until(flag string) string { return fmt.Sprintf("until test -f %s; do sleep 0.1; done", flag) }

func conclusions(jobs map[string]client.Job) map[string]string {
	out := map[string]string{}
	for name, j := range jobs {
		out[name] = j.Conclusion
	}
	return out
}

func TestAMatrixOfOutputs(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  plan:
    runs-on: ubuntu-latest
    outputs: {list: "${{ steps.l.outputs.list }}", label: ubuntu-latest}
    steps: [{id: l, run: 'echo "list=[{\"os\":\"a\",\"n\":1},{\"os\":\"b\",\"n\":2}]" >> "$GITHUB_OUTPUT"'}]
  cells:
    needs: plan
    runs-on: ${{ needs.plan.outputs.label }}
    strategy:
      matrix: {include: "${{ fromJSON(needs.plan.outputs.list) }}"}
    outputs: {seen: "${{ matrix.os }}"}
    steps: [{run: 'echo "cell ${{ matrix.os }}-${{ matrix.n }}, ${{ strategy.job-index }} of ${{ strategy.job-total }}"'}]
  after:
    needs: cells
    runs-on: ubuntu-latest
    steps: [{run: 'echo "after ${{ needs.cells.result }}"'}]
`)
	id := p.dispatch(t, nil)
	require.Equal(t, "deferred", p.jobs(t, id)["cells"].Kind)
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, map[string]string{"plan": "success", "cells (a, 1)": "success", "cells (b, 2)": "success", "after": "success"}, conclusions(jobs))
	require.Contains(t, p.log(t, jobs["cells (b, 2)"]), "cell b-2, 1 of 2")
	require.Contains(t, p.log(t, jobs["after"]), "after success")
	require.Equal(t, "success", run.Conclusion)
	recordHistories(t, p, run, jobs, "dynamic-matrix")
}

func TestFailFastStopsTheOtherCells(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  cells:
    runs-on: ubuntu-latest
    strategy: {max-parallel: 2, matrix: {n: [1, 2, 3]}}
    steps: [{run: 'test ${{ matrix.n }} = 1 && sleep 1 && exit 1; sleep 600'}]
  rescue:
    needs: cells
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: 'echo "cells ended with ${{ needs.cells.result }}"'}]
`)
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, map[string]string{
		"cells (1)": "failure", "cells (2)": "cancelled", "cells (3)": "cancelled", "rescue": "success",
	}, conclusions(jobs))
	require.Equal(t, "failure", run.Conclusion)
	require.Contains(t, jobs["cells (2)"].Reason, "fail-fast")
	require.Empty(t, jobs["cells (3)"].RunnerName, "max-parallel never let it go")
	require.Contains(t, p.log(t, jobs["rescue"]), "cells ended with failure")
	recordHistories(t, p, run, jobs, "fail-fast")
}

func TestAConcurrencyGroupHasOneHolderAndOneWaiting(t *testing.T) {
	open, set := flag(t)
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
concurrency: {group: "Deploy-${{ github.ref_name }}"}
jobs:
  deploy:
    runs-on: ubuntu-latest
    steps: [{run: '%s'}]
`, until(open)))
	first, second := p.dispatch(t, nil), p.dispatch(t, nil)
	p.await(t, first, func(r client.Run) bool { return r.Status == "in_progress" })
	waiting := p.await(t, second, func(r client.Run) bool { return r.PendingReasonKind == "concurrency" })
	require.Equal(t, "waiting", waiting.Status)
	require.Contains(t, waiting.PendingReason, "Deploy-main")
	third := p.dispatch(t, nil)
	replaced := p.awaitEnd(t, second)
	require.Equal(t, "cancelled", replaced.Conclusion)
	require.Contains(t, replaced.Reason, "replaced by run")
	require.Equal(t, "waiting", p.await(t, third, func(client.Run) bool { return true }).Status, "the holder is never evicted")
	set()
	require.Equal(t, "success", p.awaitEnd(t, first).Conclusion)
	last := p.awaitEnd(t, third)
	require.Equal(t, "success", last.Conclusion)
	recordHistories(t, p, replaced, p.jobs(t, second), "concurrency-replaced")
	recordHistories(t, p, last, p.jobs(t, third), "concurrency-waited")
}

func TestCancelInProgressOfAJob(t *testing.T) {
	p := theStack(t).project(t, `on:
  workflow_dispatch:
    inputs: {long: {type: boolean, default: false}}
jobs:
  other:
    runs-on: ubuntu-latest
    steps: [{run: echo other}]
  deploy:
    runs-on: ubuntu-latest
    concurrency: {group: prod, cancel-in-progress: "${{ !inputs.long }}"}
    steps: [{run: 'if ${{ inputs.long }}; then sleep 600; fi; echo deployed'}]
`)
	first := p.dispatch(t, map[string]string{"long": "true"})
	eventually(t, func() bool { return p.jobs(t, first)["deploy"].Status == "in_progress" }, "the first deploys")
	second := p.dispatch(t, nil)
	require.Equal(t, "success", p.awaitEnd(t, second).Conclusion)
	run := p.awaitEnd(t, first)
	jobs := p.jobs(t, first)
	require.Equal(t, map[string]string{"other": "success", "deploy": "cancelled"}, conclusions(jobs))
	require.Contains(t, jobs["deploy"].Reason, "cancel-in-progress")
	recordHistories(t, p, run, jobs, "job-concurrency")
}

func TestJobsWithAlwaysRunAfterACancel(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  long:
    runs-on: ubuntu-latest
    steps: [{run: sleep 600}]
  plain:
    needs: long
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  cleanup:
    needs: long
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: 'echo "cleaned up after ${{ needs.long.result }}"'}]
  notify:
    needs: [long, plain]
    if: ${{ cancelled() }}
    runs-on: ubuntu-latest
    steps: [{run: echo notified}]
`)
	id := p.dispatch(t, nil)
	eventually(t, func() bool { return p.jobs(t, id)["long"].Status == "in_progress" }, "the job runs")
	require.NoError(t, p.Cancel(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, map[string]string{"long": "cancelled", "plain": "cancelled", "cleanup": "success", "notify": "success"}, conclusions(jobs))
	require.Contains(t, p.log(t, jobs["cleanup"]), "cleaned up after cancelled")
	require.Equal(t, "cancelled", run.Conclusion)
	recordHistories(t, p, run, jobs, "cancel-always")
}

func TestForceCancelEndsEverything(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  long:
    runs-on: ubuntu-latest
    steps: [{run: sleep 600}]
  cleanup:
    needs: long
    if: always()
    runs-on: ubuntu-latest
    steps: [{run: sleep 600}]
`)
	id := p.dispatch(t, nil)
	eventually(t, func() bool { return p.jobs(t, id)["long"].Status == "in_progress" }, "the job runs")
	require.NoError(t, p.Cancel(t.Context(), p.repo, id))
	eventually(t, func() bool { return p.jobs(t, id)["cleanup"].Status == "in_progress" }, "the cleanup runs")
	require.NoError(t, p.ForceCancel(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	require.Equal(t, map[string]string{"long": "cancelled", "cleanup": "cancelled"}, conclusions(p.jobs(t, id)))
	recordHistories(t, p, run, p.jobs(t, id), "force-cancel")
}

const called = `name: Called
on:
  workflow_call:
    inputs:
      who: {type: string, required: true}
      times: {type: number, default: 2}
      loud: {type: boolean, default: false}
    secrets: {key: {required: true}}
    outputs:
      greeting: {value: "${{ jobs.greet.outputs.greeting }}"}
jobs:
  greet:
    runs-on: ubuntu-latest
    outputs: {greeting: "${{ steps.g.outputs.greeting }}"}
    steps:
      - {id: g, run: 'echo "greeting=hello ${{ inputs.who }} x${{ inputs.times }} ${{ inputs.loud }}" >> "$GITHUB_OUTPUT"'}
      - run: test -n "${{ secrets.key }}" && echo "event ${{ github.event_name }} of ${{ github.workflow }}"
  then:
    needs: greet
    if: inputs.loud
    runs-on: ubuntu-latest
    steps: [{run: 'echo "LOUD ${{ needs.greet.outputs.greeting }}"'}]
`

const calls = `name: Calls
on: workflow_dispatch
jobs:
  call:
    strategy: {matrix: {who: [ann, ben]}}
    uses: ./.gitea/workflows/middle.yml
    with: {who: "${{ matrix.who }}"}
    secrets: inherit
  after:
    needs: call
    runs-on: ubuntu-latest
    steps: [{run: 'echo "got ${{ needs.call.outputs.greeting }}"'}]
`

const middle = `on:
  workflow_call:
    inputs: {who: {type: string, required: true}}
    outputs: {greeting: {value: "${{ jobs.inner.outputs.greeting }}"}}
jobs:
  inner:
    uses: ./.gitea/workflows/called.yml
    with: {who: "${{ inputs.who }}", loud: "${{ inputs.who == 'ben' }}"}
    secrets: {key: "${{ secrets.GITHUB_TOKEN }}"}
`

func TestReusableWorkflows(t *testing.T) {
	p := theStack(t).project(t, calls)
	p.push(t, map[string]string{".gitea/workflows/middle.yml": middle, ".gitea/workflows/called.yml": called}, "Add what is called")
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	list, err := p.Jobs(t.Context(), p.repo, id)
	require.NoError(t, err)
	require.Equal(t, "success", run.Conclusion, "%+v", list)
	byID := map[int64]client.Job{}
	for _, j := range list {
		byID[j.ID] = j
	}
	var paths []string
	for _, j := range list {
		path := j.Name + " " + j.Conclusion
		for parent := byID[j.ParentID]; parent.ID != 0; parent = byID[parent.ParentID] {
			path = parent.Name + " / " + path
		}
		paths = append(paths, path)
	}
	require.ElementsMatch(t, []string{
		"call (ann) success", "call (ann) / inner success", "call (ann) / inner / greet success", "call (ann) / inner / then skipped",
		"call (ben) success", "call (ben) / inner success", "call (ben) / inner / greet success", "call (ben) / inner / then success",
		"after success",
	}, paths)
	jobs := p.jobs(t, id)
	require.Contains(t, p.log(t, jobs["after"]), "got hello ben x2 true")
	require.Contains(t, p.log(t, jobs["then"]), "LOUD hello ben x2 true")
	require.Contains(t, p.log(t, jobs["greet"]), "event workflow_dispatch of Calls")
	recordHistories(t, p, run, jobs, "reusable")
}

func TestACallThatLeadsNowhereFailsItsCaller(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  gone: {uses: ./.gitea/workflows/gone.yml}
  round: {uses: ./.gitea/workflows/round.yml}
  fine:
    runs-on: ubuntu-latest
    steps: [{run: echo fine}]
`)
	p.push(t, map[string]string{".gitea/workflows/round.yml": "on: workflow_call\njobs:\n  again: {uses: ./.gitea/workflows/round.yml}\n"}, "Go round")
	id := p.dispatch(t, nil)
	require.Equal(t, "failure", p.awaitEnd(t, id).Conclusion)
	jobs := p.jobs(t, id)
	require.Equal(t, map[string]string{"gone": "failure", "round": "failure", "again": "failure", "fine": "success"}, conclusions(jobs))
	require.Contains(t, jobs["gone"].Reason, "gone.yml")
	require.Contains(t, jobs["again"].Reason, "round.yml")
}

func TestAJobThatAsksForItIsTriedAgain(t *testing.T) {
	marker, _ := flag(t)
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  flaky:
    retry: {max-attempts: 3, on: failure, backoff: 1s}
    runs-on: ubuntu-latest
    steps: [{run: 'echo "try $(wc -l < %[1]s)"; echo x >> %[1]s; test $(wc -l < %[1]s) -ge 2'}]
`, marker))
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, "success", run.Conclusion, "%+v", jobs)
	job, err := p.Job(t.Context(), p.repo, jobs["flaky"].ID)
	require.NoError(t, err)
	require.Len(t, job.Tasks, 2)
	require.Equal(t, []string{"failure", "success"}, []string{job.Tasks[0].Conclusion, job.Tasks[1].Conclusion})
	recordHistories(t, p, run, jobs, "retry")
}

func TestAnEnvironmentWaitsForItsReviewer(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  build:
    runs-on: ubuntu-latest
    steps: [{run: echo built}]
  deploy:
    needs: build
    environment: {name: Production}
    runs-on: ubuntu-latest
    steps: [{run: echo deployed}]
`)
	me, err := p.Me(t.Context())
	require.NoError(t, err)
	env, err := p.PutEnvironment(t.Context(), p.repo, "production", client.EnvironmentRules{
		Reviewers: []client.Reviewer{{Type: "User", ID: me.ID}},
	})
	require.NoError(t, err)
	id := p.dispatch(t, nil)
	require.Contains(t, p.waiting(t, id, "deploy", "environment"), me.Login)
	require.NoError(t, p.Review(t.Context(), p.repo, id, []int64{env}, true, "go"))
	run := p.awaitEnd(t, id)
	require.Equal(t, "success", run.Conclusion)
	recordHistories(t, p, run, p.jobs(t, id), "environment")

	id = p.dispatch(t, nil)
	p.waiting(t, id, "deploy", "environment")
	require.NoError(t, p.Review(t.Context(), p.repo, id, []int64{env}, false, "not today"))
	require.Equal(t, "failure", p.awaitEnd(t, id).Conclusion)
	require.Contains(t, p.jobs(t, id)["deploy"].Reason, "not today")
}

const oneJob = `on: workflow_dispatch
jobs:
  only:
    runs-on: ubuntu-latest
    steps: [{run: echo done}]
`

func TestARunWaitsForItsApproval(t *testing.T) {
	p := theStack(t).project(t, oneJob)
	require.NoError(t, p.EditRepoSettings(t.Context(), p.repo, map[string]any{"approval": "all"}))
	id := p.dispatch(t, nil)
	require.NotEmpty(t, p.waiting(t, id, "only", "approval"))
	require.NoError(t, p.Approve(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	require.Equal(t, []string{"success", "given"}, []string{run.Conclusion, run.Approval})
	recordHistories(t, p, run, p.jobs(t, id), "approval")
}

func TestAPausedRepositoryHandsOutNothing(t *testing.T) {
	p := theStack(t).project(t, oneJob)
	require.NoError(t, p.EditRepoSettings(t.Context(), p.repo, map[string]any{"paused": true}))
	id := p.dispatch(t, nil)
	require.NotEmpty(t, p.waiting(t, id, "only", "paused"))
	require.NoError(t, p.Pause(t.Context(), p.repo, id))
	require.NoError(t, p.EditRepoSettings(t.Context(), p.repo, map[string]any{"paused": false}))
	require.NotEmpty(t, p.waiting(t, id, "only", "paused"))
	require.NoError(t, p.Resume(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	require.Equal(t, "success", run.Conclusion)
	recordHistories(t, p, run, p.jobs(t, id), "pause")
}

func TestNoMoreJobsRunThanTheRepositoryMay(t *testing.T) {
	open, set := flag(t)
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  cells:
    runs-on: ubuntu-latest
    strategy: {matrix: {n: [1, 2, 3]}}
    steps: [{run: '%s'}]
`, until(open)))
	require.NoError(t, p.EditRepoSettings(t.Context(), p.repo, map[string]any{"max_running_jobs": 2}))
	id := p.dispatch(t, nil)
	running := func() (n int, waiting string) {
		for _, j := range p.jobs(t, id) {
			if j.Status == "in_progress" {
				n++
			} else if j.PendingReasonKind == "repo-limit" {
				waiting = j.PendingReason
			}
		}
		return n, waiting
	}
	var reason string
	eventually(t, func() bool {
		var n int
		n, reason = running()
		return n == 2 && reason != ""
	}, "two run and one waits")
	require.Contains(t, reason, "2")
	set()
	require.Equal(t, "success", p.awaitEnd(t, id).Conclusion)
}

func TestRerunsKeepWhatNeedsNoRerun(t *testing.T) {
	marker, set := flag(t)
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  build:
    runs-on: ubuntu-latest
    outputs: {when: "${{ steps.w.outputs.when }}"}
    steps: [{id: w, run: 'echo "when=$(date +%%s%%N)" >> "$GITHUB_OUTPUT"'}]
  test:
    needs: build
    runs-on: ubuntu-latest
    steps: [{run: 'echo "of ${{ needs.build.outputs.when }}"; test -f %s'}]
  report:
    needs: test
    runs-on: ubuntu-latest
    steps: [{run: echo reported}]
`, marker))
	id := p.dispatch(t, nil)
	require.Equal(t, "failure", p.awaitEnd(t, id).Conclusion)
	first := p.jobs(t, id)
	set()
	require.NoError(t, p.RerunFailed(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	require.Equal(t, []any{"success", 2}, []any{run.Conclusion, run.Attempt})
	second := p.jobs(t, id)
	require.Equal(t, first["build"].StartedAt, second["build"].StartedAt, "passed through")
	of := func(log string) string { return log[strings.Index(log, "of "):][:20] }
	require.Equal(t, of(p.log(t, first["test"])), of(p.log(t, second["test"])), "with the outputs of the first attempt")
	recordHistories(t, p, run, second, "rerun-failed")

	again, err := p.RerunJob(t.Context(), p.repo, second["report"].ID)
	require.NoError(t, err)
	require.Equal(t, 3, again.Attempt)
	require.Equal(t, "success", p.awaitEnd(t, id).Conclusion)
	require.Equal(t, second["test"].StartedAt, p.jobs(t, id)["test"].StartedAt)
}

func TestAJobIsRunAgainWhileOthersStillRun(t *testing.T) {
	open, set := flag(t)
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  quick:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "attempt $GITHUB_RUN_ATTEMPT"'}]
  slow:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "attempt $GITHUB_RUN_ATTEMPT"; %s'}]
  last:
    needs: slow
    runs-on: ubuntu-latest
    steps: [{run: 'echo "attempt $GITHUB_RUN_ATTEMPT"'}]
`, until(open)))
	id := p.dispatch(t, nil)
	eventually(t, func() bool {
		jobs := p.jobs(t, id)
		return jobs["quick"].Done() && jobs["slow"].Status == "in_progress"
	}, "quick is done")
	_, err := p.RerunJob(t.Context(), p.repo, p.jobs(t, id)["slow"].ID)
	require.Error(t, err, "it still runs")
	again, err := p.RerunJob(t.Context(), p.repo, p.jobs(t, id)["quick"].ID)
	require.NoError(t, err)
	require.Equal(t, 2, again.Attempt)
	eventually(t, func() bool { return p.jobs(t, id)["quick"].Done() }, "quick is done again")
	require.Contains(t, p.log(t, p.jobs(t, id)["quick"]), "attempt 2")
	set()
	run := p.awaitEnd(t, id)
	require.Equal(t, []any{"success", 2}, []any{run.Conclusion, run.Attempt})
	jobs := p.jobs(t, id)
	require.Contains(t, p.log(t, jobs["slow"]), "attempt 1", "no job runs twice because another one was run again")
	require.Contains(t, p.log(t, jobs["last"]), "attempt 1")
	recordHistories(t, p, run, jobs, "rerun-early")
}

func TestTheTimelineSaysWhatWasDecided(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  bad:
    runs-on: ubuntu-latest
    steps: [{run: exit 1}]
  after:
    needs: bad
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
`)
	id := p.dispatch(t, nil)
	p.awaitEnd(t, id)
	events, err := p.Timeline(t.Context(), p.repo, id, 1)
	require.NoError(t, err)
	var said []string
	for _, e := range events {
		said = append(said, strings.TrimSpace(e.Event+" "+e.Job+" "+e.Detail))
	}
	all := strings.Join(said, "\n")
	require.Contains(t, all, "skipped after bad ended with failure", all)
	require.Contains(t, all, "offered bad", all)
}

func TestAnExpressionThatFailsFailsItsJob(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  wrong:
    if: fromJSON('{')
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  fine:
    runs-on: ubuntu-latest
    steps: [{run: echo fine}]
`)
	id := p.dispatch(t, nil)
	require.Equal(t, "failure", p.awaitEnd(t, id).Conclusion)
	jobs := p.jobs(t, id)
	require.Equal(t, map[string]string{"wrong": "failure", "fine": "success"}, conclusions(jobs))
	require.Contains(t, jobs["wrong"].Reason, "ci.yml:4:9")
	require.Equal(t, "permanent", jobs["wrong"].ErrorClass)
}
