package git

import (
	"bytes"
	"context"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const testID = int64(1042)

// newStore opens a store over a fresh directory.
func newStore(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Root: filepath.Join(t.TempDir(), "the store's root")}
	for _, c := range change {
		c(&o)
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// newRepository is a store with the repository testID in it.
func newRepository(t testing.TB) *Store {
	t.Helper()
	s := newStore(t)
	require.NoError(t, s.Create(t.Context(), testID, "main"))
	return s
}

// client is a person's checkout.
type client struct {
	t   testing.TB
	dir string
	env []string
}

// newClient makes an empty checkout on branch main.
func newClient(t testing.TB) *client {
	t.Helper()
	c := bareClient(t)
	c.git("init", "-q", "-b", "main")
	return c
}

// bareClient is a directory in which git commands can be run.
func bareClient(t testing.TB) *client {
	t.Helper()
	home := t.TempDir()
	return &client{t: t, dir: t.TempDir(), env: []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_AUTHOR_DATE=1700000000 +0200",
		"GIT_COMMITTER_NAME=Grace", "GIT_COMMITTER_EMAIL=grace@example.org", "GIT_COMMITTER_DATE=1700000100 -0130",
	}}
}

func (c *client) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	return cmd
}

// try runs git and returns what it printed on both outputs.
func (c *client) try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	out, err := c.command(ctx, args...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func (c *client) git(args ...string) string {
	c.t.Helper()
	out, err := c.try(args...)
	require.NoError(c.t, err, "git %v: %s", args, out)
	return out
}

func (c *client) write(name, text string) {
	c.t.Helper()
	path := filepath.Join(c.dir, filepath.FromSlash(name))
	require.NoError(c.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(c.t, os.WriteFile(path, []byte(text), 0o644))
}

// commit writes files and commits everything; it returns the sha.
func (c *client) commit(message string, files map[string]string) string {
	c.t.Helper()
	for name, text := range files {
		c.write(name, text)
	}
	c.git("add", "-A")
	c.git("commit", "-q", "--allow-empty", "-m", message)
	return c.git("rev-parse", "HEAD")
}

// seed pushes everything the client has into the store's repository, past the handler.
func (c *client) seed(s *Store, id int64) {
	c.t.Helper()
	c.git("-c", "safe.directory=*", "push", "-q", "--mirror", s.layout.repository(id))
}

// server serves one store over HTTP at /<id>/<suffix>.
type server struct {
	*httptest.Server
	store  *Store
	pushes chan Push
}

func newServer(t *testing.T, s *Store, o HandlerOptions) *server {
	t.Helper()
	srv := &server{store: s, pushes: make(chan Push, 100)}
	if o.OnPush == nil {
		o.OnPush = func(_ context.Context, p Push) error {
			srv.pushes <- p
			return nil
		}
	}
	h := NewHandler(s, o)
	srv.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		serveTest(h, w, r)
	}))
	t.Cleanup(srv.Close)
	return srv
}

func serveTest(h *Handler, w http.ResponseWriter, r *http.Request) {
	idText, suffix, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	id, err := strconv.ParseInt(idText, 10, 64)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	op, err := ParseOperation(r.Method, suffix, r.URL.Query().Get("service"))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	user, _, known := r.BasicAuth()
	if op.Write() && !known {
		w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	h.Serve(w, r, Request{RepoID: id, Op: op, User: user, CanWrite: user != "reader"})
}

func (s *server) url(id int64) string { return s.URL + "/" + strconv.FormatInt(id, 10) }

// as puts a user name into the URL.
func (s *server) as(user string, id int64) string {
	return strings.Replace(s.url(id), "http://", "http://"+user+":x@", 1)
}

func (s *server) nextPush(t *testing.T) Push {
	t.Helper()
	select {
	case p := <-s.pushes:
		return p
	default:
		require.FailNow(t, "OnPush was not called before the push returned")
		return Push{}
	}
}

func (s *server) noPush(t *testing.T) {
	t.Helper()
	require.Empty(t, s.pushes)
}

// noise is text that does not compress.
func noise(seed uint64, size int) []byte {
	source := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	var b bytes.Buffer
	b.Grow(size)
	chunk := make([]byte, 64<<10)
	for b.Len() < size {
		_, _ = source.Read(chunk)
		b.Write(chunk[:min(len(chunk), size-b.Len())])
	}
	return b.Bytes()
}
