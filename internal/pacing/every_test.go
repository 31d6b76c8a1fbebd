package pacing

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEvery(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var at []time.Duration
		Every(ctx, time.Minute, func(context.Context) {
			at = append(at, time.Since(begin))
			time.Sleep(90 * time.Second) // longer than the interval
			if len(at) == 3 {
				cancel()
			}
		})
		require.Less(t, at[0], time.Minute)
		require.Equal(t, []time.Duration{at[0] + 90*time.Second, at[0] + 180*time.Second}, at[1:])
	})
}
