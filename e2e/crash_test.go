package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/devstack"
)

// TestKillEverything has 20 runs in flight while server, worker, Temporal and Postgres are killed one after the other.
// Every run has to end well, and no job may have been done twice.
func TestKillEverything(t *testing.T) {
	s := ownStack(t, "--split")
	dir := t.TempDir()
	gate := filepath.Join(dir, "gate")
	p := s.project(t, fmt.Sprintf(`on:
  workflow_dispatch:
    inputs: {out: {type: string, required: true}}
jobs:
  first:
    runs-on: ubuntu-latest
    steps:
      - run: 'echo begin >> ${{ inputs.out }}; until test -f %s; do sleep 0.2; done; echo end >> ${{ inputs.out }}'
  second:
    needs: first
    runs-on: ubuntu-latest
    steps: [{run: 'echo second >> ${{ inputs.out }}'}]
`, gate))
	const runs = 20
	ids, outs := make([]int64, runs), make([]string, runs)
	for i := range runs {
		outs[i] = filepath.Join(dir, fmt.Sprintf("out-%d", i))
		ids[i] = p.dispatch(t, map[string]string{"out": outs[i]})
	}
	eventually(t, func() bool { return count(outs, "begin") == runs }, "all jobs run")

	for name, pid := range map[string]func(devstack.Info) int{
		"server":   func(i devstack.Info) int { return i.PIDs.Server },
		"worker":   func(i devstack.Info) int { return i.PIDs.Worker },
		"temporal": func(i devstack.Info) int { return i.PIDs.Temporal },
		"postgres": func(i devstack.Info) int { return i.PIDs.Postgres },
	} {
		before := pid(s.info(t))
		require.NotZero(t, before, name)
		require.NoError(t, syscall.Kill(before, syscall.SIGKILL), name)
		eventually(t, func() bool {
			after := pid(s.info(t))
			return after != 0 && after != before
		}, "%s is restarted", name)
	}
	require.NoError(t, os.WriteFile(gate, nil, 0o644))

	for i, id := range ids {
		require.Equal(t, "success", p.awaitEnd(t, id).Conclusion, "run %d: %+v", id, p.jobs(t, id))
		raw, err := os.ReadFile(outs[i])
		require.NoError(t, err)
		require.Equal(t, "begin\nend\nsecond\n", string(raw), "each job was done once")
	}
	requireOneSuccessPerJob(t, p, 2*runs)
}

// count counts the files that hold the word.
func count(files []string, word string) int {
	n := 0
	for _, f := range files {
		if raw, err := os.ReadFile(f); err == nil && strings.Contains(string(raw), word) {
			n++
		}
	}
	return n
}

func requireOneSuccessPerJob(t *testing.T, p *project, jobs int) {
	t.Helper()
	tasks, err := p.Tasks(t.Context(), p.repo)
	require.NoError(t, err)
	succeeded := map[string]int{}
	for _, task := range tasks {
		if task.Status == "success" {
			succeeded[fmt.Sprintf("%d/%s", task.RunNumber, task.Name)]++
		}
	}
	require.Len(t, succeeded, jobs)
	for job, n := range succeeded {
		require.Equal(t, 1, n, "job %s has several successful tasks", job)
	}
}

// TestFullRestart kills the whole stack, with everything in it, and starts it again on its data directory.
func TestFullRestart(t *testing.T) {
	s := ownStack(t)
	marker := filepath.Join(t.TempDir(), "marker")
	p := s.project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  long:
    runs-on: ubuntu-latest
    steps: [{run: 'echo begin >> %[1]s; test "$(grep -c begin %[1]s)" -gt 1 || sleep 600'}]
`, marker))
	id := p.dispatch(t, nil)
	eventually(t, func() bool { return count([]string{marker}, "begin") == 1 }, "the job runs")
	require.NoError(t, s.cmd.Process.Kill())
	<-s.ended

	again := restart(t, s)
	p.URL = again.info(t).URL
	run := p.awaitEnd(t, id)
	require.Equal(t, "success", run.Conclusion, "the job is handed out again, because its runner is gone")
	p.stack = again
	recordHistories(t, p, run, p.jobs(t, id), "runner-lost")
}

// restart starts another stack on the data directory of one that was killed.
func restart(t *testing.T, s *stack) *stack {
	t.Helper()
	again, err := startStack(s.dir)
	require.NoError(t, err)
	*s = *again
	return s
}

// TestARunnerIsKilledInTheMiddleOfAJob kills the official runner with -9 while it works. The job is handed out again, and
// both of its tasks stay visible.
func TestARunnerIsKilledInTheMiddleOfAJob(t *testing.T) {
	s := ownStack(t)
	marker := filepath.Join(t.TempDir(), "marker")
	p := s.project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  long:
    runs-on: ubuntu-latest
    steps: [{run: 'echo begin >> %[1]s; test "$(grep -c begin %[1]s)" -gt 1 || sleep 600'}]
`, marker))
	id := p.dispatch(t, nil)
	eventually(t, func() bool { return count([]string{marker}, "begin") == 1 }, "the job runs")
	require.NoError(t, syscall.Kill(s.info(t).PIDs.Runner, syscall.SIGKILL))
	run := p.awaitEnd(t, id)
	jobs := p.jobs(t, id)
	require.Equal(t, "success", run.Conclusion, "%+v", jobs)
	job, err := p.Job(t.Context(), p.repo, jobs["long"].ID)
	require.NoError(t, err)
	require.Len(t, job.Tasks, 2)
	require.Equal(t, []string{"lost", ""}, []string{job.Tasks[0].Cause, job.Tasks[1].Cause})
	require.Equal(t, "success", job.Tasks[1].Conclusion)
	recordHistories(t, p, run, jobs, "runner-killed")
}
