package audit_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/observability"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func counts(t *testing.T, r *prometheus.Registry, want string) {
	t.Helper()
	require.NoError(t, testutil.GatherAndCompare(r, strings.NewReader(
		"# HELP pawl_audit_entries_total Entries of the audit log: written, failed to write, or suppressed as too many refusals.\n"+
			"# TYPE pawl_audit_entries_total counter\n"+want), "pawl_audit_entries_total"))
	require.NoError(t, observability.CheckNames(r))
}

func TestRecord(t *testing.T) {
	d := dbtest.Open(t)
	registry, log := prometheus.NewRegistry(), &bytes.Buffer{}
	r, err := audit.New(d, registry, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	again, err := audit.New(d, registry, slog.Default())
	require.NoError(t, err, "the gateway of the same process has one too")

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	r.Record(gone, db.AuditEntry{
		Action: "run.cancel", Credential: audit.AccessToken, Result: db.AuditOK, UserAgent: "a\x00\xff" + strings.Repeat("ä", 1000),
		Target: map[string]string{"run": strings.Repeat("9", 1000)}, Error: strings.Repeat("x", 9999),
	})
	again.Suppressed()
	entries, err := d.AuditLog(t.Context(), db.AuditFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.True(t, strings.HasPrefix(entries[0].UserAgent, "a\uFFFDää"))
	require.LessOrEqual(t, len(entries[0].UserAgent), 260)
	require.Len(t, entries[0].Target["run"], 256)
	require.Len(t, entries[0].Error, 512)

	r.Record(t.Context(), db.AuditEntry{Action: "x", Credential: audit.Nothing, Result: "nonsense"})
	require.Contains(t, log.String(), "audit entry not stored")
	counts(t, registry, "pawl_audit_entries_total{result=\"failed\"} 1\n"+
		"pawl_audit_entries_total{result=\"suppressed\"} 1\npawl_audit_entries_total{result=\"written\"} 1\n")
}

func TestSweep(t *testing.T) {
	d := dbtest.Open(t)
	for range 3 {
		require.NoError(t, d.AddAudit(t.Context(), &db.AuditEntry{Action: "x", Credential: audit.Nothing, Result: db.AuditOK}))
	}
	_, err := d.Pool.Exec(t.Context(), `INSERT INTO audit_log (at, credential, action, result)
		SELECT now() - interval '2 days', 'none', 'old', 'ok' FROM generate_series(1, 5001)`)
	require.NoError(t, err)
	s := &audit.Sweeper{DB: d, Log: slog.Default(), Keep: 24 * time.Hour}
	require.NoError(t, s.Sweep(t.Context()))
	entries, err := d.AuditLog(t.Context(), db.AuditFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 3)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx) // ends at once
	(&audit.Sweeper{DB: d, Log: slog.Default()}).Run(t.Context())
}
