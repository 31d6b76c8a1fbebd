package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
	"github.com/pawl-ci/pawl/internal/trigger"
)

func TestMain(m *testing.M) { pgtest.Main(m, pgtest.Migrate(db.MigrateURL)) }

// recorder plays Temporal: it notes what it is asked, and fails while down.
type recorder struct {
	mu      sync.Mutex
	down    error
	started []engine.RunStart
	cancels []db.RunRef
	woken   []db.RunRef
	calls   int
}

func (r *recorder) StartRun(_ context.Context, s engine.RunStart) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	if r.down == nil {
		r.started = append(r.started, s)
	}
	return r.down
}

func (r *recorder) CancelRun(_ context.Context, run int64, attempt int, _ engine.CancelRequest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down == nil {
		r.cancels = append(r.cancels, db.RunRef{RunID: run, Attempt: attempt})
	}
	return r.down
}

func (r *recorder) WakeRun(_ context.Context, run int64, attempt int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.down == nil {
		r.woken = append(r.woken, db.RunRef{RunID: run, Attempt: attempt})
	}
	return r.down
}

// wakes returns whose workflows were woken since the last call.
func (r *recorder) wakes() []db.RunRef {
	r.mu.Lock()
	defer r.mu.Unlock()
	woken := r.woken
	r.woken = nil
	return woken
}

// fixture is a hosted repository that can be pushed to over HTTP.
type fixture struct {
	*trigger.Service
	store  *git.Store
	db     *db.DB
	engine *recorder
	owner  *db.Owner
	repo   *db.Repository
	server string
	url    string
	work   string
	// losing makes pushes fail after git has taken them, as if the process died.
	losing atomic.Bool
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{engine: &recorder{}, work: t.TempDir()}
	f.openDatabase(t)
	store, err := git.Open(t.Context(), git.Options{Root: t.TempDir(), Mirror: git.MirrorOptions{AllowFile: true}})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	f.store = store
	require.NoError(t, store.Create(t.Context(), f.repo.ID, "main"))
	f.Service, err = trigger.New(trigger.Config{
		DB: f.db, Git: store, Engine: f.engine, Logger: slog.New(slog.DiscardHandler), RootURL: "http://pawl.test",
	})
	require.NoError(t, err)
	f.serve(t, store)
	f.git(t, "init", "-q", "-b", "main")
	f.git(t, "config", "user.name", "ann")
	f.git(t, "config", "user.email", "ann@example.invalid")
	f.git(t, "remote", "add", "origin", f.url)
	return f
}

func (f *fixture) openDatabase(t *testing.T) {
	var err error
	f.db, err = db.Open(t.Context(), pgtest.New(t).URL, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.db.Close()) })
	f.owner = &db.Owner{Kind: db.KindUser, Login: "ann", LowerLogin: "ann", IsActive: true}
	_, err = f.db.NewInsert().Model(f.owner).Exec(t.Context())
	require.NoError(t, err)
	f.repo = &db.Repository{OwnerID: f.owner.ID, Name: "app", LowerName: "app", DefaultBranch: "main", IsEmpty: true}
	_, err = f.db.NewInsert().Model(f.repo).Exec(t.Context())
	require.NoError(t, err)
	f.repo.Owner = f.owner
}

// serve lets anybody push, as the API server does.
func (f *fixture) serve(t *testing.T, store *git.Store) {
	handler := git.NewHandler(store, git.HandlerOptions{OnPush: func(ctx context.Context, p git.Push) error {
		if f.losing.Load() {
			return errors.New("lost")
		}
		return f.Push(ctx, f.repo, f.owner, p.Updates)
	}})
	others := git.NewHandler(store, git.HandlerOptions{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/others/") {
			serveOther(others, w, r)
			return
		}
		op, err := git.ParseOperation(r.Method, strings.TrimPrefix(r.URL.Path, "/app.git/"), r.URL.Query().Get("service"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		request := git.Request{RepoID: f.repo.ID, Op: op, User: "ann", CanWrite: true}
		if !op.Write() || f.losing.Load() {
			handler.Serve(w, r, request)
			return
		}
		id, err := f.BeginPush(r.Context(), f.repo, f.owner)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		handler.Serve(w, r, request)
		if err := f.EndPush(context.WithoutCancel(r.Context()), f.repo, id); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	f.server, f.url = server.URL, server.URL+"/app.git"
}

// serveOther lets anybody push to any repository, /others/<id>.git, whose pushes start nothing.
func serveOther(handler *git.Handler, w http.ResponseWriter, r *http.Request) {
	name, rest, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/others/"), ".git/")
	id, err := strconv.ParseInt(name, 10, 64)
	op, opErr := git.ParseOperation(r.Method, rest, r.URL.Query().Get("service"))
	if err != nil || opErr != nil {
		http.NotFound(w, r)
		return
	}
	handler.Serve(w, r, git.Request{RepoID: id, Op: op, User: "ann", CanWrite: true})
}

// repository makes another repository. Its owner is made too, unless there is one of that name.
func (f *fixture) repository(t *testing.T, owner, name string, private bool) *db.Repository {
	t.Helper()
	o, err := f.db.OwnerByLogin(t.Context(), owner)
	if errors.Is(err, db.ErrNotFound) {
		o, err = f.person(t, owner), nil
	}
	require.NoError(t, err)
	r := &db.Repository{OwnerID: o.ID, Name: name, DefaultBranch: "main", IsPrivate: private}
	require.NoError(t, f.db.CreateRepository(t.Context(), r, func(ctx context.Context) error { return f.store.Create(ctx, r.ID, "main") }))
	r.Owner = o
	return r
}

// publish commits files, given as path and content by turns, on the branch main of another repository, and tags the commit.
func (f *fixture) publish(t *testing.T, repo *db.Repository, tag string, files ...string) {
	t.Helper()
	dir := t.TempDir()
	url := fmt.Sprintf("%s/others/%d.git", f.server, repo.ID)
	gitIn(t, dir, "clone", "-q", url, ".")
	for i := 0; i < len(files); i += 2 {
		writeIn(t, dir, files[i], files[i+1])
	}
	gitIn(t, dir, "checkout", "-q", "-B", "main")
	gitIn(t, dir, "add", ".")
	gitIn(t, dir, "-c", "user.name=ann", "-c", "user.email=ann@example.invalid", "commit", "-q", "-m", "Publish")
	gitIn(t, dir, "tag", "-f", tag)
	gitIn(t, dir, "push", "-q", "-f", "origin", "main", tag)
}

func (f *fixture) git(t *testing.T, args ...string) {
	t.Helper()
	gitIn(t, f.work, args...)
}

func gitIn(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
}

func (f *fixture) write(t *testing.T, path, content string) {
	t.Helper()
	writeIn(t, f.work, path, content)
}

func writeIn(t *testing.T, dir, path, content string) {
	t.Helper()
	full := filepath.Join(dir, path)
	require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
	require.NoError(t, os.WriteFile(full, []byte(content), 0o644))
}

// push commits a file and pushes the branch main.
func (f *fixture) push(t *testing.T, path, content, message string) {
	t.Helper()
	f.write(t, path, content)
	f.git(t, "add", ".")
	f.git(t, "commit", "-q", "--allow-empty", "-m", message)
	f.git(t, "push", "-q", "origin", "main")
}

func (f *fixture) runs(t *testing.T) []db.Run {
	t.Helper()
	var runs []db.Run
	require.NoError(t, f.db.NewSelect().Model(&runs).Order("id").Scan(t.Context()))
	return runs
}
