package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

func TestExitStatus(t *testing.T) {
	status := func(n int) error { return fmt.Errorf("context: %w", &client.Error{Status: n}) }
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("run 7: failure"), 1},
		{status(http.StatusBadRequest), 1},
		{status(http.StatusConflict), 1},
		{status(http.StatusUnprocessableEntity), 1},
		{status(http.StatusUnauthorized), 4},
		{status(http.StatusForbidden), 4},
		{status(http.StatusNotFound), 5},
		{status(http.StatusTooManyRequests), 3},
		{status(http.StatusServiceUnavailable), 3},
		{fmt.Errorf("x: %w", &client.Unreachable{URL: "http://a", Err: errors.New("connection refused")}), 3},
		{errInterrupted, 130},
	} {
		require.Equal(t, c.want, ExitStatus(c.err), "%v", c.err)
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	f := newFake(t)
	f.says("GET /workflows", `{"message":"invalid username, password or token"}`, http.StatusUnauthorized)
	_, _, err := f.pawl(Terminal{}, "workflow", "list")
	require.ErrorContains(t, err, "invalid username, password or token (status 401")
	require.ErrorContains(t, err, "; the token may have been deleted")
	require.Equal(t, exitDenied, ExitStatus(err))

	f.says("GET /workflows", `{"message":"rate limit exceeded, try again in 3s"}`, http.StatusTooManyRequests, "Retry-After", "3")
	_, _, err = f.pawl(Terminal{}, "workflow", "list")
	require.ErrorContains(t, err, "try again in 3s")
	require.Equal(t, exitAway, ExitStatus(err))

	_, _, err = f.pawl(Terminal{}, "secret", "list", "--user")
	require.ErrorContains(t, err, "servers do not list them")

	s := &session{Client: &client.Client{URL: "http://a"}}
	for _, status := range []int{http.StatusUnauthorized, http.StatusNotFound} {
		err = s.explain(t.Context(), &client.Error{Status: status})
		require.ErrorContains(t, err, "pawl context add NAME --url http://a")
	}
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, s.explain(ctx, context.Canceled), context.Canceled, "not by the user")
	cancel()
	require.Equal(t, errInterrupted, s.explain(ctx, fmt.Errorf("x: %w", context.Canceled)))
}
