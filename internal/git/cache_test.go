package git

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestCacheNeverExceedsItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newCache(1000)
		for i := range rapid.IntRange(0, 100).Draw(t, "puts") {
			key := cacheKey{repository: int64(rapid.IntRange(1, 3).Draw(t, "repository")), sha: fmt.Sprint(i % 20)}
			c.put(key, i, int64(rapid.IntRange(0, 200).Draw(t, "size")))
			if rapid.IntRange(0, 20).Draw(t, "forget") == 0 {
				c.forget(2)
			}
			require.LessOrEqual(t, c.size, c.limit)
			require.Equal(t, c.order.Len(), len(c.entries))
		}
	})
}

func TestCacheDropsTheLeastRecentlyUsed(t *testing.T) {
	c := newCache(800)
	key := func(i int) cacheKey { return cacheKey{sha: fmt.Sprint(i)} }
	for i := range 8 {
		c.put(key(i), i, 100)
	}
	_, ok := c.get(key(0))
	require.True(t, ok)
	c.put(key(8), 8, 100)
	_, ok = c.get(key(0))
	require.True(t, ok, "used lately")
	_, ok = c.get(key(1))
	require.False(t, ok, "the oldest went")
	c.put(key(9), 9, 101)
	_, ok = c.get(key(9))
	require.False(t, ok, "one entry must not push out everything else")
}

// A caller that gives up takes neither the work nor the answer away from the others.
func TestCachedOutlivesAnImpatientCaller(t *testing.T) {
	s := newStore(t)
	key := cacheKey{repository: 1, sha: "x", question: "q"}
	started, proceed := make(chan struct{}), make(chan struct{})
	ask := func(ctx context.Context) (sized[int], error) {
		close(started)
		<-proceed
		return sized[int]{42, 8}, ctx.Err()
	}
	ctx, cancel := context.WithCancel(t.Context())
	impatient := make(chan error, 1)
	go func() {
		_, err := cached(ctx, s, key, ask)
		impatient <- err
	}()
	<-started
	cancel()
	require.ErrorIs(t, <-impatient, context.Canceled)
	patient := make(chan int, 1)
	go func() {
		value, _ := cached(t.Context(), s, key, func(context.Context) (sized[int], error) {
			return sized[int]{42, 8}, nil
		})
		patient <- value
	}()
	close(proceed)
	require.Equal(t, 42, <-patient)
}

func TestCachedKeepsNoErrors(t *testing.T) {
	s := newStore(t)
	key := cacheKey{repository: 1, sha: "x", question: "q"}
	broken := errors.New("broken")
	_, err := cached(t.Context(), s, key, func(context.Context) (sized[int], error) { return sized[int]{}, broken })
	require.ErrorIs(t, err, broken)
	value, err := cached(t.Context(), s, key, func(context.Context) (sized[int], error) { return sized[int]{1, 8}, nil })
	require.NoError(t, err)
	require.Equal(t, 1, value)
}
