package activities_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// TestWhoHasAPlaceInAGroupDoesNotEnterAgain: entering takes several steps under a lock. A thousand jobs of one run may
// not have the time for it in one call; each repetition has to get further.
func TestWhoHasAPlaceInAGroupDoesNotEnterAgain(t *testing.T) {
	a, d, _ := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	first, second := dbtest.Job("m"), dbtest.Job("m")
	first.IsGated, second.IsGated = true, true
	run, attempt := dbtest.Run(t, d, repo, first, second)
	_, err := d.NewInsert().Model(&db.AttemptFile{AttemptID: attempt.ID, Repository: "o/r", Path: "w.yml", Content: []byte(`
on: push
jobs:
  m:
    concurrency: deploy
    runs-on: linux
    steps: [{run: x}]
`)}).Exec(t.Context())
	require.NoError(t, err)
	in := workflows.IfQueries{
		RunInput: workflows.RunInput{RunID: run.ID, AttemptID: attempt.ID, Attempt: 1},
		Queries:  []workflows.IfQuery{{JobID: first.ID}, {JobID: second.ID}},
	}
	want := []workflows.Admission{
		{JobID: first.ID, InGate: true},
		{JobID: second.ID, InGate: true, Hold: "concurrency group deploy is taken"},
	}
	got, err := a.AdmitJobs(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, want, got)

	tx, err := d.Pool.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = tx.Rollback(context.Background()) }()
	_, err = tx.Exec(t.Context(), "SELECT 1 FROM gates FOR UPDATE")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	got, err = a.AdmitJobs(ctx, in)
	require.NoError(t, err, "nobody has to wait for who changes the group")
	require.Equal(t, want, got)
	require.NoError(t, tx.Rollback(t.Context()))

	_, err = d.RecordStep(t.Context(), db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Release: true, Ended: []db.JobEnd{{JobID: first.ID, Status: ci.StatusSuccess}},
	})
	require.NoError(t, err)
	in.Queries = in.Queries[1:]
	got, err = a.AdmitJobs(t.Context(), in)
	require.NoError(t, err)
	require.Equal(t, []workflows.Admission{{JobID: second.ID, InGate: true}}, got)
}
