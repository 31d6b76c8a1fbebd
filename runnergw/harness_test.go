package runnergw_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	runnerv1 "gitea.dev/actions-proto-go/runner/v1"
	"gitea.dev/actions-proto-go/runner/v1/runnerv1connect"
	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/internal/vault"
	"github.com/pawl-ci/pawl/runnergw"
)

// patience bounds every wait in these tests; none takes nearly as long.
const patience = 15 * time.Second

// fakeTasks records what the gateway tells workflows.
type fakeTasks struct {
	mu        sync.Mutex
	err       error
	woken     []int64
	completed []engine.TaskEnd
	beats     []int64
}

func (f *fakeTasks) Wake(_ context.Context, job int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.woken = append(f.woken, job)
	}
	return f.err
}

func (f *fakeTasks) Complete(_ context.Context, _ int64, end engine.TaskEnd) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.completed = append(f.completed, end)
	}
	return f.err
}

func (f *fakeTasks) Heartbeat(_ context.Context, _, task int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.beats = append(f.beats, task)
	}
	return f.err
}

func (f *fakeTasks) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeTasks) ends() []engine.TaskEnd {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]engine.TaskEnd(nil), f.completed...)
}

func (f *fakeTasks) wakes() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int64(nil), f.woken...)
}

func (f *fakeTasks) heartbeats() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]int64(nil), f.beats...)
}

// clock is the gateway's clock for what is debounced.
type clock struct {
	mu  sync.Mutex
	add time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.add)
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add += d
}

// env is a gateway behind a real HTTP server, over a database of its own.
type env struct {
	t      testing.TB
	db     *db.DB
	gw     *runnergw.Gateway
	tasks  *fakeTasks
	clock  *clock
	hub    *loghub.Hub
	chunks *logchunk.Codec
	tokens *token.Hasher
	vault  *vault.Vault
	// oldTokens hashes with the key that was before.
	oldTokens *token.Hasher

	server *httptest.Server
	repo   *db.Repository
	reg    *prometheus.Registry
}

var runtimeKey = []byte("0123456789abcdef0123456789abcdef")

func newEnv(t testing.TB, change ...func(*runnergw.Options)) *env {
	t.Helper()
	return newEnvAt(t, pgtest.New(t).URL, change...)
}

func newEnvAt(t testing.TB, url string, change ...func(*runnergw.Options)) *env {
	t.Helper()
	var options runnergw.Options
	for _, fn := range change {
		fn(&options)
	}
	e := &env{t: t, db: dbtest.OpenURL(t, url), tasks: &fakeTasks{}, clock: &clock{}, hub: loghub.New(), reg: prometheus.NewRegistry()}
	var err error
	e.chunks, err = logchunk.NewCodec()
	require.NoError(t, err)
	older := []byte("the key before that one")
	e.oldTokens, err = token.NewHasher(older)
	require.NoError(t, err)
	e.tokens, err = token.NewHasher([]byte("a key of sixteen or more"), older)
	require.NoError(t, err)
	keys, err := secretbox.New([]byte("a key of sixteen or more"))
	require.NoError(t, err)
	e.vault = &vault.Vault{DB: e.db, Keys: keys, Tokens: e.tokens}
	e.gw, err = runnergw.New(runnergw.Deps{
		DB: e.db, Tasks: e.tasks, Tokens: e.tokens, Keys: keys, RuntimeKey: runtimeKey, Logs: e.hub, Chunks: e.chunks,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)), Metrics: e.reg, Now: e.clock.now,
	}, options)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, e.gw.Start(ctx))
	mux := http.NewServeMux()
	mux.Handle(runnergw.Prefix+"/", e.gw.Handler())
	e.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		e.gw.Drain()
		e.server.Close()
		e.gw.Stop()
	})
	e.repo = dbtest.Repository(t, e.db, dbtest.Owner(t, e.db))
	return e
}

// registrationToken returns the active token of a scope.
func (e *env) registrationToken(s db.Scope) string {
	e.t.Helper()
	got, err := e.vault.RegistrationToken(e.t.Context(), s)
	require.NoError(e.t, err)
	return got
}

func (e *env) anonymous() runnerv1connect.RunnerServiceClient { return e.client("", "") }

func (e *env) client(uuid, secret string) runnerv1connect.RunnerServiceClient {
	auth := connect.UnaryInterceptorFunc(func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			if uuid != "" {
				req.Header().Set("x-runner-uuid", uuid)
				req.Header().Set("x-runner-token", secret)
			}
			return next(ctx, req)
		}
	})
	return runnerv1connect.NewRunnerServiceClient(e.server.Client(), e.server.URL+runnergw.Prefix, connect.WithInterceptors(auth))
}

// runner is a registered runner.
type runner struct {
	*env
	id           int64
	uuid, secret string
	rpc          runnerv1connect.RunnerServiceClient
}

func (e *env) register(s db.Scope, labels ...string) *runner {
	e.t.Helper()
	return e.registerAs(s, &runnerv1.RegisterRequest{Name: "runner", Labels: labels})
}

func (e *env) registerAs(s db.Scope, req *runnerv1.RegisterRequest) *runner {
	e.t.Helper()
	req.Token = e.registrationToken(s)
	got, err := e.anonymous().Register(e.t.Context(), connect.NewRequest(req))
	require.NoError(e.t, err)
	r := got.Msg.Runner
	return &runner{env: e, id: r.Id, uuid: r.Uuid, secret: r.Token, rpc: e.client(r.Uuid, r.Token)}
}

func (r *runner) declare(labels []string, capabilities ...string) error {
	_, err := r.rpc.Declare(r.t.Context(), connect.NewRequest(&runnerv1.DeclareRequest{Version: "v1", Labels: labels, Capabilities: capabilities}))
	return err
}

// fetch polls once with the given deadline.
func (r *runner) fetch(timeout time.Duration) (*runnerv1.Task, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.t.Context()), timeout)
	defer cancel()
	got, err := r.rpc.FetchTask(ctx, connect.NewRequest(&runnerv1.FetchTaskRequest{}))
	if err != nil {
		return nil, err
	}
	return got.Msg.Task, nil
}

func (r *runner) mustFetch() *runnerv1.Task {
	r.t.Helper()
	task, err := r.fetch(patience)
	require.NoError(r.t, err)
	require.NotNil(r.t, task, "no task")
	return task
}

// mustFindNothing polls with a short deadline, which leaves time for one look.
func (r *runner) mustFindNothing() {
	r.t.Helper()
	task, err := r.fetch(400 * time.Millisecond)
	require.NoError(r.t, err)
	require.Nil(r.t, task)
}

func (r *runner) update(s *runnerv1.TaskState, outputs map[string]string) (*runnerv1.UpdateTaskResponse, error) {
	got, err := r.rpc.UpdateTask(r.t.Context(), connect.NewRequest(&runnerv1.UpdateTaskRequest{State: s, Outputs: outputs}))
	if err != nil {
		return nil, err
	}
	return got.Msg, nil
}

func (r *runner) mustUpdate(s *runnerv1.TaskState) runnerv1.Result {
	r.t.Helper()
	got, err := r.update(s, nil)
	require.NoError(r.t, err)
	require.Equal(r.t, s.Id, got.State.Id)
	return got.State.Result
}

func (r *runner) log(task, index int64, noMore bool, contents ...string) (int64, error) {
	rows := make([]*runnerv1.LogRow, len(contents))
	for i, c := range contents {
		rows[i] = &runnerv1.LogRow{Time: timestamppb.New(time.Unix(1_700_000_000+index+int64(i), 0)), Content: c}
	}
	got, err := r.rpc.UpdateLog(r.t.Context(), connect.NewRequest(&runnerv1.UpdateLogRequest{TaskId: task, Index: index, Rows: rows, NoMore: noMore}))
	if err != nil {
		return 0, err
	}
	return got.Msg.AckIndex, nil
}

// offer makes a run of jobs and offers them all.
func (e *env) offer(jobs ...*db.Job) {
	e.t.Helper()
	dbtest.Run(e.t, e.db, e.repo, jobs...)
	dbtest.Offer(e.t, e.db, jobs...)
}

func (e *env) task(id int64) *db.Task {
	e.t.Helper()
	task := &db.Task{}
	require.NoError(e.t, e.db.NewSelect().Model(task).Where("task.id = ?", id).Scan(e.t.Context()))
	return task
}

func (e *env) exec(query string, args ...any) {
	e.t.Helper()
	_, err := e.db.Exec(query, args...)
	require.NoError(e.t, err)
}

// text is the log of a task as it is downloaded.
func (e *env) text(task int64) string {
	e.t.Helper()
	var text []byte
	for c, err := range e.db.LogChunks(e.t.Context(), task, 0, -1) {
		require.NoError(e.t, err)
		text, err = e.chunks.Text(text, c.Data)
		require.NoError(e.t, err)
	}
	return string(text)
}

func (e *env) eventually(condition func() bool, what string) {
	e.t.Helper()
	require.Eventually(e.t, condition, patience, 5*time.Millisecond, what)
}

func (e *env) heldPolls() float64 { return e.metric("pawl_gateway_held_polls") }

func (e *env) metric(name string) float64 {
	e.t.Helper()
	families, err := e.reg.Gather()
	require.NoError(e.t, err)
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		sum := 0.0
		for _, m := range f.GetMetric() {
			sum += m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
		return sum
	}
	return 0
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func uuidOf(r *runner) uuid.UUID { return uuid.MustParse(r.uuid) }

func timeAt(seconds, nanos int64) time.Time { return time.Unix(seconds, nanos) }
