package ratelimit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/ratelimit"
)

func TestRateAsText(t *testing.T) {
	for text, want := range map[string]ratelimit.Rate{"50:500": {PerSecond: 50, Burst: 500}, "0.5:1": {PerSecond: 0.5, Burst: 1}, "off": {}} {
		var r ratelimit.Rate
		require.NoError(t, r.UnmarshalText([]byte(text)))
		require.Equal(t, want, r)
		back, err := r.MarshalText()
		require.NoError(t, err)
		require.Equal(t, text, string(back))
	}
	for _, text := range []string{"", "50", "0:1", "-1:1", "1:0", "NaN:1", "Inf:1", "1:x", "x:1", "1:1:1"} {
		require.Error(t, new(ratelimit.Rate).UnmarshalText([]byte(text)), text)
	}
}

func TestBuckets(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	b, err := ratelimit.New(ratelimit.Rate{PerSecond: 2, Burst: 3}, func() time.Time { return now })
	require.NoError(t, err)
	require.False(t, b.Knows("a"))
	for left := 2; left >= 0; left-- {
		s, ok := b.Take("a")
		require.True(t, ok)
		require.Equal(t, left, s.Remaining)
		require.Equal(t, 3, s.Limit)
	}
	require.True(t, b.Knows("a"))
	s, ok := b.Take("a")
	require.False(t, ok)
	require.Equal(t, 500*time.Millisecond, s.Wait)
	require.Equal(t, now.Add(1500*time.Millisecond), s.Full)
	s, ok = b.Look("a")
	require.False(t, ok)
	require.Zero(t, s.Remaining)
	_, ok = b.Take("b")
	require.True(t, ok, "another client")

	now = now.Add(500 * time.Millisecond)
	_, ok = b.Look("a")
	require.True(t, ok)
	_, ok = b.Take("a")
	require.True(t, ok)
	_, ok = b.Take("a")
	require.False(t, ok)
}

func TestBucketsThatAreOff(t *testing.T) {
	b, err := ratelimit.New(ratelimit.Rate{}, time.Now)
	require.NoError(t, err)
	for range 1000 {
		_, ok := b.Take("a")
		require.True(t, ok)
	}
	require.False(t, b.Knows("a"), "nothing is kept")
}

// However many clients there are, the memory is bounded; who has not asked for longest is forgotten.
func TestBucketsForget(t *testing.T) {
	now := time.Now()
	b, err := ratelimit.New(ratelimit.Rate{PerSecond: 1, Burst: 1}, func() time.Time { return now })
	require.NoError(t, err)
	b.Take("first")
	for i := range 50_000 {
		b.Take(fmt.Sprint(i))
	}
	require.False(t, b.Knows("first"))
	require.True(t, b.Knows("49999"))
}

func BenchmarkTake(b *testing.B) {
	buckets, err := ratelimit.New(ratelimit.Rate{PerSecond: 1e9, Burst: 1e9}, time.Now)
	require.NoError(b, err)
	for b.Loop() {
		buckets.Take("somebody")
	}
}
