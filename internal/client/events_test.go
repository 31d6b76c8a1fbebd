package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFollowedRunIsTakenUpWhereItWas(t *testing.T) {
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path+" "+r.Header.Get("Last-Event-ID"))
		if len(asked) == 1 {
			fmt.Fprint(w, "retry: 1000\n\nid: 1-0\nevent: snapshot\ndata: {\"run\":{\"status\":\"queued\"},\"jobs\":[{\"name\":\"a\"}]}\n\n")
			fmt.Fprint(w, "id: 1-2\nevent: job\ndata: {\"job_id\":4,\"name\":\"a\",\"status\":\"in_progress\"}\n\n: still here\n\n")
			fmt.Fprint(w, "event: news\ndata: {}\n\n")
			return // it breaks off
		}
		fmt.Fprint(w, "id: 2-3\nevent: run\ndata: {\"run_id\":5,\"status\":\"completed\",\"conclusion\":\"success\"}\n\n")
		fmt.Fprint(w, "event: end\ndata: {\"run_id\":5,\"conclusion\":\"success\"}\n\n")
	}))
	defer server.Close()
	c := &Client{URL: server.URL, Token: "t"}
	var got []StatusEvent
	err := c.FollowRun(t.Context(), "a/b", 5, func(e StatusEvent) bool { got = append(got, e); return true })
	require.NoError(t, err)
	require.Equal(t, []string{"/api/v1/repos/a/b/actions/runs/5/events ", "/api/v1/repos/a/b/actions/runs/5/events 1-2"}, asked)
	require.Len(t, got, 4)
	require.Equal(t, "a", got[0].Snapshot.Jobs[0].Name)
	require.Equal(t, Change{JobID: 4, Name: "a", Status: "in_progress"}, *got[1].Change)
	require.Equal(t, "success", got[3].End.Conclusion)
}

func TestFollowingEnds(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, "event: snapshot\ndata: {\"runs\":[]}\n\n")
	}))
	defer server.Close()
	c := &Client{URL: server.URL}
	calls := 0
	require.NoError(t, c.FollowRepo(t.Context(), "a/b", func(StatusEvent) bool { calls++; return false }))
	require.Equal(t, 1, calls)
	ctx, cancel := context.WithCancel(t.Context())
	require.ErrorIs(t, c.FollowRepo(ctx, "a/b", func(StatusEvent) bool { cancel(); return true }), context.Canceled)
	status = http.StatusNotFound
	var refused *Error
	require.True(t, errors.As(c.FollowRepo(t.Context(), "a/b", nil), &refused))
	require.Equal(t, http.StatusNotFound, refused.Status)
}
