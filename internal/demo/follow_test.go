package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

// A server whose log never ends, and which fails once the log is followed.
func TestFollowEndsWithAnErrorWhileALogIsOpen(t *testing.T) {
	following := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/logs/stream"):
			w.WriteHeader(http.StatusOK)
			w.(http.Flusher).Flush()
			close(following)
			<-r.Context().Done()
		case strings.HasSuffix(r.URL.Path, "/jobs"):
			_, _ = io.WriteString(w, `{"jobs": [{"id": 1, "name": "a", "status": "in_progress"}], "total_count": 1}`)
		default:
			<-following
			http.Error(w, "broken", http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	defer server.CloseClientConnections()

	d := &demo{Options: Options{Out: io.Discard}, user: &client.Client{URL: server.URL}, repo: "ann/app", run: 1}
	done := make(chan error, 1)
	go func() {
		_, err := d.follow(t.Context())
		done <- err
	}()
	select {
	case err := <-done:
		require.Error(t, err)
	case <-time.After(10 * time.Second):
		t.Fatal("follow waits for a log that nobody ends")
	}
}
