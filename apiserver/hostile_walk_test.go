package apiserver_test

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
)

// The walk knows nothing of single routes: their parameters come from their paths, the parameters of queries and the fields
// of bodies from the sources of the package. So a new route is walked from its first day.
var (
	anyParameter  = regexp.MustCompile(`\{([a-z_]+)(:[^}]*)?\}`)
	queryName     = regexp.MustCompile(`(?:values\.Get|values\.Has|flag|number|isSet|timeParam)\("([a-z_]+)"\)|values\["([a-z_]+)"\]`)
	fieldName     = regexp.MustCompile("`json:\"([a-z_]+)[,\"]")
	isCredentials = regexp.MustCompile(`^(token|access_token|sudo)$`)
)

// namesIn finds words in the sources of the package, sorted.
func namesIn(t *testing.T, pattern *regexp.Regexp) []string {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		for _, match := range pattern.FindAllStringSubmatch(string(source), -1) {
			seen[cmp.Or(match[1:]...)] = true
		}
	}
	var names []string
	for name := range seen {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Greater(t, len(names), 10)
	return names
}

// walker sends hostile requests to the routes of one server.
type walker struct {
	t       *testing.T
	rig     *rig
	random  *rand.Rand
	good    map[string]string
	queries []string
	fields  []string
	callers []*client
	sent    int
}

func newWalker(t *testing.T) *walker {
	r := newRig(t, func(c *apiserver.Config) { c.LogPoll, c.BodyTimeout = time.Millisecond, 100*time.Millisecond })
	r.server.Drain() // streams end at once, so that the walk does
	root, ben := r.user("root1", true), r.user("ben")
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
	hook := root.do("POST", repoPath(repo, "/hooks"), `{"type":"gitea","config":{"url":"http://example.com/","content_type":"json"}}`).wants(http.StatusCreated)
	good["hook_id"] = fmt.Sprint(number(hook["id"]))
	root.do("POST", repoPath(repo, "/hooks/%s/tests", good["hook_id"]), nil).wants(http.StatusNoContent)
	good["delivery_id"] = fmt.Sprint(number(root.do("GET", repoPath(repo, "/hooks/%s/deliveries", good["hook_id"]), nil).list()[0].(map[string]any)["id"]))
	r.withScopes(root.owner, "read:misc")
	return &walker{
		t: t, rig: r, random: rand.New(rand.NewPCG(1, 2)), queries: namesIn(t, queryName), fields: namesIn(t, fieldName),
		callers: []*client{r.anonymous(), ben, root, root.with(basic("root1", password))}, good: good,
	}
}

// fill puts good values into a path; where none is known, the test of what is read fails.
func (w *walker) fill(path string) string {
	return anyParameter.ReplaceAllStringFunc(path, func(p string) string {
		return w.good[anyParameter.FindStringSubmatch(p)[1]]
	})
}

// send writes a request as it is, and holds that the answer is one that a client's error deserves. A server may answer and
// hang up before it has read a whole body.
func (w *walker) send(c *client, method, path, body, header string) int {
	w.t.Helper()
	w.sent++
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.rig.url, "http://"))
	require.NoError(w.t, err)
	defer conn.Close()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	auth := ""
	if c.auth != "" && !strings.HasPrefix(header, "Authorization:") {
		auth = "Authorization: " + c.auth + "\r\n"
	}
	if header != "" {
		header += "\r\n"
	}
	_, _ = fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%sContent-Length: %d\r\n\r\n%s", method, path, auth, header, len(body), body)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if !assertAnswer(w.t, err, method, path, header, body) {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
	if response.StatusCode >= 500 {
		w.t.Errorf("%s %.300s (%.80q, %.200q): %d", method, path, header, body, response.StatusCode)
	}
	for name := range response.Header {
		require.NotEqual(w.t, "Set-Cookie", name, path)
	}
	return response.StatusCode
}

func assertAnswer(t *testing.T, err error, method, path, header, body string) bool {
	t.Helper()
	if err != nil {
		t.Errorf("%s %.300s (%.80q, %.200q): %v", method, path, header, body, err)
	}
	return err == nil
}

func (w *walker) pick(list []string) string { return list[w.random.IntN(len(list))] }

// paths tries hostile values for each parameter in turn, as one who may do all and as one who is unknown.
func (w *walker) paths(route apiserver.Route) {
	for _, p := range anyParameter.FindAllString(route.Path, -1) {
		for _, value := range hostile {
			path := w.fill(strings.Replace(route.Path, p, value, 1))
			for _, c := range []*client{w.callers[0], w.callers[2]} {
				w.send(c, route.Method, path, "{}", "Content-Type: application/json")
			}
		}
	}
}

// query tries every name that any handler reads, alone and all at once.
func (w *walker) query(route apiserver.Route) {
	path := w.fill(route.Path)
	for _, name := range w.queries {
		w.send(w.callers[2], route.Method, path+"?"+name+"="+w.pick(hostile), "", "")
	}
	for _, value := range hostile {
		var all []string
		for _, name := range w.queries {
			if !isCredentials.MatchString(name) {
				all = append(all, name+"="+value)
			}
		}
		if query := strings.Join(all, "&"); len(query) < 50_000 { // the server refuses longer headers
			w.send(w.callers[2], route.Method, path+"?"+query, "", "")
		}
	}
}

// read holds that the good values are good: a walk that only meets what is not there proves nothing. The one runner is the
// instance's, the one webhook the repository's, there are no artifacts, and git wants a service.
func (w *walker) read(route apiserver.Route) {
	elsewhere := strings.Contains(route.Path, "{runner_id}") && !strings.Contains(route.Path, "/admin/") ||
		strings.Contains(route.Path, "{hook_id}") && !strings.Contains(route.Path, "{repo}") ||
		strings.Contains(route.Path, "{artifact_id}") || strings.Contains(route.Path, "info/refs")
	path := w.fill(route.Path)
	if strings.HasSuffix(path, "/search") {
		path += "?q=hello"
	}
	if status := w.send(w.callers[3], route.Method, path, "", ""); !elsewhere {
		require.Less(w.t, status, 400, "%s: the good values are not", path)
	}
}

func (w *walker) headers(route apiserver.Route) {
	for _, header := range hostileHeaders {
		w.send(w.callers[2], route.Method, w.fill(route.Path), "", header)
	}
}

// bodies tries bodies that are none, and objects with the fields that any handler knows.
func (w *walker) bodies(route apiserver.Route) {
	path := w.fill(route.Path)
	for _, body := range slices.Concat(wholeBodies, craftedBodies) {
		w.send(w.callers[3], route.Method, path, body, "Content-Type: application/json")
	}
	w.send(w.callers[3], route.Method, path, wholeBodies[8], "Content-Type: multipart/form-data; boundary=x")
	w.send(w.callers[3], route.Method, path, wholeBodies[11], "Content-Type: application/x-www-form-urlencoded")
	for _, value := range hostileJSON {
		w.send(w.callers[3], route.Method, path, w.object(1, func() string { return value }), "Content-Type: application/json")
	}
	for range 20 {
		w.send(w.callers[2], route.Method, path, w.object(0.1, func() string { return w.pick(hostileJSON) }), "Content-Type: application/json")
	}
	for _, c := range w.callers[:2] {
		w.send(c, route.Method, path, w.object(0.3, func() string { return w.pick(hostileJSON) }), "Content-Type: application/json")
	}
}

// object has a share of the fields.
func (w *walker) object(share float64, value func() string) string {
	var members []string
	for _, name := range w.fields {
		if w.random.Float64() < share {
			members = append(members, `"`+name+`":`+value())
		}
	}
	return "{" + strings.Join(members, ",") + "}"
}

// slow sends half of a body and waits. Git has longer times of its own, and tests of its own.
func (w *walker) slow(route apiserver.Route) {
	if strings.Contains(route.Path, "/git-") {
		return
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.rig.url, "http://"))
	require.NoError(w.t, err)
	defer conn.Close()
	require.NoError(w.t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: %s\r\nContent-Length: 1000\r\n\r\n{", route.Method, w.fill(route.Path), w.callers[3].auth)
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: route.Method})
	if assertAnswer(w.t, err, route.Method, route.Path, "", "slow") {
		response.Body.Close()
		require.Less(w.t, response.StatusCode, 500, route)
	}
}

// byDanger puts reads first and what deletes last, the smaller things before those that hold them.
func byDanger(a, b apiserver.Route) int {
	order := []string{http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodPost, http.MethodDelete}
	return cmp.Or(slices.Index(order, a.Method)-slices.Index(order, b.Method), len(b.Path)-len(a.Path), cmp.Compare(a.Path, b.Path))
}

// Whatever a client sends to whatever route, in path, query, header or body, and whoever it is: never a 5xx, a panic, a hang.
func TestEveryRouteWithHostileRequests(t *testing.T) {
	w := newWalker(t)
	routes := w.rig.server.Routes()
	slices.SortFunc(routes, byDanger)
	for _, route := range routes {
		if route.Method == http.MethodGet {
			w.read(route)
		}
		w.paths(route)
		w.headers(route)
		if route.Method == http.MethodGet {
			w.query(route)
			continue
		}
		w.bodies(route)
		w.slow(route)
	}
	t.Logf("%d requests to %d routes", w.sent, len(routes))
	families, err := w.rig.registry.Gather()
	require.NoError(t, err)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			failed := f.GetName() == "pawl_audit_entries_total" && m.GetLabel()[0].GetValue() == "failed"
			if f.GetName() == "pawl_http_panics_total" || failed {
				require.Zero(t, m.GetCounter().GetValue(), f.GetName())
			}
		}
	}
}

// The walk finds names, and its objects are objects.
func TestWalkerKnowsNames(t *testing.T) {
	require.Subset(t, namesIn(t, queryName), []string{"page", "limit", "status", "actor", "id", "since", "disabled"})
	fields := namesIn(t, fieldName)
	require.Subset(t, fields, []string{"name", "ref", "inputs", "scopes", "disabled"})
	w := &walker{random: rand.New(rand.NewPCG(1, 2)), fields: fields}
	require.True(t, json.Valid([]byte(w.object(1, func() string { return "1" }))))
}
