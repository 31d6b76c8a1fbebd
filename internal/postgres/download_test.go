package postgres

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository serves testdata/programs.txz, whose initdb always fails as the real one
// does for root, as the archive for any system.
func repository(t *testing.T, requests *atomic.Int64) *httptest.Server {
	t.Helper()
	programs, err := os.ReadFile("testdata/programs.txz")
	require.NoError(t, err)
	var jar bytes.Buffer
	archive := zip.NewWriter(&jar)
	entry, err := archive.Create("postgres-any.txz")
	require.NoError(t, err)
	_, err = entry.Write(programs)
	require.NoError(t, err)
	require.NoError(t, archive.Close())
	sum := sha256.Sum256(jar.Bytes())

	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if strings.HasSuffix(r.URL.Path, ".sha256") {
			_, _ = w.Write([]byte(hex.EncodeToString(sum[:])))
			return
		}
		_, _ = w.Write(jar.Bytes())
	}))
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections() // the library uses that client
		server.Close()
	})
	return server
}

func TestDownloadOnce(t *testing.T) {
	var requests atomic.Int64
	server := repository(t, &requests)
	cache := t.TempDir()
	found, err := Download(t.Context(), cache, server.URL)
	require.NoError(t, err)
	require.Equal(t, 17, found.Major)
	asked := requests.Load()
	require.Positive(t, asked)

	again, err := Download(t.Context(), cache, server.URL)
	require.NoError(t, err)
	require.Equal(t, found, again)
	require.Equal(t, asked, requests.Load(), "the second one is from the cache")

	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing but the programs stays")
}

func TestDownloadFails(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	cache := t.TempDir()
	_, err := Download(t.Context(), cache, server.URL)
	require.ErrorContains(t, err, "no version found")
	entries, err := os.ReadDir(cache)
	require.NoError(t, err)
	require.Empty(t, entries)
	http.DefaultClient.CloseIdleConnections()
}
