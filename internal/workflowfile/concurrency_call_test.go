package workflowfile

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ci"
)

// TestCallConcurrency holds that a called file's own group sees the inputs of the call, the event and the variables, and
// nothing that only its caller knows.
func TestCallConcurrency(t *testing.T) {
	c := JobContext{
		GitHub: map[string]any{"ref_name": "main", "workflow": "Root"}, Inputs: map[string]any{"to": "prod", "stop": true}, Vars: map[string]string{"G": "g"},
	}
	for keys, want := range map[string]*ci.Concurrency{
		"x: y":                                 nil,
		"concurrency: ''":                      nil,
		"concurrency: deploy-${{ inputs.to }}": {Group: "deploy-prod"},
		"concurrency: ${{ github.workflow }}-${{ vars.G }}":                                          {Group: "Root-g"},
		"concurrency: {group: '${{ github.ref_name }}', cancel-in-progress: '${{ inputs.stop }}'}":   {Group: "main", CancelInProgress: true},
		"concurrency: {group: a, queue: max, cancel-in-progress: '${{ inputs.to == ''staging'' }}'}": {Group: "a", QueueAll: true},
	} {
		w := parse(t, keys+"\n"+job("x: y"))
		require.Equal(t, keys != "x: y", w.HasConcurrency(), keys)
		got, err := w.CallConcurrency(c)
		require.NoError(t, err, keys)
		require.Equal(t, want, got, keys)
	}
	_, err := parse(t, "concurrency: ${{ fromJSON(inputs.to) }}\n"+job("x: y")).CallConcurrency(c)
	require.ErrorContains(t, err, "ci.yml:1:18: fromJSON:")
	require.Contains(t, problemsOf(t, "concurrency: ${{ needs.a.result }}\n"+job("x: y"))[0], "ci.yml:1:18: the context 'needs' is not available in `concurrency`")
}

// TestCallersAreGated holds that a caller is looked at before it goes: what it calls may have a group of its own.
func TestCallersAreGated(t *testing.T) {
	require.True(t, plan(t, calling("x: y"), PlanContext{}).Jobs[0].Gated)
}
