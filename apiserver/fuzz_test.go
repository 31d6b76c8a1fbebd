package apiserver

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
)

// fuzzCall is a call of a server that has no database: what is fuzzed must not get that far.
func fuzzCall(request *http.Request) *call {
	s := &Server{Config: Config{DisableQueryTokens: true, Logger: slog.New(slog.DiscardHandler)}.withDefaults()}
	return &call{w: httptest.NewRecorder(), r: request, server: s}
}

// blameless holds that an error is the client's.
func blameless(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		require.Less(t, fault.HTTPStatus(err), 500, "%v", err)
	}
}

// everyKind has a field of each kind that bodies have.
type everyKind struct {
	Text    string            `json:"text"`
	Number  int64             `json:"number"`
	Small   int32             `json:"small"`
	Flag    *bool             `json:"flag"`
	List    []string          `json:"list"`
	Map     map[string]string `json:"map"`
	Any     map[string]any    `json:"any"`
	Maybe   optional[int]     `json:"maybe"`
	Objects []struct {
		ID int64 `json:"id"`
	} `json:"objects"`
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", "{", `{"text":"\u0000"}`, `{"text":1,"number":"x"}`, `{"number":1e400}`, `{"maybe":null}`, `{"maybe":{}}`,
		`{"map":{"\u0000":"x"}}`, `{"objects":[null,{"id":-1}]}`, "\xff\xfe", `{"text":"\ud800"}`, strings.Repeat("[", 20_000), `{"small":99999999999}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		var in everyKind
		err := fuzzCall(httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))).bind(&in)
		blameless(t, err)
		if err == nil {
			require.NotContains(t, in.Text+strings.Join(in.List, ""), "\x00", "Postgres cannot hold it")
		}
	})
}

func FuzzForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "a=b&c=%00")
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n")
	f.Add("multipart/form-data", "--x")
	f.Add("multipart/form-data; boundary=\"\xff\"", "\r\n\r\n")
	f.Fuzz(func(t *testing.T, kind, body string) {
		request := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		request.Header.Set("Content-Type", kind)
		c := fuzzCall(request)
		if c.isForm() {
			_, err := c.form()
			blameless(t, err)
		}
	})
}

func FuzzQuery(f *testing.F) {
	for _, seed := range []string{
		"", "page=-1&limit=0", "page=99999999999999999999&limit=51", "id=1&id=x&id=-1", "since=2026-01-01T00:00:00Z", "since=0000-01-01T00:00:00Z",
		"cursor=1-1", "cursor=-", "status=success&status=%00", "disabled=maybe", "%zz", "a;b", "scoped_workflow_source_repo_id=-1", "%ff=%fe", "sudo=x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, query string) {
		c := fuzzCall(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/", RawQuery: query}, Header: http.Header{}, Host: "x"})
		if err := c.readPath(); err != nil {
			blameless(t, err)
			return
		}
		page := c.page()
		require.GreaterOrEqual(t, page.Offset, 0)
		require.True(t, page.Limit > 0 && page.Limit <= c.server.MaxPageSize)
		c.paginate(page, 1000)
		c.isSet("disabled")
		c.sourceRepo()
		c.firstRow()
		_, err := c.taskParam()
		blameless(t, err)
		_, err = c.statuses()
		blameless(t, err)
		ids, err := c.batchIDs()
		blameless(t, err)
		require.LessOrEqual(t, len(ids), maxBatch+1)
		var filter db.AuditFilter
		blameless(t, c.readAuditFilter(&filter))
		c.linkNext("1-1")
		for name, values := range c.w.Header() {
			require.NotContains(t, name+strings.Join(values, ""), "\n")
		}
	})
}

// FuzzPath asks all routes, whose handlers only read their parameters, for any path and method.
func FuzzPath(f *testing.F) {
	s, err := routesOnly()
	require.NoError(f, err)
	router := mux.NewRouter().UseEncodedPath().SkipClean(true)
	handle := func(c *call) error {
		for name := range c.params {
			if c.id(name) < 0 {
				panic("a negative id")
			}
		}
		return c.json(http.StatusOK, c.params)
	}
	add := func(path string, fail func(*call, error)) { // none of them is recorded
		router.Path(path).Handler(s.answering(route{}, func(c *call) error { return c.serve("", nil, handle) }, fail))
	}
	for _, e := range s.endpoints() {
		add(apiPrefix+e.path, (*call).fail)
	}
	for _, w := range s.webRoutes() {
		add(w.path, (*call).failPlain)
	}
	for _, seed := range []string{
		"/api/v1/repos/a/b/actions/runs/1", "/api/v1/repos/a/b/actions/runs/%00", "/api/v1/repos/a%2Fb/c/actions/jobs/99999999999999999999/logs",
		"/api/v1/repos/../../etc/passwd", "/api/v1//", "/a/b.git/info/refs", "/%ff/%fe/actions/runs/-1", "/api/v1/admin/audit?cursor=x", "/api/v1/orgs/%2e%2e/repos",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return // net/http answers 400
		}
		w := httptest.NewRecorder()
		router.ServeHTTP(w, &http.Request{Method: http.MethodGet, URL: u, RequestURI: path, Header: http.Header{}, Host: "x", Body: http.NoBody})
		require.Less(t, w.Code, 500, path)
	})
}

// routesOnly is a server that can answer what needs no database.
func routesOnly() (*Server, error) {
	s := &Server{Config: Config{
		DisableQueryTokens: true, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(), DB: &db.DB{},
	}.withDefaults()}
	return s, s.makeTraffic()
}

func FuzzEntityTags(f *testing.F) {
	tag := entityTag([]byte("{}"))
	f.Add(tag)
	f.Add(`"a", W/"b",, *x`)
	f.Fuzz(func(t *testing.T, header string) {
		found := matchesTag([]string{header}, tag)
		require.True(t, !found || strings.Contains(header, "*") || strings.Contains(header, strings.TrimPrefix(tag, "W/")))
		require.True(t, matchesTag([]string{header, tag}, tag))
	})
}

func FuzzAuthorization(f *testing.F) {
	for _, seed := range []string{"Basic", "Basic Og==", "Digest x", "Basic \xff", "basic dXNlcg==", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		scheme, _, _ := strings.Cut(strings.ToLower(header), " ")
		if scheme == "token" || scheme == "bearer" {
			return // asks the database
		}
		c := fuzzCall(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: "/"}, Header: http.Header{"Authorization": {header}}, Host: "x"})
		if _, _, ok := c.r.BasicAuth(); !ok {
			require.Less(t, fault.HTTPStatus(c.identify()), 500)
		}
	})
}

// What actionOf makes of any path is a name or nothing.
func FuzzActionNames(f *testing.F) {
	f.Add("POST", "/repos/{owner}/{repo}/actions/runs/{run}/cancel")
	f.Add("DELETE", "/")
	f.Add("PUT", "//s//")
	f.Fuzz(func(_ *testing.T, method, path string) { actionOf(method, path) })
}

func FuzzAuditCursor(f *testing.F) {
	f.Add(int64(1), int64(7))
	f.Fuzz(func(t *testing.T, at, id int64) {
		key := db.AuditEntry{At: time.UnixMicro(at), ID: id}
		c := fuzzCall(&http.Request{URL: &url.URL{Path: "/", RawQuery: "cursor=" + auditCursor(key)}, Header: http.Header{}, Host: "x"})
		if c.readPath() != nil {
			return
		}
		if got, err := c.auditKey(); err == nil {
			require.Equal(t, at, got.At.UnixMicro())
			require.Equal(t, id, got.ID)
		} else {
			blameless(t, err)
		}
	})
}
