package git

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPushAndClone(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	sha := c.commit("one", map[string]string{"a": "hello"})
	c.git("push", "-q", srv.as("ada", testID), "main")
	require.Equal(t, Push{RepoID: testID, User: "ada", Updates: []RefUpdate{{ZeroSHA, sha, "refs/heads/main"}}}, srv.nextPush(t))

	reader := bareClient(t)
	reader.git("clone", "-q", srv.as("reader", testID), "copy")
	text, err := os.ReadFile(filepath.Join(reader.dir, "copy", "a"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	srv.noPush(t)
	require.Empty(t, entries(t, s.layout.tmp()), "nothing is left behind")
}

func TestPushKinds(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	url := srv.as("ada", testID)
	one := c.commit("one", nil)
	c.git("push", "-q", url, "main")
	srv.nextPush(t)

	c.git("tag", "-a", "-m", "x", "v1")
	tag := c.git("rev-parse", "v1")
	c.git("push", "-q", url, "v1")
	require.Equal(t, []RefUpdate{{ZeroSHA, tag, "refs/tags/v1"}}, srv.nextPush(t).Updates)

	c.git("push", "-q", url, "main:refs/heads/feature/ä", "main:other")
	require.ElementsMatch(t, []RefUpdate{{ZeroSHA, one, "refs/heads/feature/ä"}, {ZeroSHA, one, "refs/heads/other"}}, srv.nextPush(t).Updates)

	c.git("commit", "-q", "--amend", "-m", "uno", "--allow-empty")
	amended := c.git("rev-parse", "HEAD")
	out, err := c.try("push", "-q", url, "main")
	require.Error(t, err, "a client without force: %s", out)
	srv.noPush(t)
	c.git("push", "-q", "--force", url, "main")
	require.Equal(t, []RefUpdate{{one, amended, "refs/heads/main"}}, srv.nextPush(t).Updates)

	c.git("push", "-q", url, ":other", ":v1")
	require.ElementsMatch(t, []RefUpdate{{one, ZeroSHA, "refs/heads/other"}, {tag, ZeroSHA, "refs/tags/v1"}}, srv.nextPush(t).Updates)

	c.git("push", "-q", url, "main")
	srv.noPush(t)

	out, err = c.try("push", "-q", url, ":main")
	require.Error(t, err)
	require.Contains(t, out, "deletion of the current branch prohibited", "the default branch stays")
	srv.noPush(t)
}

func TestFetchKinds(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	first := c.commit("first", map[string]string{"a": "1"})
	c.commit("second", map[string]string{"a": "2"})
	head := c.commit("third", map[string]string{"a": "3"})
	orphan := c.git("commit-tree", "-m", "pull", "HEAD^{tree}")
	c.git("update-ref", "refs/pull/7/head", orphan)
	c.seed(s, testID)
	_, err := s.git(t.Context(), testID, "update-ref", "-d", "refs/pull/7/head")
	require.NoError(t, err)

	for _, version := range []string{"0", "1", "2"} {
		t.Run("protocol "+version, func(t *testing.T) {
			protocol := "protocol.version=" + version
			shallow := bareClient(t)
			shallow.git("-c", protocol, "clone", "-q", "--depth", "1", srv.url(testID), ".")
			require.Equal(t, "1", shallow.git("rev-list", "--count", "HEAD"))
			shallow.git("-c", protocol, "fetch", "-q", "--unshallow")
			require.Equal(t, "3", shallow.git("rev-list", "--count", "HEAD"))

			// The way of actions/checkout: init, then fetch one sha.
			checkout := newClient(t)
			checkout.git("-c", protocol, "fetch", "-q", "--no-tags", "--depth=1", srv.url(testID), "+"+first+":refs/remotes/origin/main")
			checkout.git("checkout", "-q", "--detach", first)
			checkout.git("-c", protocol, "fetch", "-q", srv.url(testID), orphan)
			require.Equal(t, "1", checkout.git("rev-list", "--count", orphan))

			partial := bareClient(t)
			partial.git("-c", protocol, "clone", "-q", "--filter=blob:none", "--no-checkout", srv.url(testID), ".")
			require.Equal(t, head, partial.git("rev-parse", "HEAD"))
			require.Contains(t, partial.git("rev-list", "--objects", "--missing=print", "HEAD"), "?")
		})
	}
	trace := bareClient(t)
	trace.env = append(trace.env, "GIT_TRACE_PACKET=1")
	out := trace.git("-c", "protocol.version=2", "ls-remote", srv.url(testID))
	require.Contains(t, out, "< version 2", "the server really speaks version 2")
}

func TestBigPush(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	c.git("config", "core.compression", "0")
	sha := c.commit("big", map[string]string{"big": string(noise(1, 20<<20))})
	c.git("push", "-q", srv.as("ada", testID), "main")
	require.Equal(t, sha, srv.nextPush(t).Updates[0].New)
	reader := bareClient(t)
	reader.git("clone", "-q", srv.url(testID), ".")
	info, err := os.Stat(filepath.Join(reader.dir, "big"))
	require.NoError(t, err)
	require.EqualValues(t, 20<<20, info.Size())
}

func TestPushAboveTheLimit(t *testing.T) {
	s := newStore(t, func(o *Options) { o.MaxPushBytes = 1 << 20 })
	require.NoError(t, s.Create(t.Context(), testID, "main"))
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	c.git("config", "core.compression", "0")
	c.commit("big", map[string]string{"big": string(noise(1, 3<<20))})
	for _, buffer := range []string{"1000000", "10000000"} { // chunked, and with a length
		out, err := c.try("-c", "http.postBuffer="+buffer, "push", srv.as("ada", testID), "main")
		require.Error(t, err)
		require.Contains(t, out, "413", out)
	}
	srv.noPush(t)
	refs, err := s.Refs(t.Context(), testID)
	require.NoError(t, err)
	require.Empty(t, refs)
	require.Empty(t, entries(t, s.layout.tmp()))
}

// The client must not learn that the push is over before OnPush has returned.
func TestOnPushComesBeforeTheAnswer(t *testing.T) {
	s := newRepository(t)
	entered, proceed := make(chan struct{}), make(chan struct{})
	srv := newServer(t, s, HandlerOptions{OnPush: func(ctx context.Context, p Push) error {
		resolved, err := s.ResolveRef(ctx, p.RepoID, p.Updates[0].Ref)
		if err != nil || resolved.Commit != p.Updates[0].New {
			return fmt.Errorf("the pushed commit cannot be read yet: %v", err)
		}
		close(entered)
		<-proceed
		return nil
	}})
	release := sync.OnceFunc(func() { close(proceed) })
	t.Cleanup(release)
	c := newClient(t)
	c.commit("one", nil)
	done := make(chan error, 1)
	go func() {
		_, err := c.try("push", "-q", srv.as("ada", testID), "main")
		done <- err
	}()
	<-entered
	select {
	case <-done:
		require.Fail(t, "the push returned before OnPush")
	case <-time.After(300 * time.Millisecond):
	}
	release()
	require.NoError(t, <-done)
}

func TestOnPushErrorDoesNotFailThePush(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{OnPush: func(context.Context, Push) error { return errors.New("no database") }})
	c := newClient(t)
	sha := c.commit("one", nil)
	c.git("push", "-q", srv.as("ada", testID), "main")
	resolved, err := s.ResolveRef(t.Context(), testID, "main")
	require.NoError(t, err)
	require.Equal(t, sha, resolved.Commit)
}

// A client that goes away while OnPush runs must not cut it short.
func TestOnPushSurvivesTheClient(t *testing.T) {
	s := newRepository(t)
	entered, gone, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	h := NewHandler(s, HandlerOptions{OnPush: func(ctx context.Context, _ Push) error {
		close(entered)
		<-gone
		_, err := s.Refs(ctx, testID)
		result <- errors.Join(err, ctx.Err())
		return nil
	}})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			context.AfterFunc(r.Context(), func() { close(gone) }) // The server has noticed.
		}
		serveTest(h, w, r)
	}))
	t.Cleanup(srv.Close)
	c := newClient(t)
	c.commit("one", nil)
	ctx, kill := context.WithCancel(t.Context())
	cmd := c.command(ctx, "push", "-q", strings.Replace(srv.URL, "http://", "http://ada:x@", 1)+"/1042", "main")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	require.NoError(t, cmd.Start())
	<-entered
	kill()
	require.Error(t, cmd.Wait())
	require.NoError(t, <-result)
}

// While one push of a repository is being processed, the next one waits; other repositories do not.
func TestOnPushIsOneAtATimePerRepository(t *testing.T) {
	s := newRepository(t)
	require.NoError(t, s.Create(t.Context(), testID+1, "main"))
	entered, proceed := make(chan int64, 10), make(chan struct{})
	srv := newServer(t, s, HandlerOptions{OnPush: func(_ context.Context, p Push) error {
		entered <- p.RepoID
		if p.RepoID == testID {
			<-proceed
		}
		return nil
	}})
	release := sync.OnceFunc(func() { close(proceed) })
	t.Cleanup(release)
	done := make(chan error, 2)
	for _, branch := range []string{"a", "b"} {
		c := newClient(t)
		c.commit(branch, nil)
		go func() {
			_, err := c.try("push", "-q", srv.as("ada", testID), "main:"+branch)
			done <- err
		}()
	}
	require.Equal(t, testID, <-entered)
	other := newClient(t)
	for range 5 {
		other.commit("x", nil)
		other.git("push", "-q", srv.as("ada", testID+1), "main")
		require.Equal(t, testID+1, <-entered)
	}
	release()
	require.NoError(t, errors.Join(<-done, <-done))
	require.Equal(t, testID, <-entered)
}

// Pushes to one repository are announced one at a time, and in the order in which a branch moved.
func TestConcurrentPushes(t *testing.T) {
	s := newRepository(t)
	var mu sync.Mutex
	var inside, most int
	var updates []RefUpdate
	srv := newServer(t, s, HandlerOptions{OnPush: func(_ context.Context, p Push) error {
		mu.Lock()
		inside++
		most = max(most, inside)
		updates = append(updates, p.Updates...)
		mu.Unlock()
		defer func() { mu.Lock(); inside--; mu.Unlock() }()
		return nil
	}})
	const clients, rounds = 6, 4
	var wg sync.WaitGroup
	problems := make([]error, clients)
	for i := range clients {
		c := newClient(t)
		wg.Go(func() {
			for round := range rounds {
				if _, err := c.try("commit", "-q", "--allow-empty", "-m", fmt.Sprint(i, round)); err != nil {
					problems[i] = err
				}
				out, err := c.try("push", "-q", "--force", srv.as("ada", testID), "HEAD:shared", fmt.Sprintf("HEAD:own-%d", i))
				if err != nil && !strings.Contains(out, "shared") {
					problems[i] = fmt.Errorf("%w: %s", err, out)
				}
			}
		})
	}
	wg.Wait()
	for _, err := range problems {
		require.NoError(t, err)
	}
	require.Equal(t, 1, most)
	tips := map[string]string{}
	for _, u := range updates {
		old, known := tips[u.Ref]
		require.Equal(t, known, !u.Created(), u.Ref)
		if known {
			require.Equal(t, old, u.Old, "%s: updates form a chain", u.Ref)
		}
		tips[u.Ref] = u.New
	}
	refs, err := s.Refs(t.Context(), testID)
	require.NoError(t, err)
	require.Equal(t, refs, tips, "every change was announced")
	require.Len(t, refs, clients+1)
}

func TestPushWithManyRefs(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	sha := c.commit("one", nil)
	var input strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&input, "create refs/tags/t%04d %s\n", i, sha)
	}
	cmd := c.command(t.Context(), "update-ref", "--stdin")
	cmd.Stdin = strings.NewReader(input.String())
	require.NoError(t, cmd.Run())
	c.git("push", "-q", srv.as("ada", testID), "main", "--tags")
	require.Len(t, srv.nextPush(t).Updates, 1001)
}

func TestReaderCannotPush(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	c.commit("one", nil)
	out, err := c.try("push", srv.as("reader", testID), "main")
	require.Error(t, err)
	require.Contains(t, out, "403")
	srv.noPush(t)
}

// git would take these names; the person who pushes reads why they are refused.
func TestHostileRefNames(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	c.commit("one", nil)
	hostile := map[string]string{
		"refs/heads/\xff\xfe":                                "not UTF-8",
		"refs/heads/" + strings.Repeat("abcdefg/", 40) + "x": "longer than 255 bytes",
	}
	for name, reason := range hostile {
		out, err := c.try("push", srv.as("ada", testID), "main:"+name, "main:refs/heads/fine")
		require.Error(t, err, "%q", name)
		require.Contains(t, out, reason)
		srv.noPush(t)
	}
	for _, name := range []string{"refs/heads/$(touch x)`id`;&|'\"", "refs/heads/-x", "refs/heads/--upload-pack=x"} {
		name = strings.ReplaceAll(name, " ", "_")
		c.git("push", "-q", srv.as("ada", testID), "HEAD:"+name)
		require.Equal(t, name, srv.nextPush(t).Updates[0].Ref)
		resolved, err := s.ResolveRef(t.Context(), testID, name)
		require.NoError(t, err)
		require.Equal(t, name, resolved.FullRef)
	}
}

func TestDamagedObjectsAreRefused(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	blob := c.command(t.Context(), "hash-object", "-w", "--stdin")
	blob.Stdin = strings.NewReader("x")
	sha, err := blob.Output()
	require.NoError(t, err)
	tree := c.command(t.Context(), "mktree")
	tree.Stdin = strings.NewReader("100644 blob " + strings.TrimSpace(string(sha)) + "\t.git\n")
	id, err := tree.Output()
	require.NoError(t, err)
	commit := c.git("commit-tree", "-m", "evil", strings.TrimSpace(string(id)))
	c.git("update-ref", "refs/heads/evil", commit)
	out, err := c.try("push", srv.as("ada", testID), "evil")
	require.Error(t, err)
	require.Contains(t, out, "hasDotgit")
	srv.noPush(t)
}

// A root directory that was made by another account (a restored backup, a volume) works as well.
func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	require.NoError(t, filepath.WalkDir(s.options.Root, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, 65534, 65534))
	}))
	c := newClient(t)
	c.commit("one", nil)
	c.git("push", "-q", srv.as("ada", testID), "main")
	srv.nextPush(t)
	bareClient(t).git("clone", "-q", srv.url(testID), ".")
}

// After many pushes the repository is packed, and nothing of it runs on after Close.
func TestUpkeepPacks(t *testing.T) {
	s := newRepository(t)
	for key, value := range map[string]string{"gc.autoPackLimit": "1", "receive.unpackLimit": "1"} {
		_, err := s.git(t.Context(), testID, "config", key, value)
		require.NoError(t, err)
	}
	srv := newServer(t, s, HandlerOptions{})
	c := newClient(t)
	for i := range 4 {
		c.commit("more", map[string]string{"a": fmt.Sprint(i)})
		c.git("push", "-q", srv.as("ada", testID), "main")
	}
	packs := filepath.Join(s.layout.repository(testID), "objects", "pack", "*.pack")
	require.Eventually(t, func() bool {
		found, err := filepath.Glob(packs)
		return err == nil && len(found) == 1
	}, 20*time.Second, 20*time.Millisecond)
	require.NoError(t, s.Close())
	require.Empty(t, processesBelow(t, s.options.Root))
	require.Equal(t, "4", func() string {
		out, err := s.git(t.Context(), testID, "rev-list", "--count", "main")
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}())
}
