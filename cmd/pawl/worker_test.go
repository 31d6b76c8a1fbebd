package main

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUntilFailed(t *testing.T) {
	broken := errors.New("broken")
	serving := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}

	failed := make(chan error, 1)
	failed <- broken
	require.ErrorIs(t, untilFailed(t.Context(), failed, serving), broken, "the worker has stopped by itself")

	refuse := func(context.Context) error { return broken }
	require.ErrorIs(t, untilFailed(t.Context(), make(chan error), refuse), broken, "serving fails")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, untilFailed(ctx, make(chan error), serving), "it was told to stop")
}
