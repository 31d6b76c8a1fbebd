package runnergw

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// A batch is larger than what runs at once; all of it is told, and what failed is not counted as told.
func TestDeliverAllIsBoundedAndComplete(t *testing.T) {
	items := make([]int, sweepBatch)
	for i := range items {
		items[i] = i
	}
	var running, most atomic.Int64
	var all sync.WaitGroup
	all.Add(maxDeliveries)
	delivered := deliverAll(items, func(i int) error {
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		if i < maxDeliveries { // the first ones wait for each other
			all.Done()
			all.Wait()
		}
		if i%2 == 1 {
			return errors.New("away")
		}
		return nil
	})
	require.Len(t, delivered, sweepBatch/2)
	require.False(t, slices.ContainsFunc(delivered, func(i int) bool { return i%2 == 1 }))
	require.LessOrEqual(t, most.Load(), int64(maxDeliveries))
}
