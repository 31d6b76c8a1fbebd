package apiserver_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
)

func TestTidyPaths(t *testing.T) {
	var path, query string
	mux := http.NewServeMux() // as in front of a server; it redirects what is not tidy
	mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) { path, query = r.URL.EscapedPath(), r.URL.RawQuery })
	h := apiserver.TidyPaths(mux)
	for asked, want := range map[string]string{
		"/api/v1/user": "/api/v1/user", "/api/v1/user/": "/api/v1/user", "//api/v1/user": "/api/v1/user",
		"/api//v1///user//": "/api/v1/user", "/": "/",
		"/a/b/workflows/sub%2Fx.yml/": "/a/b/workflows/sub%2Fx.yml", "//a/%2F%2F/b%20c/": "/a/%2F%2F/b%20c",
	} {
		answer := httptest.NewRecorder()
		h.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "http://pawl.example"+asked+"?x=//", nil))
		require.Equal(t, http.StatusOK, answer.Code, asked)
		require.Equal(t, want, path, asked)
		require.Equal(t, "x=//", query)
	}
	for _, private := range []string{"//metrics", "/metrics/", "/metrics//"} {
		path = ""
		h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "http://pawl.example"+private, nil))
		require.NotEqual(t, "/metrics", path, private)
	}
}
