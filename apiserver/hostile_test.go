package apiserver_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
)

// hostile are values for parameters, escaped as they stand in a path.
var hostile = []string{
	"x", "0", "-1", "1", "9223372036854775807", "9223372036854775808", "99999999999999999999999999", "1.5", "1e9", "0x10", "NaN", "null",
	"%00", "a%00b", "%ff%fe", "%C0%AE", "..", "..%2F..%2Fetc%2Fpasswd", "%2E%2E", "a%2Fb", "%2F", "%5C", ".git", "x.git", "%20", "%0D%0ASet-Cookie:%20x",
	"';DROP%20TABLE%20runs;--", "%25", "%25s%25n", "%7B%7B.%7D%7D", "$%7Bjndi:x%7D", "%F0%9F%92%A5", "%E2%80%AE", "*", "%3Cscript%3E", "?", "~", "api",
	strings.Repeat("a", 5000), strings.Repeat("%F0%9F%92%A5", 500),
}

// bodies are sent to whatever takes one.
var bodies = []string{
	"", "{", "{}", "[]", "null", "0", `"x"`, "\x00", "\xff\xfe", `{"ref":null,"inputs":null,"name":null}`,
	`{"ref":"\u0000","name":"\u0000","username":"\u0000","permission":"\u0000"}`, `{"ref":"\ud800","name":"\ud800"}`,
	`{"ref":{},"name":{},"username":{},"disabled":{},"scopes":{},"permission":{},"role":{}}`,
	`{"wait_timer":1e400}`, `{"wait_timer":-1}`, `{"wait_timer":2147483648}`, `{"wait_timer":[],"reviewers":{}}`, `{"reviewers":[null]}`,
	`{"reviewers":[{"type":"User","id":-2},{"type":"User","id":9223372036854775807}]}`, `{"reviewers":[{"type":"\u0000","id":"1"}]}`,
	`{"environment_ids":[9223372036854775807,-1,0],"state":"approved","comment":"\ud800\n"}`, `{"environment_ids":[1],"state":"rejected"}`,
	`{"environment_ids":["1"],"state":1,"comment":{}}`, `{"max_running_jobs":-1}`, `{"max_running_jobs":9223372036854775807}`,
	`{"max_running_jobs":null,"paused":null,"approval":null}`, `{"max_running_jobs":{},"paused":"x","approval":[]}`, `{"approval":"\u0000"}`,
	`{"required":null}`, `{"required":"yes"}`, `{"state":"success","context":"\ud800","target_url":"javascript:x"}`,
	`{"content":"%%%","sha":"x"}`, `{"content":"eA==","sha":"x","branch":"..","author":{"name":"<","email":"\n"}}`, `{"content":{}}`,
	`{"content":"eA==","message":"\u0000"}`, `{"content":"","branch":"none","author":{"name":"..."}}`,
	`{"state":"\u0000"}`, `{"state":"success","target_url":"http://[::1","description":{}}`, `{"state":"pending"}`,
	`{"data":"x","value":"x","description":{}}`, `{"data":null,"value":null}`, `{"data":{},"value":[]}`,
	`{"data":"\ud800\u0001","value":"\ud800\u0001","description":"\u0001"}`, `{"value":"x","name":"\u0000"}`, `{"value":"x","name":"a b"}`,
	`{"ref":"main","name":"x","username":"x","disabled":1e400,"scopes":["\u0000"],"permission":"read","role":"owner"}`,
	strings.Repeat("[", 100_000), `{"inputs":{"` + strings.Repeat("a", 100_000) + `":"b"},"ref":"main"}`,
}

var parameter = regexp.MustCompile(`\{[a-z_]+(:[^}]+)?\}`)

func parameterName(p string) string {
	name, _, _ := strings.Cut(strings.Trim(p, "{}"), ":")
	return name
}

// paths are the route with each parameter in turn hostile, the others good.
func paths(route string, good map[string]string) []string {
	fill := func(route string) string {
		return parameter.ReplaceAllStringFunc(route, func(p string) string { return good[parameterName(p)] })
	}
	out := []string{fill(route)}
	for _, p := range parameter.FindAllString(route, -1) {
		for _, value := range hostile {
			out = append(out, fill(strings.Replace(route, p, value, 1)))
		}
	}
	return out
}

// Whatever a client sends to whatever route, the answer is never a 5xx.
func TestAllRoutesWithHostileValues(t *testing.T) {
	// Followed logs end at once, so that the walk does.
	r := newRig(t, func(c *apiserver.Config) { c.LogPoll = time.Millisecond })
	r.server.Drain()
	root := r.user("root1", true)
	repo := root.pushed("demo")
	root.do("POST", "/orgs", `{"username":"acme"}`).wants(http.StatusCreated)
	run := r.latestRun(repo)
	job := r.jobs(run)[0]
	task, _ := r.claim(job)
	r.logger(task).append(true, "hello")
	root.do("PUT", repoPath(repo, "/environments/prod"), nil).wants(http.StatusOK)
	for _, level := range []string{repoPath(repo, ""), "/orgs/acme", "/user"} {
		root.do("POST", level+"/actions/variables/GOOD", `{"value":"x"}`).wants(http.StatusCreated)
	}
	good := map[string]string{
		"owner": "root1", "repo": "demo", "org": "acme", "username": "root1", "workflow_id": "ci.yml", "token": "test%20read:misc",
		"secretname": "GOOD", "variablename": "GOOD",
		"run": fmt.Sprint(run.Run.ID), "job_id": fmt.Sprint(job.ID), "job": fmt.Sprint(job.ID), "attempt": "1", "name": "prod",
		"sha": run.Run.SHA, "ref": "main", "branch": "main", "id": fmt.Sprint(repo.ID), "artifact_id": "1",
		"path":      ".gitea/workflows/ci.yml",
		"source_id": fmt.Sprint(repo.ID), "runner_id": fmt.Sprint(r.runner("r", db.Scope{}).ID),
	}
	r.withScopes(root.owner, "read:misc")
	callers := []*client{root, root.with(basic("root1", password)), r.anonymous()}
	if testing.Short() {
		callers = callers[:2]
	}
	for _, route := range r.server.Routes() {
		all := paths(route.Path, good)
		// The one runner is the instance's, there are no artifacts, and git wants a service.
		elsewhere := strings.Contains(route.Path, "{runner_id}") && !strings.Contains(route.Path, "/admin/") ||
			strings.Contains(route.Path, "{artifact_id}")
		if route.Method == http.MethodGet && !elsewhere && !strings.Contains(route.Path, "info/refs") {
			status := callers[1].hit(route.Method, all[0], "")
			require.Less(t, status, 400, "%s: the good values are not", all[0])
		}
		for _, path := range all {
			for _, c := range callers {
				if status := c.hit(route.Method, path, "{}"); status >= 500 {
					t.Errorf("%s %s: %d", route.Method, path, status)
				}
			}
		}
		if route.Method == http.MethodGet {
			continue
		}
		for _, body := range bodies {
			path := all[0]
			if status := root.with(basic("root1", password)).hit(route.Method, path, body); status >= 500 {
				t.Errorf("%s %s with %.60q: %d", route.Method, path, body, status)
			}
		}
	}
}

// hit sends a request byte by byte as given, for what an HTTP client would mend or refuse.
func (c *client) hit(method, path, body string) int {
	t := c.rig.t
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(c.rig.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n", method, path)
	if c.auth != "" {
		fmt.Fprintf(&b, "Authorization: %s\r\n", c.auth)
	}
	fmt.Fprintf(&b, "Content-Length: %d\r\n\r\n%s", len(body), body)
	_, err = conn.Write(b.Bytes())
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err, "%s %s", method, path)
	_, _ = io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response.StatusCode
}

func TestHostileQueries(t *testing.T) {
	r := newRig(t)
	root := r.user("root1", true)
	repo := root.pushed("demo")
	run, job := r.latestRun(repo).Run.ID, r.jobs(r.latestRun(repo))[0].ID
	for _, list := range []string{
		repoPath(repo, "/actions/runs"), repoPath(repo, "/actions/jobs"), repoPath(repo, "/actions/tasks"),
		repoPath(repo, "/actions/runners"), repoPath(repo, "/environments"), repoPath(repo, "/actions/runs/%d/timeline", run),
		repoPath(repo, "/actions/jobs/%d/tasks", job), repoPath(repo, "/actions/jobs/%d/logs", job),
		repoPath(repo, "/actions/workflows/ci.yml/runs"), "/admin/actions/runs", "/admin/actions/jobs", "/user/actions/runs",
	} {
		for _, name := range []string{
			"page", "limit", "status", "actor", "branch", "event", "head_sha", "sort", "order", "disabled", "sudo", "token",
			"attempt", "task", "scoped_workflow_source_repo_id",
		} {
			for _, value := range hostile {
				status := root.hit("GET", "/api/v1"+list+"?"+name+"="+value, "")
				require.Less(t, status, 500, "%s?%s=%s", list, name, value)
			}
		}
	}
}

func TestHostileHeaders(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	for name, values := range map[string][]string{
		"Sudo":              {"x", strings.Repeat("x", 10_000), "\xff"},
		"Authorization":     {"Basic", "Basic =", "token", "Bearer \xff", "Basic " + strings.Repeat("A", 10_000)},
		"X-Forwarded-Host":  {"evil/../x", "a b", "<x>", strings.Repeat("x", 10_000), "[::1", "ok.example:99999999"},
		"X-Forwarded-Proto": {"javascript", "https,http"},
		"Last-Event-ID":     {"-1", "x", "99999999999999999999"},
		"Range":             {"bytes=9-1", "bytes=" + strings.Repeat("0-0,", 1000), "x"},
		"X-Request-Id":      {"a b", strings.Repeat("x", 1000), "ok-1"},
	} {
		for _, value := range values {
			a := anna.raw("GET", "/api/v1/user", nil, name, value)
			require.Less(t, a.StatusCode, 500, "%s: %s", name, value)
			require.NotContains(t, string(a.body), "evil/..")
			require.NotEmpty(t, a.Header.Get("X-Request-Id"))
		}
	}
	a := anna.do("GET", "/user", nil, "X-Request-Id", "from-a-proxy-7")
	require.Equal(t, "from-a-proxy-7", a.Header.Get("X-Request-Id"))
	a = anna.do("GET", "/user", nil, "X-Forwarded-Host", "ci.example.com", "X-Forwarded-Proto", "https")
	require.Equal(t, "https://ci.example.com/anna", a.wants(http.StatusOK)["html_url"])
}

// A body that comes too slowly is given up, and not called our fault.
func TestSlowBody(t *testing.T) {
	r := newRig(t, func(c *apiserver.Config) { c.BodyTimeout = 50 * time.Millisecond })
	anna := r.user("anna")
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.url, "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	fmt.Fprintf(conn, "POST /api/v1/user/repos HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\nContent-Length: 100\r\n\r\n{", anna.auth)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.Equal(t, http.StatusBadRequest, response.StatusCode)
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Contains(t, string(text), "the body did not arrive in time")
}

func TestUnknownPathsAndMethods(t *testing.T) {
	r := newRig(t)
	anna := r.user("anna")
	a := anna.raw("GET", "/api/v1/no/such/path", nil)
	require.Equal(t, http.StatusNotFound, a.StatusCode)
	require.Equal(t, "404 page not found\n", string(a.body))
	require.Equal(t, http.StatusNotFound, anna.raw("GET", "/api/v1/repos/../../etc", nil).StatusCode)
	require.Equal(t, http.StatusNotFound, r.anonymous().raw("GET", "/api/v1", nil).StatusCode)
	require.Equal(t, http.StatusMethodNotAllowed, anna.raw("PUT", "/api/v1/user", nil).StatusCode)
	require.Equal(t, http.StatusMethodNotAllowed, anna.raw("POST", "/api/v1/version", nil).StatusCode)
}
