package runnergw_test

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"connectrpc.com/connect"
	pingv1 "gitea.dev/actions-proto-go/ping/v1"
	"gitea.dev/actions-proto-go/ping/v1/pingv1connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/runnergw"
)

func TestPing(t *testing.T) {
	e := newEnv(t)
	for _, options := range [][]connect.ClientOption{nil, {connect.WithProtoJSON()}, {connect.WithSendGzip()}} {
		client := pingv1connect.NewPingServiceClient(e.server.Client(), e.server.URL+"/api/actions", options...)
		got, err := client.Ping(t.Context(), connect.NewRequest(&pingv1.PingRequest{Data: "you"}))
		require.NoError(t, err)
		require.Equal(t, "Hello, you!", got.Msg.Data)
	}
}

func TestHandlerTakesPathsWithoutPrefixToo(t *testing.T) {
	e := newEnv(t)
	for _, path := range []string{"/api/actions/ping.v1.PingService/Ping", "/ping.v1.PingService/Ping"} {
		req, err := http.NewRequest(http.MethodPost, path, strings.NewReader(`{"data":"x"}`))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		w := newRecorder()
		e.gw.Handler().ServeHTTP(w, req)
		require.Equal(t, http.StatusOK, w.Code, path)
		require.JSONEq(t, `{"data":"Hello, x!"}`, w.Body.String())
	}
}

func TestRegister(t *testing.T) {
	e := newEnv(t)
	owner := dbtest.Owner(t, e.db)
	for name, scope := range map[string]db.Scope{"instance": {}, "owner": {OwnerID: owner.ID}, "repository": {RepoID: e.repo.ID}} {
		t.Run(name, func(t *testing.T) {
			got, err := e.anonymous().Register(t.Context(), connect.NewRequest(&runnerv1.RegisterRequest{
				Name: strings.Repeat("é", 300), Token: e.registrationToken(scope), Version: "v1.0.8",
				Labels: []string{"linux", "linux", " x64 ", ""}, Ephemeral: true, Capabilities: []string{"cancelling"},
			}))
			require.NoError(t, err)
			r := got.Msg.Runner
			require.Len(t, r.Token, 40)
			require.Equal(t, strings.Repeat("é", 255), r.Name)
			require.Equal(t, []string{"linux", "x64"}, r.Labels)
			require.True(t, r.Ephemeral)
			stored := &db.Runner{}
			require.NoError(t, e.db.NewSelect().Model(stored).Where("id = ?", r.Id).Scan(t.Context()))
			require.Equal(t, scope, stored.Scope())
			require.Equal(t, r.Uuid, stored.UUID.String())
			require.Equal(t, []string{"cancelling"}, stored.Capabilities)
			require.Equal(t, e.tokens.Hash(r.Token), stored.TokenHash)
		})
	}
}

// Registrations and refusals are in the audit log, without the token; a runner that is refused for ever does not fill it.
func TestRegistrationsAreRecorded(t *testing.T) {
	e := newEnv(t)
	register := func(secret string) {
		req := connect.NewRequest(&runnerv1.RegisterRequest{Name: "box", Token: secret})
		req.Header().Set("User-Agent", "gitea-runner/1")
		_, _ = e.anonymous().Register(t.Context(), req)
	}
	register(e.registrationToken(db.Scope{RepoID: e.repo.ID}))
	for range 20 {
		register("guess")
	}
	entries, err := e.db.AuditLog(t.Context(), db.AuditFilter{Action: "runner.register", Limit: 100})
	require.NoError(t, err)
	require.Len(t, entries, 11, "ten of the refusals")
	first := entries[10]
	require.Equal(t, db.AuditOK, first.Result)
	require.Equal(t, e.repo.FullName(), first.Repo)
	require.Equal(t, "box", first.Target["name"])
	require.NotEmpty(t, first.Target["runner_id"])
	require.Equal(t, "127.0.0.1", first.Address)
	require.Equal(t, "gitea-runner/1", first.UserAgent)
	require.Equal(t, db.AuditRefused, entries[0].Result)
	require.Equal(t, 404, entries[0].Status)
	require.NotContains(t, fmt.Sprint(entries), "guess")
}

// Whoever has a network of IPv6 has many addresses, and is one client all the same.
func TestRefusalsOfANetworkAreBounded(t *testing.T) {
	e := newEnv(t, func(o *runnergw.Options) { o.TrustedProxies = peer.Proxies{netip.MustParsePrefix("127.0.0.0/8")} })
	for i := range 20 {
		req := connect.NewRequest(&runnerv1.RegisterRequest{Name: "box", Token: "guess"})
		req.Header().Set("X-Forwarded-For", fmt.Sprintf("2001:db8::%x", i+1))
		_, err := e.anonymous().Register(t.Context(), req)
		require.Error(t, err)
	}
	entries, err := e.db.AuditLog(t.Context(), db.AuditFilter{Action: "runner.register", Limit: 100})
	require.NoError(t, err)
	require.Len(t, entries, 10)
	require.Equal(t, "2001:db8::a", entries[0].Address, "the entry has all of it")
}

func TestRegisterTakesLabelsOfOldRunners(t *testing.T) {
	e := newEnv(t)
	//lint:ignore SA1019 the deprecated fields are what is tested
	r := e.registerAs(db.Scope{}, &runnerv1.RegisterRequest{Name: "old", AgentLabels: []string{"a"}, CustomLabels: []string{"b"}})
	got, err := e.db.RunnerByUUID(t.Context(), uuidOf(r))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, got.Labels)
}

func TestRegisterErrors(t *testing.T) {
	e := newEnv(t)
	old := e.registrationToken(db.Scope{})
	fresh, err := e.vault.ResetRegistrationToken(t.Context(), db.Scope{})
	require.NoError(t, err)
	orphan := e.registrationToken(db.Scope{RepoID: 1 << 40})
	long := make([]string, 300)
	for i := range long {
		long[i] = strings.Repeat("x", i+1)
	}
	tests := []struct {
		name string
		req  *runnerv1.RegisterRequest
		code connect.Code
		text string
	}{
		{"no token", &runnerv1.RegisterRequest{Name: "x"}, connect.CodeInvalidArgument, "missing runner token, name"},
		{"no name", &runnerv1.RegisterRequest{Token: fresh, Name: " \x00"}, connect.CodeInvalidArgument, "missing runner token, name"},
		{"unknown", &runnerv1.RegisterRequest{Name: "x", Token: "guess"}, connect.CodeNotFound, "runner registration token not found"},
		{"reset", &runnerv1.RegisterRequest{Name: "x", Token: old}, connect.CodePermissionDenied, "has been invalidated, please use the latest one"},
		{"scope gone", &runnerv1.RegisterRequest{Name: "x", Token: orphan}, connect.CodeNotFound, "gone"},
		{"labels", &runnerv1.RegisterRequest{Name: "x", Token: fresh, Labels: long}, connect.CodeInvalidArgument, "labels"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := e.anonymous().Register(t.Context(), connect.NewRequest(tt.req))
			require.Equal(t, tt.code, connect.CodeOf(err), "%v", err)
			require.ErrorContains(t, err, tt.text)
		})
	}
}

func TestUnregisteredRunners(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	other := e.register(db.Scope{}, "linux")
	clients := map[string]*runner{
		"no headers":      {env: e, rpc: e.anonymous()},
		"no uuid":         {env: e, rpc: e.client("nonsense", r.secret)},
		"unknown uuid":    {env: e, rpc: e.client("6ba7b810-9dad-11d1-80b4-00c04fd430c8", r.secret)},
		"no token":        {env: e, rpc: e.client(r.uuid, "")},
		"another's token": {env: e, rpc: e.client(r.uuid, other.secret)},
	}
	require.NoError(t, e.db.RemoveRunner(t.Context(), other.id))
	clients["removed"] = other
	for name, c := range clients {
		t.Run(name, func(t *testing.T) {
			e.eventually(func() bool {
				err := c.declare(nil)
				return connect.CodeOf(err) == connect.CodeUnauthenticated && strings.Contains(err.Error(), "unregistered runner")
			}, "declare")
			_, err := c.fetch(patience)
			require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
			_, err = c.update(&runnerv1.TaskState{Id: 1}, nil)
			require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
			_, err = c.log(1, 0, true)
			require.Equal(t, connect.CodeUnauthenticated, connect.CodeOf(err))
		})
	}
	require.NoError(t, r.declare([]string{"linux"}), "the right one still works")
}

func TestDeclare(t *testing.T) {
	e := newEnv(t)
	r := e.register(db.Scope{}, "linux")
	got, err := r.rpc.Declare(t.Context(), connect.NewRequest(&runnerv1.DeclareRequest{Version: "v2", Labels: []string{"mac"}, Capabilities: []string{"cancelling"}}))
	require.NoError(t, err)
	require.Equal(t, []string{"mac"}, got.Msg.Runner.Labels)
	require.Equal(t, "v2", got.Msg.Runner.Version)
	require.Empty(t, got.Msg.Runner.Token)
	require.Empty(t, got.Header().Get("X-Gitea-Actions-Capabilities"), "no capability is served yet")
	e.offer(dbtest.Job("a", "linux"), dbtest.Job("b", "mac"))
	require.Contains(t, string(r.mustFetch().WorkflowPayload), "b:", "labels are overwritten")
	r.mustFindNothing()
}

func TestDeclareGivesUpEarlierTasks(t *testing.T) {
	e := newEnv(t)
	r, other := e.register(db.Scope{}, "linux"), e.register(db.Scope{}, "linux")
	jobs := []*db.Job{dbtest.Job("a", "linux"), dbtest.Job("b", "linux"), dbtest.Job("c", "linux")}
	e.offer(jobs...)
	supervised, silent, foreign := r.mustFetch(), r.mustFetch(), other.mustFetch()
	_, err := e.db.Supervise(t.Context(), supervised.Id)
	require.NoError(t, err)

	require.NoError(t, r.declare([]string{"linux"}))
	for _, id := range []int64{supervised.Id, silent.Id} {
		require.Equal(t, db.TaskLost, e.task(id).Status)
		require.Equal(t, "the runner restarted", e.task(id).Reason)
		require.Equal(t, runnerv1.Result_RESULT_CANCELLED, r.mustUpdate(&runnerv1.TaskState{Id: id, Result: runnerv1.Result_RESULT_SUCCESS}),
			"reports of a superseded task are answered with CANCELLED")
		require.Equal(t, db.TaskLost, e.task(id).Status, "and change nothing")
	}
	require.Equal(t, db.TaskRunning, e.task(foreign.Id).Status)
	e.eventually(func() bool { return len(e.tasks.ends()) == 1 }, "the supervisor is told")
	require.Equal(t, supervised.Id, e.tasks.ends()[0].TaskID)
	require.Equal(t, "lost", e.tasks.ends()[0].Status)
	e.eventually(func() bool { return !e.task(supervised.Id).DeliveredAt.IsZero() }, "delivery is noted")
}
