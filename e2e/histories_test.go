package e2e

import (
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"
	temporal "go.temporal.io/sdk/client"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/workflows"
)

// recordHistories keeps the histories of a run and its jobs for the replay test, when PAWL_RECORD_HISTORIES names a
// directory.
func recordHistories(t *testing.T, p *project, run client.Run, jobs map[string]client.Job, name string) {
	t.Helper()
	history(t, p, workflows.RunWorkflowID(run.ID, run.Attempt), name+"-run")
	for _, j := range jobs {
		if j.Conclusion != "skipped" && j.RunnerName != "" {
			history(t, p, workflows.JobWorkflowID(j.ID), name+"-job-"+fileName(j.Name))
		}
	}
}

// history keeps the history of one workflow, when PAWL_RECORD_HISTORIES names a directory.
func history(t *testing.T, p *project, workflow, name string) {
	t.Helper()
	dir := os.Getenv("PAWL_RECORD_HISTORIES")
	if dir == "" {
		return
	}
	c := p.stack.temporal(t)
	defer c.Close()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	// Histories of each version of behaviour stand beside each other.
	record(t, c, workflow, filepath.Join(dir, fmt.Sprintf("v%d-%s.json.gz", workflows.CurrentVersion, name)))
}

// temporal is a client of the stack's Temporal.
func (s *stack) temporal(t *testing.T) temporal.Client {
	t.Helper()
	info := s.info(t)
	c, err := temporal.Dial(temporal.Options{HostPort: info.TemporalAddress, Namespace: info.TemporalNamespace})
	require.NoError(t, err)
	return c
}

func fileName(job string) string {
	out := []rune(job)
	for i, r := range out {
		if r == ' ' || r == '(' || r == ')' {
			out[i] = '_'
		}
	}
	return string(out)
}

func record(t *testing.T, c temporal.Client, id, path string) {
	t.Helper()
	iter := c.GetWorkflowHistory(t.Context(), id, "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var h historypb.History
	for iter.HasNext() {
		e, err := iter.Next()
		var none *serviceerror.NotFound
		if errors.As(err, &none) {
			return // a job that was passed through from an earlier attempt
		}
		require.NoError(t, err)
		h.Events = append(h.Events, e)
	}
	raw, err := protojson.Marshal(&h)
	require.NoError(t, err)
	f, err := os.Create(path)
	require.NoError(t, err)
	zipped := gzip.NewWriter(f)
	_, err = zipped.Write(raw)
	require.NoError(t, err)
	require.NoError(t, zipped.Close())
	require.NoError(t, f.Close())
}
