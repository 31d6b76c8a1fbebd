package loghub

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPublishWakesSubscribersOfTheTask(t *testing.T) {
	h := New()
	one, cancelOne := h.Subscribe(1)
	again, cancelAgain := h.Subscribe(1)
	two, cancelTwo := h.Subscribe(2)
	defer cancelTwo()

	h.Publish(1)
	h.Publish(1) // nobody has looked yet: one value is enough
	require.Len(t, one, 1)
	require.Len(t, again, 1)
	require.Empty(t, two)

	<-one
	cancelOne()
	cancelOne()
	h.Publish(1)
	require.Empty(t, one)

	cancelAgain()
	h.Publish(1)
	require.NotContains(t, h.tasks, int64(1), "nothing is kept of a task without subscribers")
}

func TestConcurrentUse(t *testing.T) {
	h := New()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 200 {
				changed, cancel := h.Subscribe(int64(i % 2))
				h.Publish(int64(i % 2))
				<-changed
				cancel()
			}
		})
	}
	wg.Wait()
	require.Empty(t, h.tasks)
}
