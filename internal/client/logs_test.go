package client_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/internal/client"
)

func TestLogCalls(t *testing.T) {
	r := newRecorded(t, http.StatusOK, `{"step":"1","next_cursor":3,"lines":[{"row":7,"time":"2026-01-02T03:04:05.1Z","line":"x"}],"done":true}`)
	page, err := r.LogPage(t.Context(), "a/b", 5, client.LogQuery{Step: "1", Task: 9, Cursor: 2, Limit: 10})
	require.NoError(t, err)
	require.Equal(t, "GET /api/v1/repos/a/b/actions/jobs/5/logs?cursor=2&limit=10&step=1&task=9", r.request)
	require.Equal(t, []any{int64(3), int64(7), true}, []any{*page.NextCursor, page.Lines[0].Row, page.Done})
	_, err = r.LogPage(t.Context(), "a/b", 5, client.LogQuery{})
	require.NoError(t, err)
	require.Equal(t, "GET /api/v1/repos/a/b/actions/jobs/5/logs?cursor=0", r.request)

	var zip bytes.Buffer
	require.NoError(t, r.RunLogs(t.Context(), "a/b", 5, 0, &zip))
	require.Equal(t, "GET /api/v1/repos/a/b/actions/runs/5/logs", r.request)
	require.NotEmpty(t, zip.String())
	require.NoError(t, r.RunLogs(t.Context(), "a/b", 5, 2, &zip))
	require.Equal(t, "GET /api/v1/repos/a/b/actions/runs/5/attempts/2/logs", r.request)
	require.NoError(t, r.DeleteRun(t.Context(), "a/b", 5))
	require.Equal(t, "DELETE /api/v1/repos/a/b/actions/runs/5", r.request)
}

func TestSearchGoesOnUntilAllWasSearched(t *testing.T) {
	answers := map[string]string{
		"":    `{"matches":[{"line":"one"}],"next_cursor":"4.2"}`,
		"4.2": `{"matches":[],"next_cursor":"5.0"}`,
		"5.0": `{"matches":[{"line":"two"},{"line":"three"}],"next_cursor":null}`,
	}
	var query string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		query = req.URL.RawQuery
		_, _ = w.Write([]byte(answers[req.URL.Query().Get("cursor")]))
	}))
	defer server.Close()
	c := &client.Client{URL: server.URL}
	search := func(until string) (lines []string) {
		err := c.SearchLogs(t.Context(), "a/b", 1, client.LogSearch{Text: "o & x", IgnoreCase: true, Job: 3, Attempt: 2}, func(m client.LogMatch) bool {
			lines = append(lines, m.Line)
			return m.Line != until
		})
		require.NoError(t, err)
		return lines
	}
	require.Equal(t, []string{"one", "two", "three"}, search(""))
	require.Equal(t, "attempt=2&cursor=5.0&ignore_case=true&job=3&q=o+%26+x", query)
	require.Equal(t, []string{"one"}, search("one"))
}
