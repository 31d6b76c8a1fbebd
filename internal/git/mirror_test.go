package git

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// outside is a repository somewhere else, served over HTTP with a password.
type outside struct {
	*httptest.Server
	store    *Store
	client   *client
	requests atomic.Int64
	auth     sync.Map // every Authorization seen
}

const outsideID = int64(5)

func newOutside(t *testing.T, password string) *outside {
	t.Helper()
	o := &outside{store: newStore(t), client: newClient(t)}
	require.NoError(t, o.store.Create(t.Context(), outsideID, "main"))
	h := NewHandler(o.store, HandlerOptions{})
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.requests.Add(1)
		o.auth.Store(r.Header.Get("Authorization"), true)
		if _, got, _ := r.BasicAuth(); got != password {
			w.Header().Set("WWW-Authenticate", `Basic realm="outside"`)
			http.Error(w, "no", http.StatusUnauthorized)
			return
		}
		serveTest(h, w, r)
	}))
	t.Cleanup(o.Close)
	return o
}

func (o *outside) url() string { return o.URL + "/5" }

func TestMirror(t *testing.T) {
	o := newOutside(t, "")
	s, ctx := newStore(t), t.Context()
	require.NoError(t, s.Create(ctx, testID, "main"))
	one := o.client.commit("one", nil)
	o.client.git("branch", "gone")
	o.client.git("branch", "trunk")
	o.client.git("tag", "v1")
	o.client.git("update-ref", "refs/pull/3/head", one)
	o.client.git("update-ref", "refs/secret/x", one)
	o.client.seed(o.store, outsideID)
	require.NoError(t, o.store.SetDefaultBranch(ctx, outsideID, "trunk"))

	request := MirrorRequest{URL: o.url()}
	require.NoError(t, s.Mirror(ctx, testID, request))
	refs, err := s.Refs(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"refs/heads/main": one, "refs/heads/gone": one, "refs/heads/trunk": one, "refs/tags/v1": one, "refs/pull/3/head": one}, refs)
	branch, err := s.DefaultBranch(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, "trunk", branch)

	// Within the interval nothing is asked.
	before := o.requests.Load()
	require.NoError(t, s.Mirror(ctx, testID, request))
	require.Equal(t, before, o.requests.Load())

	// History is rewritten, a branch goes, another comes in its way; the interval passes.
	o.client.git("commit", "-q", "--amend", "-m", "uno", "--allow-empty")
	uno := o.client.git("rev-parse", "HEAD")
	o.client.git("branch", "-D", "gone")
	o.client.git("branch", "gone/deeper")
	o.client.seed(o.store, outsideID)
	s.options.Now = func() time.Time { return time.Now().Add(time.Minute) }
	require.NoError(t, s.Mirror(ctx, testID, request))
	refs, err = s.Refs(ctx, testID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"refs/heads/main": uno, "refs/heads/gone/deeper": uno, "refs/heads/trunk": one, "refs/tags/v1": one, "refs/pull/3/head": one}, refs)
}

func TestMirrorWant(t *testing.T) {
	o := newOutside(t, "")
	s, ctx := newStore(t), t.Context()
	require.NoError(t, s.Create(ctx, testID, "main"))
	one := o.client.commit("one", nil)
	o.client.seed(o.store, outsideID)
	require.NoError(t, s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: one}))
	before := o.requests.Load()
	require.NoError(t, s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: one}))
	require.Equal(t, before, o.requests.Load(), "it is there already")

	two := o.client.commit("two", nil)
	o.client.seed(o.store, outsideID)
	require.NoError(t, s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: two}), "in spite of the interval")
	_, err := s.Commit(ctx, testID, two)
	require.NoError(t, err)

	// A commit that no branch leads to any more.
	three := o.client.commit("three", nil)
	o.client.seed(o.store, outsideID)
	o.client.git("reset", "-q", "--hard", two)
	o.client.seed(o.store, outsideID)
	require.NoError(t, s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: three}))

	err = s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: strings.Repeat("1", 40)})
	require.ErrorIs(t, err, ErrNotFound)
	err = s.Mirror(ctx, testID, MirrorRequest{URL: o.url(), Want: "--all"})
	require.ErrorIs(t, err, ErrInvalid)
}

func TestMirrorOfAnEmptyRepository(t *testing.T) {
	o := newOutside(t, "")
	s := newRepository(t)
	require.NoError(t, s.Mirror(t.Context(), testID, MirrorRequest{URL: o.url()}))
}

func TestMirrorCredentials(t *testing.T) {
	const password = "s3cret'\"$(x) *"
	o := newOutside(t, password)
	o.client.commit("one", nil)
	o.client.seed(o.store, outsideID)
	withUser := strings.Replace(o.url(), "http://", "http://"+url.UserPassword("ada", password).String()+"@", 1)
	tests := map[string]struct {
		request MirrorRequest
		works   bool
	}{
		"none":           {MirrorRequest{URL: o.url()}, false},
		"in the fields":  {MirrorRequest{URL: o.url(), Username: "a@b c", Password: password}, true},
		"only a token":   {MirrorRequest{URL: o.url(), Password: password}, true},
		"in the URL":     {MirrorRequest{URL: withUser}, true},
		"fields win":     {MirrorRequest{URL: withUser, Username: "ada", Password: "wrong"}, false},
		"with a newline": {MirrorRequest{URL: o.url(), Username: "a\nb", Password: password}, false},
	}
	for name, test := range tests {
		s := newRepository(t)
		err := s.Mirror(t.Context(), testID, test.request)
		if test.works {
			require.NoError(t, err, name)
			continue
		}
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "s3cret", name)
	}
}

// A redirect must not carry the credentials to another host, nor around a policy.
func TestMirrorRedirects(t *testing.T) {
	target := newOutside(t, "target-only")
	redirect := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, target.URL+r.URL.RequestURI(), http.StatusMovedPermanently)
	}))
	t.Cleanup(redirect.Close)
	s := newRepository(t)
	err := s.Mirror(t.Context(), testID, MirrorRequest{URL: redirect.URL + "/5", Username: "ada", Password: "s3cret"})
	require.Error(t, err)
	require.Positive(t, target.requests.Load(), "the redirect itself is followed")
	target.auth.Range(func(key, _ any) bool {
		require.Empty(t, key, "no credentials arrived")
		return true
	})

	seen := target.requests.Load()
	strict := newStore(t, func(o *Options) { o.Mirror.AllowURL = func(*url.URL) error { return nil } })
	require.NoError(t, strict.Create(t.Context(), testID, "main"))
	require.Error(t, strict.Mirror(t.Context(), testID, MirrorRequest{URL: redirect.URL + "/5"}))
	require.Equal(t, seen, target.requests.Load())
}

// Ten callers at once cause one fetch.
func TestMirrorSingleFlight(t *testing.T) {
	o := newOutside(t, "")
	o.client.commit("one", nil)
	o.client.seed(o.store, outsideID)
	s := newRepository(t)
	require.NoError(t, s.Mirror(t.Context(), testID, MirrorRequest{URL: o.url()}))
	perFetch := o.requests.Swap(0)
	s.mirrors.set(testID, mirrorState{})
	var wg sync.WaitGroup
	errs := make([]error, 10)
	for i := range errs {
		wg.Go(func() { errs[i] = s.Mirror(t.Context(), testID, MirrorRequest{URL: o.url()}) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	require.LessOrEqual(t, o.requests.Load(), perFetch)
}

func TestMirrorFailure(t *testing.T) {
	s := newRepository(t)
	var requests atomic.Int64
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests.Add(1)
		http.Error(w, "broken", http.StatusBadGateway)
	}))
	t.Cleanup(broken.Close)
	request := MirrorRequest{URL: broken.URL + "/x.git"}
	err := s.Mirror(t.Context(), testID, request)
	var failed *CommandError
	require.ErrorAs(t, err, &failed)
	require.Contains(t, failed.Stderr, "502")
	seen := requests.Load()
	require.ErrorAs(t, s.Mirror(t.Context(), testID, request), &failed, "the failure is remembered")
	require.Equal(t, seen, requests.Load(), "and the other side left in peace")
}

func TestMirrorTimeLimit(t *testing.T) {
	release := make(chan struct{})
	stalled := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(stalled.Close)
	t.Cleanup(func() { close(release) })
	s := newStore(t, func(o *Options) { o.Mirror.Timeout = 200 * time.Millisecond })
	require.NoError(t, s.Create(t.Context(), testID, "main"))
	err := s.Mirror(t.Context(), testID, MirrorRequest{URL: stalled.URL + "/x.git"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, processesBelow(t, s.options.Root))
}

func TestMirrorFromAFile(t *testing.T) {
	source := newClient(t)
	sha := source.commit("one", nil)
	for _, address := range []string{source.dir, "file://" + source.dir} {
		s := newStore(t, func(o *Options) { o.Mirror.AllowFile = true })
		require.NoError(t, s.Create(t.Context(), testID, "main"))
		require.NoError(t, s.Mirror(t.Context(), testID, MirrorRequest{URL: address}))
		resolved, err := s.ResolveRef(t.Context(), testID, "main")
		require.NoError(t, err)
		require.Equal(t, sha, resolved.Commit)
	}
}

func TestCheckMirrorURL(t *testing.T) {
	good := []string{"https://github.com/o/r.git", "http://10.0.0.1:3000/o/r", "https://user:pass@host/o/r", "https://[::1]:8443/r"}
	bad := []string{
		"", "github.com/o/r", "git@github.com:o/r.git", "ssh://git@github.com/o/r", "git://host/r", "ftp://host/r", "file:///etc", "/etc",
		"ext::sh -c id", "fd::17", "--upload-pack=id", "https://", "https:///r", "https://host", "https://host/", "https://host/r?token=x", "https://host/r#x",
		"https:opaque", "https://ho st/r", "https://host/r\n", "https://host/a\\b", "https://-host/r", "https://host:port/r", "https://host/" + strings.Repeat("x", maxURLLength),
	}
	for _, raw := range good {
		require.NoError(t, CheckMirrorURL(raw, MirrorOptions{}), raw)
	}
	for _, raw := range bad {
		err := CheckMirrorURL(raw, MirrorOptions{})
		require.ErrorIs(t, err, ErrInvalid, raw)
	}
	err := CheckMirrorURL("https://user:s3cret@host:port/r", MirrorOptions{})
	require.ErrorIs(t, err, ErrInvalid)
	require.NotContains(t, err.Error(), "s3cret")

	all := MirrorOptions{AllowFile: true, AllowSSH: true}
	for _, raw := range []string{"ssh://git@github.com/o/r", "file:///srv/r", "/srv/r", filepath.Join(t.TempDir(), "r")} {
		require.NoError(t, CheckMirrorURL(raw, all), raw)
	}
	for _, raw := range []string{"ssh://-oProxyCommand=id/r", "ssh://-x@host/r", "ssh://a:b@host/r", "file://host/r", "git@github.com:o/r.git"} {
		require.ErrorIs(t, CheckMirrorURL(raw, all), ErrInvalid, raw)
	}
	policy := MirrorOptions{AllowURL: func(u *url.URL) error {
		if u.Hostname() == "10.0.0.1" {
			return errors.New("private address")
		}
		return nil
	}}
	require.NoError(t, CheckMirrorURL("https://github.com/o/r", policy))
	require.ErrorContains(t, CheckMirrorURL("https://10.0.0.1/o/r", policy), "private address")
}
