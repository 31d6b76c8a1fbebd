package hook

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

// turnsRig has a clock that stands still.
type turnsRig struct {
	turns
	at time.Time
}

func newTurns() *turnsRig {
	return &turnsRig{turns: turns{at: map[string]*queue{}}, at: time.Unix(1_800_000_000, 0)}
}

func (r *turnsRig) take(to string) (leave func(), wait time.Duration) {
	return r.enter(to, func() time.Time { return r.at })
}

// fill takes all places of a receiver.
func (r *turnsRig) fill(t *testing.T, to string) (leave []func()) {
	t.Helper()
	for range EachReceiver {
		done, wait := r.take(to)
		require.Zero(t, wait)
		leave = append(leave, done)
	}
	return leave
}

func TestAReceiverGetsSoManyAtOnce(t *testing.T) {
	r := newTurns()
	leave := r.fill(t, "a")
	_, wait := r.take("a")
	require.Equal(t, leastStep, wait)
	r.fill(t, "b") // has places of its own
	leave[0]()
	_, wait = r.take("a")
	require.Zero(t, wait)
	_, wait = r.take("a")
	require.NotZero(t, wait)
}

func TestWhoWaitsComesBackOneAfterTheOther(t *testing.T) {
	r := newTurns()
	leave := r.fill(t, "a")
	waits := func(n int) (out []time.Duration) {
		for range n {
			_, wait := r.take("a")
			out = append(out, wait)
		}
		return out
	}
	require.Equal(t, []time.Duration{leastStep, 2 * leastStep, 3 * leastStep}, waits(3))
	r.at = r.at.Add(8 * time.Second) // none has ended: it is slow
	require.Equal(t, []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, waits(3))
	require.Equal(t, mostWait, waits(1000)[999])
	r.at = r.at.Add(time.Hour)
	leave[0]()
	r.take("a")
	leave[1]()
	r.take("a") // at once, which tells that the receiver is fast
	leave[2]()
	_, wait := r.take("a")
	require.Zero(t, wait)
}

func TestTurnsForgetWhoIsNotSentTo(t *testing.T) {
	r := newTurns()
	leave := r.fill(t, "a")
	r.take("a") // is told to come back
	for _, done := range leave {
		done()
	}
	r.fill(t, "b")
	require.Len(t, r.turns.at, 2)
	r.at = r.at.Add(time.Second)
	r.fill(t, "c")
	require.Len(t, r.turns.at, 2)
	require.NotContains(t, r.turns.at, "a")
}

func TestReceiverOf(t *testing.T) {
	for address, want := range map[string]string{
		"http://Example.com/x?y": "example.com", "https://example.com:8443/": "example.com:8443", "http://[::1]:1/": "[::1]:1", "%": "",
	} {
		require.Equal(t, want, receiverOf(&db.Hook{URL: address}))
	}
}
