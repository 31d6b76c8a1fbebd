package activities_test

import (
	"context"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/workflows"
)

func TestRetention(t *testing.T) {
	a, d, registry := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	for _, days := range []int{5, 50, 500} {
		job := dbtest.Job("a")
		run, attempt := dbtest.Run(t, d, repo, job)
		for _, query := range []string{
			`INSERT INTO tasks (offer_id, job_id, try, run_id, attempt_id, repo_id, runner_id, token_hash, status, stopped_at)
				SELECT id, id, 1, run_id, attempt_id, repo_id, 0, id::text::bytea, 'success', now() FROM jobs WHERE run_id = ?`,
			`INSERT INTO task_logs (task_id, row_count, byte_count) SELECT id, 1, 7 FROM tasks WHERE run_id = ?`,
			`INSERT INTO log_chunks (task_id, first_row, row_count, data) SELECT id, 0, 1, '' FROM tasks WHERE run_id = ?`,
		} {
			_, err := d.NewRaw(query, run.ID).Exec(t.Context())
			require.NoError(t, err)
		}
		_, err := d.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess})
		require.NoError(t, err)
		_, err = d.NewRaw(`UPDATE runs SET stopped_at = now() - make_interval(days => ?) WHERE id = ?`, days, run.ID).Exec(t.Context())
		require.NoError(t, err)
	}
	sweep := func() {
		for _, batch := range []func(context.Context) (workflows.RetentionBatch, error){a.ExpireLogs, a.DeleteRuns, a.DiscardLogs} {
			for {
				b, err := batch(t.Context())
				require.NoError(t, err)
				if !b.More {
					break
				}
			}
		}
	}
	sweep()
	a.Retention = db.Retention{LogDays: 30, FailedLogDays: 60, RunDays: 300}
	sweep()
	sweep()
	require.NoError(t, testutil.GatherAndCompare(registry, strings.NewReader(`
		# HELP pawl_retention_removed_total What was removed because it had been kept for long enough, by kind.
		# TYPE pawl_retention_removed_total counter
		pawl_retention_removed_total{kind="log_bytes"} 14
		pawl_retention_removed_total{kind="log_chunks"} 2
		pawl_retention_removed_total{kind="logs"} 2
		pawl_retention_removed_total{kind="runs"} 1
	`), "pawl_retention_removed_total"))
	require.NoError(t, observability.CheckNames(registry))
	left, err := d.NewSelect().Model((*db.Run)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, left)
}
