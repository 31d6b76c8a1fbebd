package hook

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
)

func TestPauses(t *testing.T) {
	var pauses []time.Duration
	for number := 1; number < mostTries; number++ {
		pauses = append(pauses, pauseAfter(number))
	}
	require.Equal(t, []time.Duration{
		10 * time.Second, 40 * time.Second, 160 * time.Second, 640 * time.Second, 2560 * time.Second, time.Hour, time.Hour,
	}, pauses)
}

func TestTheLastTry(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	r.answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	d := delivery(t, r.URL, Secrets{})
	for d.Tries < mostTries-1 {
		result, err := s.Send(t.Context(), d)
		require.NoError(t, err)
		require.Equal(t, db.DeliveryPending, result.Try.State)
		require.Equal(t, pauseAfter(d.Tries+1), result.Pause, "a receiver cannot use the tries up in a moment")
		d.Tries++
	}
	result, err := s.Send(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, db.DeliveryFailed, result.Try.State)
	require.Zero(t, result.Pause)
	require.Equal(t, "the receiver answered 503", result.Try.Error)
}
