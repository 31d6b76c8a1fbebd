package client_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// recorded is a server that notes the latest request and gives one answer to all.
type recorded struct {
	*client.Client
	request, body string
}

func newRecorded(t *testing.T, status int, answer string) *recorded {
	r := &recorded{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.request, r.body = req.Method+" "+req.URL.RequestURI(), string(body)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	r.Client = &client.Client{URL: server.URL, Token: "t"}
	return r
}

func TestCallsAskForTheRightThing(t *testing.T) {
	r := newRecorded(t, http.StatusOK, `{"id":7,"total_count":1,"events":[{"event":"started"}],"jobs":[{}]}`)
	one := 1
	for want, call := range map[string]func(context.Context) error{
		"DELETE /api/v1/repos/a/b/hooks/5":     func(ctx context.Context) error { return r.DeleteHook(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/hooks/5/tests": func(ctx context.Context) error { return r.TestHook(ctx, "a/b", 5) },
		"GET /api/v1/repos/a/b/hooks/5/deliveries/6": func(ctx context.Context) error {
			_, err := r.Delivery(ctx, "a/b", 5, 6)
			return err
		},
		"POST /api/v1/repos/a/b/hooks/5/deliveries/6/redeliver": func(ctx context.Context) error {
			_, err := r.Redeliver(ctx, "a/b", 5, 6)
			return err
		},
		"POST /api/v1/repos/a/b/actions/runs/5/cancel":            func(ctx context.Context) error { return r.Cancel(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/runs/5/force-cancel":      func(ctx context.Context) error { return r.ForceCancel(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/runs/5/approve":           func(ctx context.Context) error { return r.Approve(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/runs/5/pause":             func(ctx context.Context) error { return r.Pause(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/runs/5/resume":            func(ctx context.Context) error { return r.Resume(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/runs/5/rerun":             func(ctx context.Context) error { _, err := r.Rerun(ctx, "a/b", 5); return err },
		"POST /api/v1/repos/a/b/actions/runs/5/rerun-failed-jobs": func(ctx context.Context) error { return r.RerunFailed(ctx, "a/b", 5) },
		"POST /api/v1/repos/a/b/actions/jobs/6/rerun":             func(ctx context.Context) error { _, err := r.RerunJob(ctx, "a/b", 6); return err },
		"GET /api/v1/repos/a/b/actions/jobs/6":                    func(ctx context.Context) error { _, err := r.Job(ctx, "a/b", 6); return err },
		"GET /api/v1/repos/a/b/actions/jobs/6/logs?task=9":        func(ctx context.Context) error { _, err := r.TaskLog(ctx, "a/b", 6, 9, 100); return err },
		"GET /api/v1/repos/a/b/actions/runs/5/attempts/2":         func(ctx context.Context) error { _, err := r.AttemptRun(ctx, "a/b", 5, 2); return err },
		"GET /api/v1/repos/a/b/actions/runs/5/timeline?attempt=2&limit=50&page=1": func(ctx context.Context) error {
			_, err := r.Timeline(ctx, "a/b", 5, 2)
			return err
		},
		"GET /api/v1/repos/a/b/actions/runs/5/timeline?limit=50&page=1": func(ctx context.Context) error {
			_, err := r.Timeline(ctx, "a/b", 5, 0)
			return err
		},
		"DELETE /api/v1/repos/a/b/environments/x%2Fy":   func(ctx context.Context) error { return r.DeleteEnvironment(ctx, "a/b", "x/y") },
		"GET /api/v1/repos/a/b/actions/settings":        func(ctx context.Context) error { _, err := r.RepoSettings(ctx, "a/b"); return err },
		"PATCH /api/v1/orgs/o/actions/settings":         func(ctx context.Context) error { return r.SetOrgJobLimit(ctx, "o", &one) },
		"PATCH /api/v1/admin/users/u/actions/settings":  func(ctx context.Context) error { return r.SetUserJobLimit(ctx, "u", nil) },
		"PUT /api/v1/user/actions/scoped_workflows/a/b": func(ctx context.Context) error { return r.SetScopedSource(ctx, "a/b", true) },
	} {
		require.NoError(t, call(t.Context()), want)
		require.Equal(t, want, r.request)
	}
}

func TestBodiesOfCalls(t *testing.T) {
	r := newRecorded(t, http.StatusOK, `{"id":7}`)
	rules := client.EnvironmentRules{WaitMinutes: 5, Reviewers: []client.Reviewer{{Type: "User", ID: 3}}}
	id, err := r.PutEnvironment(t.Context(), "a/b", "prod", rules)
	require.NoError(t, err)
	require.EqualValues(t, 7, id)
	require.JSONEq(t, `{"wait_timer":5,"prevent_self_review":false,"reviewers":[{"type":"User","id":3}]}`, r.body)
	require.NoError(t, r.Review(t.Context(), "a/b", 5, []int64{7}, false, "no"))
	require.JSONEq(t, `{"environment_ids":[7],"state":"rejected","comment":"no"}`, r.body)
	require.NoError(t, r.EditRepoSettings(t.Context(), "a/b", map[string]any{"max_running_jobs": nil}))
	require.JSONEq(t, `{"max_running_jobs":null}`, r.body)
}

func TestErrorsCarryStatusAndMessage(t *testing.T) {
	r := newRecorded(t, http.StatusConflict, `{"message":"already finished"}`)
	var answer *client.Error
	require.ErrorAs(t, r.Cancel(t.Context(), "a/b", 5), &answer)
	require.Equal(t, client.Error{
		Status: http.StatusConflict, Message: "already finished", Request: "POST /repos/a/b/actions/runs/5/cancel",
	}, *answer)
	require.True(t, client.Refused(answer))
	require.Equal(t, "already finished (status 409 of POST /repos/a/b/actions/runs/5/cancel)", answer.Error())
}

func TestServersThatAreAwayOrBusy(t *testing.T) {
	header, status := "7", http.StatusTooManyRequests
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", header)
		w.WriteHeader(status)
	}))
	c := &client.Client{URL: server.URL}
	pause := func() time.Duration {
		_, err := c.Me(t.Context())
		require.Error(t, err)
		require.False(t, client.Refused(err))
		return client.PauseAfter(err, time.Second)
	}
	require.Equal(t, 7*time.Second, pause())
	for _, header = range []string{"", "-5", "soon", "0"} {
		require.Equal(t, time.Second, pause(), header)
	}
	header, status = "99999999999", http.StatusServiceUnavailable
	require.Equal(t, 5*time.Minute, pause())

	server.Close()
	require.Equal(t, time.Second, pause())
	_, err := c.Me(t.Context())
	require.ErrorContains(t, err, server.URL+" cannot be reached: dial tcp")
	require.NotContains(t, err.Error(), "/api/v1")
}

// Wrong credentials are refused even where none are needed, so that none are made up.
func TestNoCredentialsAreSentWhereThereAreNone(t *testing.T) {
	for want, c := range map[string]*client.Client{
		"": {}, "token t": {Token: "t", User: "ann"}, "Basic YW5uOng=": {User: "ann", Password: "x"},
	} {
		sent := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			sent <- r.Header.Get("Authorization")
		}))
		c.URL = server.URL
		_, err := c.Me(t.Context())
		require.NoError(t, err)
		require.Equal(t, want, <-sent)
		server.Close()
	}
}
