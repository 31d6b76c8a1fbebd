package apiserver_test

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/ratelimit"
	"github.com/pawl-ci/pawl/observability"
)

func TestUnchangedReadsAreNotSentAgain(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	run := r.latestRun(repo)
	for _, path := range []string{
		repoPath(repo, ""), repoPath(repo, "/actions/runs?limit=1"), repoPath(repo, "/actions/runs/%d", run.Run.ID),
		repoPath(repo, "/actions/runs/%d/jobs", run.Run.ID), "/user", "/users/anna/tokens",
	} {
		client := anna
		if strings.HasPrefix(path, "/users/") {
			client = anna.with(basic("anna", password))
		}
		first := client.do("GET", path, nil)
		first.wants(http.StatusOK)
		tag := first.Header.Get("ETag")
		require.Regexp(t, `^W/"[\w-]{22}"$`, tag, path)
		require.Equal(t, "private, no-cache", first.Header.Get("Cache-Control"))
		require.ElementsMatch(t, []string{"Accept-Encoding", "Authorization"}, first.Header.Values("Vary"))
		for _, sent := range []string{tag, strings.TrimPrefix(tag, "W/"), `"x", ` + tag, "*"} {
			for _, method := range []string{"GET", "HEAD"} {
				again := client.do(method, path, nil, "If-None-Match", sent)
				require.Equal(t, http.StatusNotModified, again.StatusCode, "%s %s", path, sent)
				require.Empty(t, again.body)
				for _, name := range []string{"ETag", "Cache-Control", "Vary", "X-Total-Count", "Link"} {
					require.Equal(t, first.Header.Values(name), again.Header.Values(name), "%s %s", path, name)
				}
				require.Empty(t, again.Header.Get("Content-Type"))
			}
		}
		head := client.do("HEAD", path, nil)
		require.Equal(t, tag, head.Header.Get("ETag"))
		require.Equal(t, first.Header.Get("Content-Length"), head.Header.Get("Content-Length"))
		require.Equal(t, http.StatusOK, client.do("GET", path, nil, "If-None-Match", `"other"`).StatusCode)
	}

	// What changes has another tag, also if only another page of the list did.
	tag := anna.do("GET", repoPath(repo, "/actions/runs/%d", run.Run.ID), nil).Header.Get("ETag")
	tokens := anna.with(basic("anna", password)).do("GET", "/users/anna/tokens?limit=1", nil).Header.Get("ETag")
	r.finish(run, "success")
	r.withScopes(anna.owner, "read:user")
	require.Equal(t, http.StatusOK, anna.do("GET", repoPath(repo, "/actions/runs/%d", run.Run.ID), nil, "If-None-Match", tag).StatusCode)
	require.Equal(t, http.StatusOK,
		anna.with(basic("anna", password)).do("GET", "/users/anna/tokens?limit=1", nil, "If-None-Match", tokens).StatusCode)

	refused := anna.do("GET", "/repos/anna/none", nil, "If-None-Match", "*")
	refused.wants(http.StatusNotFound)
	require.Empty(t, refused.Header.Get("ETag"))
	secret := anna.do("GET", repoPath(repo, "/actions/runners/registration-token"), nil, "If-None-Match", "*")
	secret.wants(http.StatusOK)
	require.Equal(t, "no-store", secret.Header.Get("Cache-Control"))
}

func TestCompression(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo := anna.pushed("demo")
	job := r.jobs(r.latestRun(repo))[0]
	task, _ := r.claim(job)
	log := r.logger(task)
	text := ""
	for range 50 {
		text += log.append(false, strings.Repeat("x", 100))
	}
	text += log.append(true)
	unpacked := func(a reply) string {
		t.Helper()
		require.Equal(t, "gzip", a.Header.Get("Content-Encoding"))
		require.Empty(t, a.Header.Get("Accept-Ranges"))
		unzip, err := gzip.NewReader(strings.NewReader(string(a.body)))
		require.NoError(t, err)
		plain, err := io.ReadAll(unzip)
		require.NoError(t, err)
		require.Less(t, len(a.body), len(plain))
		return string(plain)
	}
	for _, path := range []string{"/api/v1" + repoPath(repo, "/actions/runs"), "/api/v1" + repoPath(repo, "/actions/jobs/%d/logs", job.ID), "/anna/demo/actions"} {
		plain := anna.raw("GET", path, nil)
		require.Empty(t, plain.Header.Get("Content-Encoding"))
		require.Contains(t, plain.Header.Values("Vary"), "Accept-Encoding")
		packed := anna.raw("GET", path, nil, "Accept-Encoding", "gzip")
		require.Equal(t, string(plain.body), unpacked(packed), path)
		require.Equal(t, plain.Header.Get("ETag"), packed.Header.Get("ETag"))
		for _, accept := range []string{"identity", "gzip;q=0", "br", "", "*;q=0"} {
			require.Empty(t, anna.raw("GET", path, nil, "Accept-Encoding", accept).Header.Get("Content-Encoding"), accept)
		}
		for _, encoding := range []string{"gzip", "identity"} {
			get := anna.raw("GET", path, nil, "Accept-Encoding", encoding)
			head := anna.raw("HEAD", path, nil, "Accept-Encoding", encoding)
			require.Empty(t, head.body)
			for _, name := range []string{"Content-Type", "ETag", "Vary"} {
				require.Equal(t, get.Header.Values(name), head.Header.Values(name), "%s %s %s", path, encoding, name)
			}
			length := head.Header.Get("Content-Length")
			require.True(t, length == "" || length == get.Header.Get("Content-Length"), "%s %s %s", path, encoding, length)
		}
		if tag := packed.Header.Get("ETag"); tag != "" {
			require.Equal(t, http.StatusNotModified, anna.raw("GET", path, nil, "Accept-Encoding", "gzip", "If-None-Match", tag).StatusCode)
		}
	}
	logs := repoPath(repo, "/actions/jobs/%d/logs", job.ID)
	part := anna.do("GET", logs, nil, "Accept-Encoding", "gzip", "Range", "bytes=10-2999")
	part.wants(http.StatusPartialContent)
	require.Equal(t, text[10:3000], string(part.body))
	require.Empty(t, part.Header.Get("Content-Encoding"))
	small := anna.do("GET", "/version", nil, "Accept-Encoding", "gzip")
	require.Empty(t, small.Header.Get("Content-Encoding"))
	r.finish(r.latestRun(repo), "success")
	stream := anna.do("GET", logs+"/stream", nil, "Accept-Encoding", "gzip")
	require.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	require.Empty(t, stream.Header.Get("Content-Encoding"))
	require.Greater(t, len(stream.body), 2000)
}

func TestBatchOfRuns(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	repo, other := anna.pushed("demo"), anna.pushed("other")
	foreign := r.latestRun(other).Run.ID
	for range 2 {
		anna.do("POST", repoPath(repo, "/actions/workflows/ci.yml/dispatches"), `{"ref":"main"}`).wants(http.StatusNoContent)
	}
	var all []int64
	for _, v := range anna.do("GET", repoPath(repo, "/actions/runs"), nil).wants(http.StatusOK)["workflow_runs"].([]any) {
		all = append(all, number(v.(map[string]any)["id"]))
	}
	require.Len(t, all, 3)
	ask := func(query string) (int, []int64) {
		t.Helper()
		a := anna.do("GET", repoPath(repo, "/actions/runs?%s", query), nil)
		out := a.wants(http.StatusOK)
		ids := []int64{}
		for _, v := range out["workflow_runs"].([]any) {
			ids = append(ids, number(v.(map[string]any)["id"]))
		}
		require.Equal(t, fmt.Sprint(len(ids)), a.Header.Get("X-Total-Count"))
		return int(number(out["total_count"])), ids
	}
	n, ids := ask(fmt.Sprintf("id=%d&id=%d&id=%d&id=x&id=-1&id=99999999999999999999&id=%d", all[2], foreign, all[0], all[2]))
	require.Equal(t, 2, n)
	require.Equal(t, []int64{all[2], all[0]}, ids)
	n, ids = ask("id=")
	require.Zero(t, n)
	require.Empty(t, ids)
	var many []string
	for i := range 101 {
		many = append(many, fmt.Sprintf("id=%d", i+1))
	}
	_, ids = ask(strings.Join(many[:100], "&"))
	require.NotEmpty(t, ids)
	anna.do("GET", repoPath(repo, "/actions/runs?%s", strings.Join(many, "&")), nil).
		refused(http.StatusBadRequest, "at most 100 runs may be asked for at once")
	r.anonymous().do("GET", repoPath(repo, "/actions/runs?id=1"), nil).wants(http.StatusNotFound)
}

// still is a clock that stands, and can be moved.
type still struct{ nanos atomic.Int64 }

func (s *still) now() time.Time          { return time.Unix(1_800_000_000, s.nanos.Load()) }
func (s *still) advance(d time.Duration) { s.nanos.Add(int64(d)) }

func limitedRig(t *testing.T, limits apiserver.Limits, change ...func(*apiserver.Config)) (*rig, *still) {
	clock := &still{}
	return newRig(t, append(change, func(c *apiserver.Config) { c.Limits, c.Now = limits, clock.now })...), clock
}

func (a reply) tells(limit, remaining int) {
	a.t.Helper()
	require.Equal(a.t, strconv.Itoa(limit), a.Header.Get("X-RateLimit-Limit"))
	require.Equal(a.t, strconv.Itoa(remaining), a.Header.Get("X-RateLimit-Remaining"))
	require.NotEmpty(a.t, a.Header.Get("X-RateLimit-Reset"))
}

func TestRateLimitOfCallers(t *testing.T) {
	r, clock := limitedRig(t, apiserver.Limits{Caller: ratelimit.Rate{PerSecond: 0.5, Burst: 3}})
	anna := r.user("anna")
	second := r.withScopes(anna.owner, "read:user")
	for left := 2; left >= 0; left-- {
		anna.do("GET", "/user", nil).tells(3, left)
	}
	a := anna.do("GET", "/user", nil)
	a.refused(http.StatusTooManyRequests, "rate limit exceeded, try again in 2s")
	a.tells(3, 0)
	require.Equal(t, "2", a.Header.Get("Retry-After"))
	require.Equal(t, "1800000006", a.Header.Get("X-RateLimit-Reset"))
	second.do("GET", "/user", nil).wants(http.StatusOK)
	anna.with("Bearer "+anna.token).do("GET", "/user", nil).wants(http.StatusTooManyRequests)
	anna.with(basic("x", anna.token)).do("GET", "/user", nil).wants(http.StatusTooManyRequests)
	require.Equal(t, http.StatusTooManyRequests, anna.raw("GET", "/anna/none/actions", nil).StatusCode, "pages count too")
	anonymous := r.anonymous().do("GET", "/version", nil)
	anonymous.wants(http.StatusOK)
	require.Empty(t, anonymous.Header.Get("X-RateLimit-Limit"), "that limit is off")
	clock.advance(2 * time.Second)
	anna.do("GET", "/user", nil).tells(3, 0)
	require.NoError(t, observability.CheckNames(r.registry))
}

func TestRateLimitOfAddresses(t *testing.T) {
	trusted := func(c *apiserver.Config) {
		c.TrustedProxies = peer.Proxies{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	r, clock := limitedRig(t, apiserver.Limits{Anonymous: ratelimit.Rate{PerSecond: 1, Burst: 3}}, trusted)
	anna := r.user("anna")
	from := func(address string) []string { return []string{"X-Forwarded-For", address} }
	anna.do("GET", "/user", nil, from("192.0.2.1")...).wants(http.StatusOK)

	// Anonymous calls and wrong credentials take from the same bucket.
	r.anonymous().do("GET", "/version", nil, from("192.0.2.1")...).tells(3, 2)
	for left := 1; left >= 0; left-- {
		a := r.anonymous().with("token wrong").do("GET", "/user", nil, from("192.0.2.1")...)
		a.refused(http.StatusUnauthorized, "invalid username, password or token")
		a.tells(3, left)
	}
	a := r.anonymous().do("GET", "/version", nil, from("192.0.2.1")...)
	a.wants(http.StatusTooManyRequests)
	require.Equal(t, "1", a.Header.Get("Retry-After"))
	guess := r.anonymous().with("token guess")
	guess.do("GET", "/user", nil, from("192.0.2.1")...).wants(http.StatusTooManyRequests)
	require.Equal(t, http.StatusTooManyRequests, r.anonymous().raw("GET", "/", nil, from("192.0.2.1")...).StatusCode)

	// Who has proved before who it is comes through, and so do other addresses.
	anna.do("GET", "/user", nil, from("192.0.2.1")...).wants(http.StatusOK)
	r.anonymous().do("GET", "/version", nil, from("192.0.2.2")...).wants(http.StatusOK)
	guess.do("GET", "/user", nil, from("192.0.2.2")...).wants(http.StatusUnauthorized)
	clock.advance(time.Second)
	guess.do("GET", "/user", nil, from("192.0.2.1")...).wants(http.StatusUnauthorized)
}

// Credentials that were right once, and are not any more, are bounded like all wrong ones.
func TestRevokedTokensAreLimited(t *testing.T) {
	r, _ := limitedRig(t, apiserver.Limits{Anonymous: ratelimit.Rate{PerSecond: 1, Burst: 2}})
	anna := r.user("anna")
	anna.do("GET", "/user", nil).wants(http.StatusOK)
	r.sql(`DELETE FROM access_tokens WHERE user_id = $1`, anna.owner.ID)
	for range 2 {
		anna.do("GET", "/user", nil).wants(http.StatusUnauthorized)
	}
	anna.do("GET", "/user", nil).wants(http.StatusTooManyRequests)
}

func TestRateLimitOfPasswords(t *testing.T) {
	r, clock := limitedRig(t, apiserver.Limits{Login: ratelimit.Rate{PerSecond: 1, Burst: 2}})
	anna := r.user("anna")
	repo := anna.pushed("demo")
	right, wrong := anna.with(basic("anna", password)), anna.with(basic("anna", "wrong horse"))
	for range 5 { // computed once
		right.do("GET", "/user", nil).wants(http.StatusOK)
	}
	wrong.do("GET", "/user", nil).wants(http.StatusUnauthorized)
	a := wrong.do("GET", "/user", nil)
	a.refused(http.StatusTooManyRequests, "rate limit exceeded, try again in 1s")
	right.do("GET", "/user", nil).wants(http.StatusOK)
	anna.do("GET", "/user", nil).wants(http.StatusOK)

	// Git is no open door for guesses, and is not limited otherwise.
	refs := "/" + repo.FullName() + ".git/info/refs?service=git-upload-pack"
	require.Equal(t, http.StatusTooManyRequests, wrong.raw("GET", refs, nil).StatusCode)
	require.Equal(t, http.StatusOK, right.raw("GET", refs, nil).StatusCode)
	clock.advance(time.Second)
	require.Equal(t, http.StatusUnauthorized, wrong.raw("GET", refs, nil).StatusCode)
}

func TestGitIsNotLimited(t *testing.T) {
	one := ratelimit.Rate{PerSecond: 1, Burst: 1}
	r, _ := limitedRig(t, apiserver.Limits{Anonymous: one, Caller: one})
	anna := r.user("anna")
	anna.do("POST", "/user/repos", `{"name":"demo"}`).wants(http.StatusCreated)
	for range 5 {
		for _, c := range []*client{anna, r.anonymous()} {
			a := c.raw("GET", "/anna/demo.git/info/refs?service=git-upload-pack", nil)
			require.Equal(t, http.StatusOK, a.StatusCode)
			require.Empty(t, a.Header.Get("X-RateLimit-Limit"))
		}
	}
}

func TestErrorsNameTheRequest(t *testing.T) {
	r := newRig(t)
	a := r.anonymous().do("GET", "/user", nil, "X-Request-Id", "mine-1")
	require.Equal(t, "mine-1", a.wants(http.StatusUnauthorized)["request_id"])
	a = r.anonymous().do("GET", "/user", nil, "X-Request-Id", "not mine\t")
	require.Equal(t, a.Header.Get("X-Request-Id"), a.wants(http.StatusUnauthorized)["request_id"])
	require.Len(t, a.Header.Get("X-Request-Id"), 36)
}

// Two servers of one process, as in tests, share metrics; a server with nonsense does not start.
func TestTwoServersShareMetrics(t *testing.T) {
	var config apiserver.Config
	newRig(t, func(c *apiserver.Config) { config = *c })
	again, err := apiserver.New(config)
	require.NoError(t, err)
	w := httptest.NewRecorder()
	again.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/api/v1/version", nil))
	require.Equal(t, http.StatusOK, w.Code)
	require.IsType(t, (*db.DB)(nil), config.DB)
}
