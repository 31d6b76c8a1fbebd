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
	"go.temporal.io/api/history/v1"
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
	dir := os.Getenv("PAWL_RECORD_HISTORIES")
	if dir == "" {
		return
	}
	info := p.stack.info(t)
	c, err := temporal.Dial(temporal.Options{HostPort: info.TemporalAddress, Namespace: info.TemporalNamespace})
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, os.MkdirAll(dir, 0o755))
	// Histories of each version of behaviour stand beside each other.
	name = fmt.Sprintf("v%d-%s", workflows.CurrentVersion, name)
	record(t, c, workflows.RunWorkflowID(run.ID, run.Attempt), filepath.Join(dir, name+"-run.json.gz"))
	for _, j := range jobs {
		if j.Conclusion != "skipped" && j.RunnerName != "" {
			record(t, c, workflows.JobWorkflowID(j.ID), filepath.Join(dir, name+"-job-"+fileName(j.Name)+".json.gz"))
		}
	}
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
	var h history.History
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
