package git

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestParseOperation(t *testing.T) {
	good := []struct {
		method, suffix, service string
		write                   bool
	}{
		{"GET", "info/refs", "git-upload-pack", false},
		{"GET", "info/refs", "git-receive-pack", true},
		{"POST", "git-upload-pack", "", false},
		{"POST", "git-receive-pack", "", true},
		{"POST", "git-receive-pack", "git-upload-pack", true},
	}
	for _, test := range good {
		op, err := ParseOperation(test.method, test.suffix, test.service)
		require.NoError(t, err, test)
		require.Equal(t, test.write, op.Write(), test)
	}
	for _, suffix := range []string{"", "HEAD", "config", "objects/info/packs", "objects/pack/x.pack", "objects/ab/cd", "../x", "info/refs/", "/info/refs", "git-upload-archive", "INFO/REFS"} {
		for _, method := range []string{"GET", "POST"} {
			_, err := ParseOperation(method, suffix, "git-upload-pack")
			require.ErrorIs(t, err, ErrNotFound, suffix)
		}
	}
	for _, service := range []string{"", "upload-pack", "git-upload-archive", "git-upload-pack --help"} {
		_, err := ParseOperation("GET", "info/refs", service)
		require.ErrorIs(t, err, ErrNotFound, service)
	}
	for _, method := range []string{"HEAD", "POST", "PUT", "DELETE"} {
		_, err := ParseOperation(method, "info/refs", "git-upload-pack")
		require.ErrorIs(t, err, ErrMethod, method)
	}
	_, err := ParseOperation("GET", "git-receive-pack", "")
	require.ErrorIs(t, err, ErrMethod)
}

// post sends a raw request and returns status and body.
func post(t *testing.T, srv *server, path string, body io.Reader, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+path, body)
	require.NoError(t, err)
	req.SetBasicAuth("ada", "x")
	for key, value := range header {
		req.Header.Set(key, value)
	}
	resp, err := srv.Client().Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

const fetchType = "application/x-git-upload-pack-request"

func zipped(t *testing.T, text string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return &b
}

func TestRequestBodies(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	c.commit("one", nil)
	c.seed(s, testID)
	srv := newServer(t, s, HandlerOptions{})
	list := packet("command=ls-refs\n") + packet("agent=git/test") + "0001" + "0000"
	v2 := map[string]string{"Content-Type": fetchType, "Git-Protocol": "version=2"}
	with := func(key, value string) map[string]string {
		header := map[string]string{key: value}
		for k, v := range v2 {
			if k != key {
				header[k] = v
			}
		}
		return header
	}
	unsized := func(text string) io.Reader { return io.MultiReader(strings.NewReader(text)) } // chunked
	tests := []struct {
		name   string
		body   io.Reader
		header map[string]string
		status int
		text   string
	}{
		{"plain", strings.NewReader(list), v2, 200, "refs/heads/main"},
		{"chunked", unsized(list), v2, 200, "refs/heads/main"},
		{"gzip", zipped(t, list), with("Content-Encoding", "gzip"), 200, "refs/heads/main"},
		{"x-gzip, chunked", unsized(zipped(t, list).String()), with("Content-Encoding", "x-gzip"), 200, "refs/heads/main"},
		{"not gzip", strings.NewReader(list), with("Content-Encoding", "gzip"), 400, "not gzip"},
		{"gzip cut short", bytes.NewReader(zipped(t, list).Bytes()[:20]), with("Content-Encoding", "gzip"), 400, "damaged"},
		{"gzip bomb", zipped(t, strings.Repeat("0", maxFetchRequest+1)), with("Content-Encoding", "gzip"), 413, "larger than"},
		{"too large", strings.NewReader(strings.Repeat("0", maxFetchRequest+1)), v2, 413, "larger than"},
		{"too large, chunked", unsized(strings.Repeat("0", maxFetchRequest+1)), v2, 413, "larger than"},
		{"unknown encoding", strings.NewReader(list), with("Content-Encoding", "br"), 415, "encoding"},
		{"wrong type", strings.NewReader(list), with("Content-Type", "text/plain"), 415, "content type"},
		{"form of a browser", strings.NewReader(list), with("Content-Type", "application/x-git-receive-pack-request"), 415, "content type"},
		{"hostile protocol", strings.NewReader(list), with("Git-Protocol", "version=2;$(id)"), 200, ""},
		{"garbage", strings.NewReader("garbage"), v2, 200, ""},
		{"empty", http.NoBody, v2, 200, ""},
	}
	for _, test := range tests {
		status, text := post(t, srv, "/1042/git-upload-pack", test.body, test.header)
		require.Equal(t, test.status, status, "%s: %s", test.name, text)
		require.Contains(t, text, test.text, test.name)
	}
	require.Empty(t, entries(t, s.layout.tmp()))
}

func TestGarbagePushes(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	header := map[string]string{"Content-Type": "application/x-git-receive-pack-request"}
	sha := strings.Repeat("a", 40)
	for _, body := range []string{"", "0000", "zzzz", "ffff", packet("nonsense") + "0000", packet(ZeroSHA+" "+sha+" refs/heads/x\x00report-status") + "0000", packet(ZeroSHA+" "+sha+" refs/heads/x\x00report-status") + "0000PACKgarbage"} {
		status, text := post(t, srv, "/1042/git-receive-pack", strings.NewReader(body), header)
		require.Less(t, status, 500, "%q: %s", body, text)
	}
	srv.noPush(t)
	refs, err := s.Refs(t.Context(), testID)
	require.NoError(t, err)
	require.Empty(t, refs)
}

func TestServeRefusals(t *testing.T) {
	s := newRepository(t)
	h := NewHandler(s, HandlerOptions{})
	read, err := ParseOperation("GET", "info/refs", "git-upload-pack")
	require.NoError(t, err)
	write, err := ParseOperation("GET", "info/refs", "git-receive-pack")
	require.NoError(t, err)
	tests := []struct {
		method string
		req    Request
		status int
	}{
		{"GET", Request{RepoID: testID, Op: read}, 200},
		{"POST", Request{RepoID: testID, Op: read}, 405},
		{"GET", Request{RepoID: testID, Op: write}, 403},
		{"GET", Request{RepoID: testID, Op: write, CanWrite: true}, 200},
		{"GET", Request{RepoID: 7, Op: read}, 404},
		{"GET", Request{RepoID: -1, Op: read}, 404},
		{"GET", Request{RepoID: testID}, 404},
	}
	for _, test := range tests {
		w := httptest.NewRecorder()
		h.Serve(w, httptest.NewRequest(test.method, "/../../etc/passwd", nil), test.req)
		require.Equal(t, test.status, w.Code, "%+v: %s", test, w.Body)
	}
}

// Control characters in a name must not reach the environment or the reflog.
func TestPrintable(t *testing.T) {
	require.Equal(t, "adaGIT_DIR=/x ä", printable("ada\nGIT_DIR=/x\x00 ä\x7f"))
}

// processesBelow lists the processes that work below a directory.
func processesBelow(t *testing.T, root string) (found []string) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	all, err := filepath.Glob("/proc/[0-9]*/cwd")
	require.NoError(t, err)
	for _, link := range all {
		if dir, err := os.Readlink(link); err == nil && strings.HasPrefix(dir, root) {
			found = append(found, link+" "+dir)
		}
	}
	return found
}

// bigClone starts to clone 30 MB and stops reading; it returns the connection.
func bigClone(t *testing.T, s *Store, srv *server) net.Conn {
	t.Helper()
	c := newClient(t)
	c.git("config", "core.compression", "0")
	sha := c.commit("big", map[string]string{"big": string(noise(2, 30<<20))})
	c.seed(s, testID)
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	require.NoError(t, err)
	body := packet("want "+sha+" side-band-64k ofs-delta\n") + "0000" + packet("done\n")
	_, err = io.WriteString(conn, "POST /1042/git-upload-pack HTTP/1.1\r\nHost: x\r\nContent-Type: "+fetchType+"\r\nTransfer-Encoding: chunked\r\n\r\n")
	require.NoError(t, err)
	_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	require.NoError(t, err)
	_, err = io.ReadFull(conn, make([]byte, 64<<10))
	require.NoError(t, err)
	return conn
}

func TestClientGoneMidClone(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{})
	conn := bigClone(t, s, srv)
	require.NotEmpty(t, processesBelow(t, s.options.Root), "git is at work")
	require.NoError(t, conn.Close())
	require.Eventually(t, func() bool { return len(processesBelow(t, s.options.Root)) == 0 }, 10*time.Second, 20*time.Millisecond)
}

// A client that stops reading is given up after the idle time, though its connection is open.
func TestClientStallsMidClone(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{IdleTimeout: 200 * time.Millisecond})
	conn := bigClone(t, s, srv)
	defer conn.Close()
	require.Eventually(t, func() bool { return len(processesBelow(t, s.options.Root)) == 0 }, 10*time.Second, 20*time.Millisecond)
}

// A push that breaks off or stalls holds neither a process nor the repository's lock, and changes nothing.
func TestClientGoneMidPush(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{IdleTimeout: 200 * time.Millisecond})
	head := "POST /1042/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic YWRhOng=\r\nContent-Type: application/x-git-receive-pack-request\r\nContent-Length: 1000000\r\n\r\n"
	for _, hangUp := range []bool{true, false} {
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		_, err = conn.Write(append([]byte(head), noise(3, 200_000)...))
		require.NoError(t, err)
		if hangUp {
			require.NoError(t, conn.Close())
			continue
		}
		answer, err := io.ReadAll(conn)
		require.NoError(t, err)
		require.Contains(t, string(answer), "400 Bad Request")
	}
	c := newClient(t)
	c.commit("one", nil)
	c.git("push", "-q", srv.as("ada", testID), "main")
	srv.nextPush(t)
	require.Eventually(t, func() bool { return len(entries(t, s.layout.tmp())) == 0 }, 10*time.Second, 20*time.Millisecond)
}

// The time limits of the server in front do not cut a push, though OnPush is silent for longer.
func TestServerTimeLimitsDoNotCutAPush(t *testing.T) {
	s, c := newRepository(t), newClient(t)
	c.commit("one", nil)
	const idle = 150 * time.Millisecond
	slow := make(chan struct{})
	h := NewHandler(s, HandlerOptions{IdleTimeout: idle, OnPush: func(context.Context, Push) error {
		time.AfterFunc(4*idle, func() { close(slow) })
		<-slow
		return nil
	}})
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serveTest(h, w, r) }))
	srv.Config.WriteTimeout = idle
	srv.Start()
	t.Cleanup(srv.Close)
	c.git("push", "-q", strings.Replace(srv.URL, "http://", "http://ada:x@", 1)+"/1042", "main")
}

// deadlines is a response writer that remembers the last deadlines.
type deadlines struct {
	*httptest.ResponseRecorder
	read, write []time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error  { d.read = append(d.read, at); return nil }
func (d *deadlines) SetWriteDeadline(at time.Time) error { d.write = append(d.write, at); return nil }

// A deadline left on a connection would end the next request on it, or this one while git still works.
func TestNoDeadlineIsLeftOnTheConnection(t *testing.T) {
	s := newRepository(t)
	h := NewHandler(s, HandlerOptions{})
	for _, body := range []string{"0000", strings.Repeat("0", maxFetchRequest+1)} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", fetchType)
		r.ContentLength = -1
		w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
		op, err := ParseOperation(http.MethodPost, "git-upload-pack", "")
		require.NoError(t, err)
		h.Serve(w, r, Request{RepoID: testID, Op: op})
		require.Greater(t, len(w.read), 1)
		require.Greater(t, len(w.write), 1)
		require.True(t, w.read[len(w.read)-1].IsZero())
		require.True(t, w.write[len(w.write)-1].IsZero())
		require.False(t, w.read[0].IsZero())
		require.False(t, w.write[0].IsZero())
	}
}

// One slot: the second clone waits, then works.
func TestTransfersAreBounded(t *testing.T) {
	s := newRepository(t)
	srv := newServer(t, s, HandlerOptions{MaxTransfers: 1})
	conn := bigClone(t, s, srv)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, srv.url(testID)+"/info/refs?service=git-upload-pack", nil)
	require.NoError(t, err)
	_, err = srv.Client().Do(req)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.NoError(t, conn.Close())
	bareClient(t).git("ls-remote", srv.url(testID))
}
