package main

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMapAttributesOfANewNamespace(t *testing.T) {
	aliases, err := mapAttributes(nil)
	require.NoError(t, err)
	require.Equal(t, map[string]string{
		"Keyword01": "PawlRepository", "Keyword02": "PawlWorkflow", "Keyword03": "PawlEvent", "Keyword04": "PawlBranch",
		"Keyword05": "PawlActor", "Keyword06": "PawlConclusion", "Int01": "PawlRunNumber",
	}, aliases)
}

func TestMapAttributesKeepsWhatExists(t *testing.T) {
	before := map[string]string{"Keyword01": "Foreign", "Keyword07": "PawlRepository"}
	aliases, err := mapAttributes(before)
	require.NoError(t, err)
	require.Len(t, before, 2, "the argument is not changed")
	require.Equal(t, "Foreign", aliases["Keyword01"])
	require.Equal(t, "PawlRepository", aliases["Keyword07"])
	require.Equal(t, "PawlWorkflow", aliases["Keyword02"])

	again, err := mapAttributes(aliases)
	require.NoError(t, err)
	require.Equal(t, aliases, again)
}

func TestMapAttributesWithoutAFreeColumn(t *testing.T) {
	full := map[string]string{"Int01": "A", "Int02": "B", "Int03": "C"}
	_, err := mapAttributes(full)
	require.ErrorContains(t, err, "PawlRunNumber")
}

func TestSlimStatementsIndexMappedColumnsPartially(t *testing.T) {
	statements := slimStatements(map[string]string{"Keyword02": "B", "Int01": "A"})
	require.Len(t, statements, 3)
	require.Contains(t, statements[0], "'by_workflow_type', 'pawl_int01', 'pawl_keyword02')")
	require.Contains(t, statements[1], "CREATE INDEX IF NOT EXISTS pawl_int01 ON")
	require.Contains(t, statements[1], "WHERE int01 IS NOT NULL")
}

func TestPickPorts(t *testing.T) {
	p, err := pickPorts(config{Bind: "127.0.0.1", UIPort: -1})
	require.NoError(t, err)
	require.Equal(t, -1, p.ui)
	seen := map[int]bool{p.frontend: true, p.history: true, p.matching: true, p.worker: true, p.metrics: true}
	require.Len(t, seen, 5, "all ports differ")

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = pickPorts(config{Bind: "127.0.0.1", Port: taken.Addr().(*net.TCPAddr).Port, UIPort: -1})
	require.ErrorContains(t, err, "frontend port")
}

func TestWriteReadyFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "ready.json")
	want := endpoints{GRPCAddress: "127.0.0.1:1", UIURL: "http://127.0.0.1:2", MetricsURL: "http://127.0.0.1:3/metrics", Namespace: "pawl"}
	require.NoError(t, writeReadyFile(path, want))
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var got endpoints
	require.NoError(t, json.Unmarshal(data, &got))
	require.Equal(t, want, got)
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1, "no temporary file stays")

	require.Error(t, writeReadyFile(filepath.Join(dir, "missing", "ready.json"), want))
}
