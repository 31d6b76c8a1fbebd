package cli

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

// fake is a server with the answers that a test gives it, by method and path below the repository a/b.
type fake struct {
	t       *testing.T
	url     string
	answers map[string]http.HandlerFunc
	mu      sync.Mutex
	asked   []string // with their queries
}

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{t: t, answers: map[string]http.HandlerFunc{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := strings.TrimPrefix(r.URL.Path, "/api/v1/repos/a/b/actions")
		f.mu.Lock()
		f.asked = append(f.asked, r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/v1/repos/a/b/actions"))
		f.mu.Unlock()
		if answer := f.answers[r.Method+" "+path]; answer != nil {
			answer(w, r)
			return
		}
		http.Error(w, `{"message":"not found"}`, http.StatusNotFound)
	}))
	t.Cleanup(server.Close)
	t.Setenv("PAWL_CONTEXTS", filepath.Join(t.TempDir(), "contexts.json"))
	f.url = server.URL
	return f
}

// says makes the answer to a request; a status of 0 is 200.
func (f *fake) says(request, body string, status int, header ...string) {
	f.answers[request] = func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(max(status, http.StatusOK))
		_, _ = w.Write([]byte(body))
	}
}

// pawl runs a command line at a terminal, of which Out, Err and Rich are set here.
func (f *fake) pawl(terminal Terminal, args ...string) (out, errs string, err error) {
	f.t.Helper()
	k, err := kong.New(&root{}, kong.Name("pawl"))
	require.NoError(f.t, err)
	parsed, err := k.Parse(append(args, "--url", f.url, "--token", "t", "-R", "a/b"))
	require.NoError(f.t, err)
	var stdout, stderr bytes.Buffer
	terminal.Out, terminal.Err = &stdout, &stderr
	parsed.BindTo(f.t.Context(), (*context.Context)(nil))
	err = parsed.Run(&terminal)
	return stdout.String(), stderr.String(), err
}
