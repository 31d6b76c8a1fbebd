package apiserver_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/internal/trigger"
)

const password = "correct horse"

// rig is a server over real Postgres, real git and the real trigger; only Temporal is played.
type rig struct {
	t        testing.TB
	url      string
	server   *apiserver.Server
	db       *db.DB
	accounts *accounts.Service
	hub      *loghub.Hub
	tokens   *token.Hasher
	engine   *temporal
	registry *prometheus.Registry
}

// temporal remembers what it was asked.
type temporal struct {
	mu        sync.Mutex
	started   []engine.RunStart
	cancelled []int64
	woken     []int64
}

func (f *temporal) StartRun(_ context.Context, s engine.RunStart) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started = append(f.started, s)
	return nil
}

func (f *temporal) CancelRun(_ context.Context, run int64, _ int, _ engine.CancelRequest) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancelled = append(f.cancelled, run)
	return nil
}

func (f *temporal) WakeRun(_ context.Context, run int64, _ int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.woken = append(f.woken, run)
	return nil
}

func newRig(t testing.TB, change ...func(*apiserver.Config)) *rig {
	t.Helper()
	r := &rig{t: t, hub: loghub.New(), engine: &temporal{}, registry: prometheus.NewRegistry()}
	r.db = dbtest.Open(t)
	var err error
	r.tokens, err = token.NewHasher([]byte("a key of this test only"))
	require.NoError(t, err)
	store, err := git.Open(t.Context(), git.Options{Root: filepath.Join(t.TempDir(), "repositories")})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })

	front := httptest.NewUnstartedServer(nil)
	front.Start()
	t.Cleanup(front.Close)
	r.url = front.URL
	log := slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelWarn}))
	triggers, err := trigger.New(trigger.Config{DB: r.db, Git: store, Engine: r.engine, Logger: log, RootURL: r.url})
	require.NoError(t, err)
	// Cheap hashes, so that tests are not about argon2.
	passwords := accounts.NewPasswords(accounts.PasswordOptions{MemoryKiB: 8, Iterations: 1})
	config := apiserver.Config{
		DB: r.db, Tokens: r.tokens, Keys: testKeys(t), Passwords: passwords, Repositories: store, Trigger: triggers, Hub: r.hub,
		CheckCloneURL: func(url string) error { return git.CheckMirrorURL(url, git.MirrorOptions{}) },
		Git:           git.NewHandler(store, git.HandlerOptions{OnPush: apiserver.PushHook(r.db, triggers)}),
		TemporalUIURL: "http://temporal.example:8080", Version: "0.1.0-test", Registerer: r.registry, Logger: log,
		LogPoll: 20 * time.Millisecond, EventPoll: 20 * time.Millisecond,
	}
	for _, c := range change {
		c(&config)
	}
	r.server, err = apiserver.New(config)
	require.NoError(t, err)
	front.Config.Handler = r.server.Handler()
	r.accounts = &accounts.Service{DB: r.db, Tokens: r.tokens, Passwords: passwords, Repositories: store}
	return r
}

// testKeys are the keys of the installation of a test.
func testKeys(t testing.TB) *secretbox.Keyring {
	t.Helper()
	keys, err := secretbox.New([]byte("a key of this test only"))
	require.NoError(t, err)
	return keys
}

type testWriter struct{ t testing.TB }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// user makes a user with the password and returns a client with a token for everything.
func (r *rig) user(login string, admin ...bool) *client {
	r.t.Helper()
	u, err := r.accounts.CreateUser(r.t.Context(), accounts.NewUser{
		Login: login, Email: login + "@example.com", Password: password, Admin: len(admin) > 0 && admin[0],
	})
	require.NoError(r.t, err)
	return r.withScopes(u, "all")
}

func (r *rig) withScopes(u *db.Owner, scopes ...string) *client {
	r.t.Helper()
	text, _, err := r.accounts.CreateToken(r.t.Context(), u.ID, "test "+strings.Join(scopes, " "), scopes)
	require.NoError(r.t, err)
	return &client{rig: r, owner: u, token: text, auth: "token " + text}
}

func (r *rig) anonymous() *client { return &client{rig: r} }

// client calls the API as somebody.
type client struct {
	rig   *rig
	owner *db.Owner
	token string
	auth  string // of the header Authorization
}

func (c *client) with(auth string) *client {
	other := *c
	other.auth = auth
	return &other
}

// reply is an answer whose body was read.
type reply struct {
	*http.Response
	t    testing.TB
	body []byte
}

// do calls a path below /api/v1 and checks the answer against the OpenAPI document. A string is sent as it is, any
// other body as JSON.
func (c *client) do(method, path string, body any, header ...string) reply {
	c.rig.t.Helper()
	a := c.raw(method, "/api/v1"+path, body, header...)
	checkAgainstSpec(c.rig.t, a, method, path)
	checkAgainstOurs(c.rig.t, a, body)
	return a
}

func (c *client) raw(method, path string, body any, header ...string) reply {
	t := c.rig.t
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.rig.url+path, encode(t, body))
	require.NoError(t, err)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.auth != "" {
		req.Header.Set("Authorization", c.auth)
	}
	req.Header.Set("Accept-Encoding", "identity") // else Go asks for gzip and undoes it, and the lengths are gone
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return reply{Response: response, t: t, body: text}
}

func encode(t testing.TB, body any) io.Reader {
	switch b := body.(type) {
	case nil:
		return nil
	case string:
		return strings.NewReader(b)
	default:
		text, err := json.Marshal(b)
		require.NoError(t, err)
		return bytes.NewReader(text)
	}
}

// wants checks the status and returns the body as JSON.
func (a reply) wants(status int) map[string]any {
	a.t.Helper()
	require.Equal(a.t, status, a.StatusCode, "%s %s: %s", a.Request.Method, a.Request.URL, a.body)
	var out map[string]any
	if len(a.body) > 0 && a.body[0] == '{' {
		require.NoError(a.t, json.Unmarshal(a.body, &out))
	}
	return out
}

// refused checks the status and the message of an error.
func (a reply) refused(status int, message string) {
	a.t.Helper()
	out := a.wants(status)
	require.Equal(a.t, message, out["message"])
	require.Equal(a.t, "http://"+a.Request.URL.Host+"/api/swagger", out["url"])
	require.Equal(a.t, "application/json;charset=utf-8", a.Header.Get("Content-Type"))
}

func (a reply) list() []any {
	a.t.Helper()
	var out []any
	require.NoError(a.t, json.Unmarshal(a.body, &out))
	return out
}

func number(v any) int64 { return int64(v.(float64)) }

// repo makes a repository of the client's own.
func (c *client) repo(name string, private bool) *db.Repository {
	c.rig.t.Helper()
	out := c.do("POST", "/user/repos", map[string]any{"name": name, "private": private}).wants(http.StatusCreated)
	repo, err := c.rig.db.RepositoryByID(c.rig.t.Context(), number(out["id"]))
	require.NoError(c.rig.t, err)
	return repo
}

// latestRun is the newest run of a repository.
func (r *rig) latestRun(repo *db.Repository) *db.RunView {
	r.t.Helper()
	runs, _, err := r.db.Runs(r.t.Context(), db.RunFilter{RepoID: repo.ID, Page: db.Page{Limit: 1}})
	require.NoError(r.t, err)
	require.NotEmpty(r.t, runs)
	return runs[0]
}

func (r *rig) jobs(run *db.RunView) []*db.Job {
	r.t.Helper()
	views, _, err := r.db.Jobs(r.t.Context(), db.JobFilter{RepoID: run.Run.RepoID, RunID: run.Run.ID, Attempt: run.Run.Attempt})
	require.NoError(r.t, err)
	jobs := make([]*db.Job, len(views))
	for i, v := range views {
		jobs[i] = v.Job
	}
	return jobs
}

// sql changes rows that other parts write.
func (r *rig) sql(query string, args ...any) {
	r.t.Helper()
	_, err := r.db.Pool.Exec(r.t.Context(), query, args...)
	require.NoError(r.t, err)
}

// claim plays the gateway: a runner takes the job, a second time if it was taken before. It returns the id of the task
// and its token.
func (r *rig) claim(job *db.Job) (int64, string) {
	r.t.Helper()
	ctx := r.t.Context()
	runner := &db.Runner{UUID: uuid.New(), TokenHash: []byte{}, Name: "runner-1", Labels: []string{"ubuntu-latest"}}
	require.NoError(r.t, r.db.CreateRunner(ctx, runner))
	if job.TaskID == 0 {
		dbtest.Offer(r.t, r.db, job)
	} else {
		require.NoError(r.t, r.db.OfferAgain(ctx, db.OfferAgain{JobID: job.ID, Try: 2}))
	}
	text := token.New()
	claimed, err := r.db.Claim(ctx, db.Claim{RunnerID: runner.ID, LabelSets: []int64{job.LabelSetID}, TokenHash: r.tokens.Hash(text)})
	require.NoError(r.t, err)
	require.NotNil(r.t, claimed.Task)
	require.Equal(r.t, job.ID, claimed.Task.JobID)
	job.TaskID = claimed.Task.TaskID
	return job.TaskID, text
}

// finish ends a run with all its jobs and tasks.
func (r *rig) finish(run *db.RunView, status string) {
	r.t.Helper()
	r.sql(`UPDATE tasks SET status = $2, stopped_at = now() WHERE run_id = $1 AND stopped_at IS NULL`, run.Run.ID, status)
	r.sql(`UPDATE jobs SET status = $2, stopped_at = now() WHERE run_id = $1 AND stopped_at IS NULL`, run.Run.ID, status)
	r.sql(`UPDATE attempts SET status = $2, stopped_at = now() WHERE run_id = $1 AND stopped_at IS NULL`, run.Run.ID, status)
	r.sql(`UPDATE runs SET status = $2, stopped_at = now() WHERE id = $1`, run.Run.ID, status)
}

func repoPath(repo *db.Repository, format string, args ...any) string {
	return "/repos/" + repo.FullName() + fmt.Sprintf(format, args...)
}

func newUser(login, visibility string) accounts.NewUser {
	return accounts.NewUser{Login: login, Email: login + "@example.com", Password: password, Visibility: visibility}
}
