package pacing

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newPacer() *Pacer[int64] {
	return New(5*time.Second, 5*time.Minute, func(id int64) int64 { return id })
}

func TestPausesGrow(t *testing.T) {
	p, now := newPacer(), time.Unix(1000, 0)
	var pauses []time.Duration
	last := now
	for range 4000 {
		for _, id := range p.Due(now, []int64{1}) {
			require.Equal(t, len(pauses) == 0, p.Done(now, id), "only the first time is the first")
			pauses = append(pauses, now.Sub(last))
			last = now
		}
		now = now.Add(time.Second)
	}
	require.Equal(t, []time.Duration{0, 5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second}, pauses[:5])
	require.Equal(t, 5*time.Minute, pauses[len(pauses)-1])
}

func TestWhatFailedStaysDue(t *testing.T) {
	p, now := newPacer(), time.Unix(1000, 0)
	for range 100 {
		require.Equal(t, []int64{1, 2}, p.Due(now, []int64{1, 2}))
	}
	p.Done(now, 1)
	require.Equal(t, []int64{2}, p.Due(now, []int64{1, 2}))
	require.Equal(t, []int64{1, 2}, p.Due(now.Add(5*time.Second), []int64{1, 2}), "a failure has made no pause longer")
}

func TestMemoryIsThatOfTheLastList(t *testing.T) {
	p, now := newPacer(), time.Unix(1000, 0)
	for id := range int64(1000) {
		for _, due := range p.Due(now, []int64{id, id + 1}) {
			p.Done(now, due)
		}
	}
	require.Len(t, p.next, 2)
	require.Equal(t, []int64{1}, p.Due(now, []int64{1, 1000}))
	require.Len(t, p.next, 1)
}
