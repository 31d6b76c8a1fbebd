package alert

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// hook plays the webhook of the administrators.
type hook struct {
	*httptest.Server
	status int
	got    []message
	signed []string
}

func newHook(t *testing.T) *hook {
	h := &hook{status: http.StatusNoContent}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var m message
		_ = json.Unmarshal(body, &m)
		h.got = append(h.got, m)
		if r.Header.Get("X-Hub-Signature-256") == "sha256="+sign("secret", body) {
			h.signed = append(h.signed, r.Header.Get("X-Gitea-Signature"))
		}
		w.WriteHeader(h.status)
	}))
	t.Cleanup(h.Close)
	return h
}

func newDeliverer(t *testing.T, d *db.DB, url string) *Deliverer {
	t.Helper()
	out, err := New(Config{
		DB: d, URL: url, Secret: "secret", RootURL: "http://ci.example", Logger: slog.New(slog.DiscardHandler),
		Registerer: prometheus.NewRegistry(), Timeout: time.Minute,
	})
	require.NoError(t, err)
	return out
}

// failed stores a run whose only job ended by an unknown fault.
func failed(t *testing.T, d *db.DB) *db.Job {
	t.Helper()
	j := dbtest.Job("build")
	run, attempt := dbtest.Run(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), j)
	step := db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure, Ended: []db.JobEnd{
		{JobID: j.ID, Status: ci.StatusFailure, Reason: "it broke", Class: ci.ErrorUnknown},
	}}
	for range 2 { // a repetition alerts nobody twice
		_, err := d.RecordStep(t.Context(), step)
		require.NoError(t, err)
	}
	return j
}

func waiting(t *testing.T, d *db.DB) int {
	t.Helper()
	n, err := d.WaitingAlerts(t.Context())
	require.NoError(t, err)
	return n
}

func TestAnUnknownFaultIsToldOnce(t *testing.T) {
	d, h := dbtest.Open(t), newHook(t)
	j := failed(t, d)
	for range 2 {
		require.NoError(t, newDeliverer(t, d, h.URL).Pass(t.Context()))
	}
	require.Len(t, h.got, 1)
	require.Len(t, h.signed, 1)
	require.Equal(t, []any{"job", "it broke", "build", j.ID, 1}, []any{h.got[0].Kind, h.got[0].Detail, h.got[0].Job, h.got[0].JobID, h.got[0].Attempt})
	require.Contains(t, h.got[0].HTMLURL, "http://ci.example/")
	require.Zero(t, waiting(t, d))
}

func TestWhatTheWebhookDoesNotTakeComesAgain(t *testing.T) {
	d, h := dbtest.Open(t), newHook(t)
	failed(t, d)
	h.status = http.StatusInternalServerError
	first := newDeliverer(t, d, h.URL)
	require.NoError(t, first.Pass(t.Context()))
	require.NoError(t, first.Pass(t.Context()))
	require.Len(t, h.got, 1, "it is put off")
	require.Equal(t, 1, waiting(t, d))
	_, err := d.NewRaw(`UPDATE alerts SET next_at = now()`).Exec(t.Context())
	require.NoError(t, err)
	h.status = http.StatusOK
	require.NoError(t, newDeliverer(t, d, h.URL).Pass(t.Context()), "another process goes on with it")
	require.Len(t, h.got, 2)
	require.Zero(t, waiting(t, d))
}

func TestWithoutAWebhookAlertsWait(t *testing.T) {
	d := dbtest.Open(t)
	failed(t, d)
	require.NoError(t, newDeliverer(t, d, "").Pass(t.Context()))
	require.Equal(t, 1, waiting(t, d))
}
