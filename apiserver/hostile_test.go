package apiserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/apiserver"
)

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
