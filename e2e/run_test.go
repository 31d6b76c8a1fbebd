package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

const threeJobs = `name: three
on:
  push: {branches: [main], paths: ["src/**"]}
  workflow_dispatch:
    inputs:
      who: {type: string, default: nobody}
jobs:
  one:
    runs-on: ubuntu-latest
    outputs: {word: "${{ steps.w.outputs.word }}"}
    steps:
      - {id: w, run: 'echo "word=from-one" >> "$GITHUB_OUTPUT"'}
  two:
    runs-on: ubuntu-latest
    strategy: {matrix: {n: [1, 2]}}
    steps:
      - run: echo "cell ${{ matrix.n }} for ${{ inputs.who }}"
  both:
    needs: [one, two]
    if: needs.one.outputs.word == 'from-one'
    runs-on: ubuntu-latest
    steps:
      - run: echo "got ${{ needs.one.outputs.word }} for ${{ inputs.who }}"
  never:
    needs: one
    if: github.event_name == 'schedule'
    runs-on: no-such-runner
    steps: [{run: exit 1}]
`

func TestThreeJobsWithOutputs(t *testing.T) {
	p := theStack(t).project(t, threeJobs)
	id := p.dispatch(t, map[string]string{"who": "world"})
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, "success", run.Conclusion, "%+v", jobs)
	require.Len(t, jobs, 5)
	require.Equal(t, "skipped", jobs["never"].Conclusion, "a false `if` needs no runner")
	require.Contains(t, p.log(t, jobs["both"]), "got from-one for world")
	require.Contains(t, p.log(t, jobs["two (2)"]), "cell 2 for world")
	require.Len(t, jobs["one"].Steps, 1)
	require.Equal(t, "success", jobs["one"].Steps[0].Conclusion)
	recordHistories(t, p, run, jobs, "three-jobs")
}

func TestPushStartsWhatMatches(t *testing.T) {
	p := theStack(t).project(t, threeJobs)
	runs, err := p.Runs(t.Context(), p.repo, client.RunFilter{})
	require.NoError(t, err)
	require.Empty(t, runs, "the first push changes nothing below src")
	p.push(t, map[string]string{"src/main.c": "int main;"}, "Write a program")
	runs, err = p.Runs(t.Context(), p.repo, client.RunFilter{})
	require.NoError(t, err)
	require.Len(t, runs, 1, "the run exists when git push returns")
	require.Equal(t, []string{"push", "Write a program"}, []string{runs[0].Event, runs[0].Title})
	require.Equal(t, "success", p.awaitEnd(t, runs[0].ID).Conclusion)
}

func TestCheckoutWithGitInsideAJob(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  clone:
    runs-on: ubuntu-latest
    steps:
      - run: |
          basic=$(printf 'x-access-token:%s' '${{ github.token }}' | base64 -w0)
          git init -q src && cd src
          git -c "http.extraHeader=Authorization: basic $basic" fetch -q --depth 1 "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" "$GITHUB_SHA"
          git checkout -q FETCH_HEAD
          test -f .gitea/workflows/ci.yml && echo "checked out $GITHUB_REPOSITORY"
`)
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	require.Equal(t, "success", run.Conclusion, p.log(t, p.jobs(t, id)["clone"]))
}

// TestAnOutsideRepository runs a workflow of a repository that is only registered here. Its job checks out from this
// server all the same.
func TestAnOutsideRepository(t *testing.T) {
	s := theStack(t)
	upstream := s.project(t, `on: workflow_dispatch
jobs:
  clone:
    runs-on: ubuntu-latest
    steps:
      - run: |
          basic=$(printf 'x-access-token:%s' '${{ github.token }}' | base64 -w0)
          git -c "http.extraHeader=Authorization: basic $basic" clone -q "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY" src
          cat src/version
`)
	upstream.push(t, map[string]string{"version": "one"}, "One")
	outside := http.FileServer(http.Dir(bareClone(t, upstream.work)))
	server := httptest.NewServer(outside)
	defer server.Close()

	p := *upstream
	var err error
	p.repo, err = p.CreateOutsideRepo(t.Context(), "outside-"+strconv.FormatInt(time.Now().UnixNano(), 36), server.URL+"/repo.git")
	require.NoError(t, err)
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	log := p.log(t, p.jobs(t, id)["clone"])
	require.Equal(t, "success", run.Conclusion, log)
	require.Contains(t, log, "one")
}

// bareClone makes a directory with repo.git in it, to be served as plain files.
func bareClone(t *testing.T, work string) string {
	t.Helper()
	dir := t.TempDir()
	for _, args := range [][]string{
		{"clone", "-q", "--bare", work, filepath.Join(dir, "repo.git")},
		{"-C", filepath.Join(dir, "repo.git"), "update-server-info"},
	} {
		out, err := exec.CommandContext(t.Context(), "git", args...).CombinedOutput()
		require.NoError(t, err, string(out))
	}
	return dir
}

func TestAFailingStep(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  bad:
    runs-on: ubuntu-latest
    steps:
      - {name: fine, run: echo fine}
      - {name: broken, run: 'echo about to fail; exit 3'}
      - {name: after, run: echo never}
      - {name: tidy, if: always(), run: echo tidied}
  dependant:
    needs: bad
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
  rescue:
    needs: bad
    if: failure()
    runs-on: ubuntu-latest
    steps: [{run: echo rescued}]
`)
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	require.Equal(t, "failure", run.Conclusion)
	jobs := p.jobs(t, id)
	require.Equal(t, []string{"failure", "skipped", "success"},
		[]string{jobs["bad"].Conclusion, jobs["dependant"].Conclusion, jobs["rescue"].Conclusion})
	var steps []string
	for _, s := range jobs["bad"].Steps {
		steps = append(steps, s.Name+" "+s.Conclusion)
	}
	require.Equal(t, []string{"fine success", "broken failure", "after skipped", "tidy success"}, steps)
	require.Contains(t, p.log(t, jobs["bad"]), "about to fail")
	recordHistories(t, p, run, jobs, "failing-step")
}

func TestCancelOfARunningSleep(t *testing.T) {
	pidFile := filepath.Join(t.TempDir(), "pid")
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  long:
    runs-on: ubuntu-latest
    steps:
      - run: |
          sleep 600 &
          echo $! > %[1]s.tmp && mv %[1]s.tmp %[1]s
          wait
  next:
    needs: long
    runs-on: ubuntu-latest
    steps: [{run: echo never}]
`, pidFile))
	id := p.dispatch(t, nil)
	var pid int
	eventually(t, func() bool {
		raw, err := os.ReadFile(pidFile)
		if err == nil {
			pid, err = strconv.Atoi(strings.TrimSpace(string(raw)))
		}
		return err == nil
	}, "the sleep runs")
	asked := time.Now()
	require.NoError(t, p.Cancel(t.Context(), p.repo, id))
	run := p.awaitEnd(t, id)
	t.Logf("the run ended %s after the cancel", time.Since(asked))
	require.Equal(t, "cancelled", run.Conclusion)
	jobs := p.jobs(t, id)
	require.Equal(t, []string{"cancelled", "cancelled"}, []string{jobs["long"].Conclusion, jobs["next"].Conclusion})
	eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, "the process %d is gone", pid)
	t.Logf("its process ended %s after the cancel", time.Since(asked))

	var status *client.Error
	require.ErrorAs(t, p.Cancel(t.Context(), p.repo, id), &status)
	require.Equal(t, 409, status.Status)
	recordHistories(t, p, run, jobs, "cancel")
}

func TestRerunKeepsTheEarlierAttempt(t *testing.T) {
	marker := filepath.Join(t.TempDir(), "marker")
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  flaky:
    runs-on: ubuntu-latest
    steps: [{run: 'echo "attempt $GITHUB_RUN_ATTEMPT"; test -f %s'}]
`, marker))
	id := p.dispatch(t, nil)
	require.Equal(t, "failure", p.awaitEnd(t, id).Conclusion)
	require.NoError(t, os.WriteFile(marker, nil, 0o644))
	again, err := p.Rerun(t.Context(), p.repo, id)
	require.NoError(t, err)
	require.Equal(t, []any{id, 2}, []any{again.ID, again.Attempt})
	run := p.awaitEnd(t, id)
	require.Equal(t, "success", run.Conclusion)
	require.Contains(t, p.log(t, p.jobs(t, id)["flaky"]), "attempt 2")

	first, err := p.AttemptJobs(t.Context(), p.repo, id, 1)
	require.NoError(t, err)
	require.Equal(t, "failure", first[0].Conclusion)
	require.Contains(t, p.log(t, first[0]), "attempt 1")
}

func TestAnInvalidFileIsShownOnItsRun(t *testing.T) {
	p := theStack(t).project(t, "on: push\njobs:\n  a:\n    needs: [b]\n    runs-on: x\n    steps: [{run: y}]\n  b:\n    needs: [a]\n    runs-on: x\n    steps: [{run: y}]\n")
	runs, err := p.Runs(t.Context(), p.repo, client.RunFilter{})
	require.NoError(t, err)
	require.Len(t, runs, 1)
	require.Equal(t, []string{"completed", "failure"}, []string{runs[0].Status, runs[0].Conclusion})
	require.NotEmpty(t, runs[0].Problems)
	require.Contains(t, runs[0].Problems[0].Message, "cycle")
	require.Positive(t, runs[0].Problems[0].Line)
}

func TestLiveLog(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  talk:
    runs-on: ubuntu-latest
    steps: [{run: 'echo first; until test -f %s; do sleep 0.1; done; echo second'}]
`, gate))
	id := p.dispatch(t, nil)
	p.await(t, id, func(r client.Run) bool { return r.Status == "in_progress" })
	var seen strings.Builder
	ended := false
	err := p.StreamLog(t.Context(), p.repo, p.jobs(t, id)["talk"].ID, 0, func(e client.Event) bool {
		seen.WriteString(e.Data)
		if strings.Contains(e.Data, "first") {
			_ = os.WriteFile(gate, nil, 0o644)
		}
		ended = ended || e.Name == "end"
		return !ended
	})
	require.NoError(t, err)
	require.True(t, ended)
	require.Contains(t, seen.String(), "second")
	require.Equal(t, "success", p.awaitEnd(t, id).Conclusion)
}

func TestAJobThatTakesTooLongIsEnded(t *testing.T) {
	p := theStack(t).project(t, `on: workflow_dispatch
jobs:
  slow:
    timeout-minutes: 1
    runs-on: ubuntu-latest
    steps: [{run: sleep 600}]
`)
	id := p.dispatch(t, nil)
	begin := time.Now()
	run := p.awaitEnd(t, id)
	require.NotEqual(t, "success", run.Conclusion)
	require.Greater(t, time.Since(begin), 50*time.Second)
}
