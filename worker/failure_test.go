package worker

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"
)

// The SDK calls OnFatalError when Temporal refuses polls for good, and stops the worker after it.
func TestFatalErrorIsTold(t *testing.T) {
	w := newWorker()
	require.NoError(t, w.Check(t.Context()))
	gone := serviceerror.NewNamespaceNotFound("pawl")
	w.options(Options{}).OnFatalError(gone)
	require.ErrorIs(t, w.Check(t.Context()), gone)
	select {
	case err := <-w.Failed():
		require.ErrorIs(t, err, gone)
	default:
		t.Fatal("the failure is not delivered")
	}
	require.ErrorIs(t, w.Check(t.Context()), gone, "it stays unhealthy")
}
