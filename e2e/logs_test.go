package e2e

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	temporal "go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/workflows"
)

// stepLog reads the log of a step by cursors, a few lines at a time, until it is done.
func (p *project) stepLog(t *testing.T, job int64, step string) string {
	t.Helper()
	var lines []string
	q := client.LogQuery{Step: step, Limit: 3}
	eventually(t, func() bool {
		page, err := p.LogPage(t.Context(), p.repo, job, q)
		require.NoError(t, err)
		require.LessOrEqual(t, len(page.Lines), 3)
		require.Equal(t, q.Cursor+int64(len(page.Lines)), *page.NextCursor)
		for _, l := range page.Lines {
			lines = append(lines, l.Line)
		}
		q.Cursor = *page.NextCursor
		return page.Done
	}, "the log of step %q is whole", step)
	return strings.Join(lines, "\n")
}

// viewedSteps reads the logs of all steps of a job as Gitea's web page does.
func (p *project) viewedSteps(t *testing.T, run, job int64, steps int) []string {
	t.Helper()
	var cursors []string
	for i := range steps {
		cursors = append(cursors, fmt.Sprintf(`{"step":%d,"cursor":null,"expanded":true}`, i))
	}
	url := fmt.Sprintf("%s/%s/actions/runs/%d/jobs/%d", p.URL, p.repo, run, job)
	body := strings.NewReader(`{"logCursors":[` + strings.Join(cursors, ",") + `]}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	require.NoError(t, err)
	req.Header.Set("Authorization", "token "+p.Token)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode)
	var view struct {
		Logs struct {
			StepsLog []struct{ Lines []struct{ Message string } }
		}
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&view))
	out := make([]string, len(view.Logs.StepsLog))
	for i, s := range view.Logs.StepsLog {
		var lines []string
		for _, l := range s.Lines {
			lines = append(lines, l.Message)
		}
		out[i] = strings.Join(lines, "\n")
	}
	return out
}

func TestLogsStepByStep(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	p := theStack(t).project(t, fmt.Sprintf(`on: workflow_dispatch
jobs:
  talk:
    runs-on: ubuntu-latest
    steps:
      - {name: first, run: 'for i in 1 2 3 4 5 6 7; do echo "first says $i"; done'}
      - {name: second, run: 'echo "second says hello"; until test -f %s; do sleep 0.1; done; echo "second says bye"'}
      - {name: third, run: 'echo "third says nothing"'}
  other:
    runs-on: ubuntu-latest
    steps: [{run: echo OTHER}]
`, gate))
	id := p.dispatch(t, nil)
	p.await(t, id, func(r client.Run) bool { return r.Status == "in_progress" })
	job := p.jobs(t, id)["talk"].ID

	// A step that has ended is read while the job runs.
	require.Equal(t, 7, strings.Count("\n"+p.stepLog(t, job, "0"), "\nfirst says "))
	page, err := p.LogPage(t.Context(), p.repo, job, client.LogQuery{Step: "1"})
	require.NoError(t, err)
	require.False(t, page.Done)
	require.NoError(t, os.WriteFile(gate, nil, 0o644))
	require.Equal(t, "success", p.awaitEnd(t, id).Conclusion)

	var parts []string
	for _, step := range []string{"set-up", "0", "1", "2", "complete"} {
		parts = append(parts, p.stepLog(t, job, step))
	}
	require.NotEmpty(t, parts[0])
	require.Contains(t, parts[2], "second says hello")
	require.Contains(t, parts[2], "second says bye")
	require.NotContains(t, parts[2], "first says")
	t.Logf("set up: %d lines, complete: %d lines", strings.Count(parts[0], "\n")+1, strings.Count(parts[4], "\n")+1)
	require.Contains(t, parts[3], "third says nothing")
	require.NotEmpty(t, parts[4])
	require.Equal(t, p.stepLog(t, job, ""), strings.Join(parts, "\n"), "the steps are the whole log, and share nothing")
	log, err := p.JobLog(t.Context(), p.repo, job, 1<<20)
	require.NoError(t, err)
	require.Equal(t, strings.Count(log, "\n"), strings.Count(strings.Join(parts, "\n"), "\n")+1)

	require.Equal(t, parts, p.viewedSteps(t, id, job, len(parts)))

	var zipped bytes.Buffer
	require.NoError(t, p.RunLogs(t.Context(), p.repo, id, 0, &zipped))
	z, err := zip.NewReader(bytes.NewReader(zipped.Bytes()), int64(zipped.Len()))
	require.NoError(t, err)
	require.Len(t, z.File, 2)
	require.Equal(t, "0_talk.txt", z.File[0].Name)
	in, err := z.File[0].Open()
	require.NoError(t, err)
	text, err := io.ReadAll(in)
	require.NoError(t, err)
	require.Equal(t, log, string(text))

	var found []string
	require.NoError(t, p.SearchLogs(t.Context(), p.repo, id, client.LogSearch{Text: "SAYS", IgnoreCase: true}, func(m client.LogMatch) bool {
		if m.StepName == "second" && strings.HasPrefix(m.Line, "second says") {
			found = append(found, m.Line)
		}
		return true
	}))
	require.Equal(t, []string{"second says hello", "second says bye"}, found)
}

// TestADeletedRunIsGone also records a retention sweep, whose history the replay test keeps.
func TestADeletedRunIsGone(t *testing.T) {
	p := theStack(t).project(t, "on: workflow_dispatch\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps: [{run: echo hello}]\n")
	id := p.dispatch(t, nil)
	var status *client.Error
	require.ErrorAs(t, p.DeleteRun(t.Context(), p.repo, id), &status)
	require.Equal(t, http.StatusBadRequest, status.Status)
	p.awaitEnd(t, id)
	job := p.jobs(t, id)["a"].ID
	require.NoError(t, p.DeleteRun(t.Context(), p.repo, id))
	require.ErrorAs(t, p.DeleteRun(t.Context(), p.repo, id), &status)
	require.Equal(t, http.StatusNotFound, status.Status)
	_, err := p.Job(t.Context(), p.repo, job)
	require.ErrorAs(t, err, &status)
	require.Equal(t, http.StatusNotFound, status.Status)

	info := p.stack.info(t)
	c, err := temporal.Dial(temporal.Options{HostPort: info.TemporalAddress, Namespace: info.TemporalNamespace})
	require.NoError(t, err)
	defer c.Close()
	scheduled, err := c.DescribeWorkflowExecution(t.Context(), workflows.RetentionWorkflowID, "")
	require.NoError(t, err)
	require.Equal(t, workflows.RetentionWorkflowName, scheduled.WorkflowExecutionInfo.Type.Name)
	sweep, err := c.ExecuteWorkflow(t.Context(), temporal.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, workflows.RetentionWorkflowName)
	require.NoError(t, err)
	require.NoError(t, sweep.Get(t.Context(), nil))
	if dir := os.Getenv("PAWL_RECORD_HISTORIES"); dir != "" {
		record(t, c, sweep.GetID(), filepath.Join(dir, fmt.Sprintf("v%d-retention.json.gz", workflows.CurrentVersion)))
	}
}
