package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	temporal "go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/workflows"
)

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	resp, err := http.Get(url)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	require.NoError(t, err)
	return resp.StatusCode, string(body)
}

func TestMetricsAndHealth(t *testing.T) {
	s := theStack(t)
	p := s.project(t, "on: workflow_dispatch\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo hi}]}}\n")
	p.awaitEnd(t, p.dispatch(t, nil))

	status, metrics := get(t, s.info(t).MetricsURL)
	require.Equal(t, http.StatusOK, status)
	for _, m := range observability.Metrics() {
		require.True(t, strings.Contains(metrics, "\n# TYPE "+m.Name+" "), "%s is documented and not there", m.Name)
	}
	require.True(t, strings.Contains(metrics, "temporal_request"), "the SDK counts on the same registry")
	for _, kind := range []string{"start", "cancel", "news", "gate", "push", "abandoned"} {
		require.True(t, strings.Contains(metrics, fmt.Sprintf("pawl_reconciler_repairs_total{kind=%q} 0", kind)), "nothing had to be repaired")
	}

	status, body := get(t, s.info(t).URL+"/readyz")
	require.Equal(t, http.StatusOK, status, body)
	var ready struct {
		Checks map[string]struct{ Status string }
	}
	require.NoError(t, json.Unmarshal([]byte(body), &ready))
	for _, check := range []string{"postgres", "migrations", "temporal"} {
		require.Equal(t, "ok", ready.Checks[check].Status, check)
	}
	status, _ = get(t, s.info(t).URL+"/livez")
	require.Equal(t, http.StatusOK, status)
}

func TestRunsAreFoundInTemporal(t *testing.T) {
	s := theStack(t)
	p := s.project(t, "on: workflow_dispatch\njobs: {a: {runs-on: ubuntu-latest, steps: [{run: echo hi}]}}\n")
	id := p.dispatch(t, nil)
	run := p.awaitEnd(t, id)
	info := s.info(t)
	c, err := temporal.Dial(temporal.Options{HostPort: info.TemporalAddress, Namespace: info.TemporalNamespace})
	require.NoError(t, err)
	defer c.Close()
	query := fmt.Sprintf("%s = '%s' AND %s = 'success' AND %s = 'main'", workflows.AttributeRepository, p.repo,
		workflows.AttributeConclusion, workflows.AttributeBranch)
	eventually(t, func() bool {
		found, err := c.ListWorkflow(t.Context(), &workflowservice.ListWorkflowExecutionsRequest{Query: query})
		return err == nil && len(found.Executions) == 1 &&
			found.Executions[0].Execution.WorkflowId == workflows.RunWorkflowID(id, 1)
	}, "the search attributes of run %d", id)

	require.True(t, strings.HasPrefix(run.TemporalUI, info.TemporalUIURL), run.TemporalUI)
	status, page := get(t, run.TemporalUI)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "<html")
	status, _ = get(t, run.HTMLURL)
	require.NotEqual(t, http.StatusOK, status, "the page of a private repository is not for everybody")
}

func TestASecondStackOnTheSameDirectoryIsRefused(t *testing.T) {
	s := theStack(t)
	path, err := program()
	require.NoError(t, err)
	out, err := exec.CommandContext(t.Context(), path, "dev", "--data-dir", s.dir, "--http", "127.0.0.1:0").CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "in use")
	require.Contains(t, string(out), fmt.Sprint(s.cmd.Process.Pid))
}

func TestASecondSignalStopsAtOnceAndLeavesNothing(t *testing.T) {
	s := ownStackUnmanaged(t)
	info := s.info(t)
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	require.NoError(t, s.cmd.Process.Signal(syscall.SIGTERM))
	<-s.ended
	for name, pid := range map[string]int{"temporal": info.PIDs.Temporal, "postgres": info.PIDs.Postgres, "runner": info.PIDs.Runner} {
		eventually(t, func() bool { return syscall.Kill(pid, 0) == syscall.ESRCH }, "%s (%d) is gone", name, pid)
	}
}

func TestDevJSONIsPrivate(t *testing.T) {
	s := theStack(t)
	stat, err := os.Stat(s.dir + "/dev.json")
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), stat.Mode().Perm())
}
