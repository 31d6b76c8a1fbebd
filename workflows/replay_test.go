package workflows_test

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/worker"
	"google.golang.org/protobuf/encoding/protojson"

	pawlworker "github.com/pawl-ci/pawl/worker"
	"github.com/pawl-ci/pawl/workflows"
)

// TestReplay runs today's workflows against histories recorded by earlier code (`make record-histories`). A failure
// means that a deploy would break the runs that are open: give the change a named version.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob("testdata/*.json.gz")
	require.NoError(t, err)
	require.NotEmpty(t, files, "no recorded histories")
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			replayer := worker.NewWorkflowReplayer()
			pawlworker.Register(replayer, &workflows.Settings{Job: settings})
			require.NoError(t, replayer.ReplayWorkflowHistory(nil, readHistory(t, name)))
		})
	}
}

func readHistory(t *testing.T, name string) *history.History {
	t.Helper()
	f, err := os.Open(name)
	require.NoError(t, err)
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	require.NoError(t, err)
	raw, err := io.ReadAll(unzipped)
	require.NoError(t, err)
	var h history.History
	require.NoError(t, protojson.Unmarshal(raw, &h))
	return &h
}
