package observability_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/observability"
)

func TestLoggerFormats(t *testing.T) {
	for _, row := range []struct {
		opts observability.LogOptions
		want string // start of the message as written
	}{
		{observability.LogOptions{}, `level=INFO msg=hello request_id=r-1 run=7`},
		{observability.LogOptions{Format: "text", Level: "Debug"}, `level=INFO msg=hello`},
		{observability.LogOptions{Format: "json"}, `"msg":"hello"`},
		{observability.LogOptions{Level: "error"}, ""},
	} {
		var out bytes.Buffer
		logger, err := observability.NewLogger(&out, row.opts)
		require.NoError(t, err)
		ctx := observability.WithRequestID(t.Context(), "r-1")
		logger.InfoContext(ctx, "hello", slog.Int("run", 7))
		if row.want == "" {
			require.Empty(t, out.String())
			continue
		}
		if row.opts == (observability.LogOptions{}) {
			require.Contains(t, out.String(), "level=INFO msg=hello run=7 request_id=r-1\n")
			continue
		}
		require.Contains(t, out.String(), row.want)
		require.Contains(t, out.String(), "r-1")
	}
}

func TestLoggerKeepsTheRequestIDInDerivedLoggers(t *testing.T) {
	var out bytes.Buffer
	logger, err := observability.NewLogger(&out, observability.LogOptions{Format: "json"})
	require.NoError(t, err)
	ctx := observability.WithRequestID(t.Context(), "r-1")
	logger.With("part", "gateway").InfoContext(ctx, "hello")

	var record map[string]any
	require.NoError(t, json.Unmarshal(out.Bytes(), &record))
	require.Equal(t, "r-1", record["request_id"])
	require.Equal(t, "gateway", record["part"])

	out.Reset()
	logger.WithGroup("task").InfoContext(ctx, "hello")
	require.Contains(t, out.String(), `"request_id":"r-1"`)
}

func TestLoggerRefusesUnknownOptions(t *testing.T) {
	_, err := observability.NewLogger(nil, observability.LogOptions{Format: "xml"})
	require.ErrorContains(t, err, `"xml"`)
	_, err = observability.NewLogger(nil, observability.LogOptions{Level: "loud"})
	require.ErrorContains(t, err, `"loud"`)
}

func TestRequestIDs(t *testing.T) {
	const made = "made-here"
	for sent, want := range map[string]string{
		"":                      made,
		"Abc-1_2.3":             "Abc-1_2.3",
		"two words":             made,
		"line\nbreak":           made,
		"é":                     made,
		strings.Repeat("a", 64): strings.Repeat("a", 64),
		strings.Repeat("a", 65): made,
	} {
		var seen string
		handler := observability.RequestIDs(func() string { return made })(
			http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = observability.RequestID(r.Context()) }))
		request := httptest.NewRequest(http.MethodGet, "/", nil)
		request.Header.Set(observability.RequestIDHeader, sent)
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, request)
		require.Equal(t, want, seen)
		require.Equal(t, want, response.Header().Get("X-Request-Id"))
	}
	require.Empty(t, observability.RequestID(t.Context()))
}
