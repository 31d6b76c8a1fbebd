package pacing

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// share does a second's work at a time, of which there is so much, and returns how often and in what time.
func share(ctx context.Context, work int, while time.Duration) (done int, took time.Duration, more bool, err error) {
	began := time.Now()
	more, err = Sharing(ctx, 4, while, func(context.Context) (bool, error) {
		time.Sleep(time.Second)
		done++
		return done < work, nil
	})
	return done, time.Since(began), more, err
}

func TestSharing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		done, took, more, err := share(t.Context(), 3, time.Minute)
		require.NoError(t, err)
		require.False(t, more)
		require.Equal(t, 3, done)
		require.Equal(t, 9*time.Second, took, "a second of work, three of rest, and no rest at the end")

		done, took, more, err = share(t.Context(), 100, 10*time.Second)
		require.NoError(t, err)
		require.True(t, more, "it ends when the time is over")
		require.Equal(t, 4, done)
		require.Equal(t, 13*time.Second, took)

		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		done, took, _, err = share(ctx, 100, time.Minute)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 1, done)
		require.Equal(t, 2*time.Second, took, "nobody rests who is to end")

		broken := errors.New("broken")
		_, err = Sharing(t.Context(), 4, time.Minute, func(context.Context) (bool, error) { return true, broken })
		require.ErrorIs(t, err, broken)
	})
}
