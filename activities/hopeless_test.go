package activities_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// asked is a question about one job of a stored run.
func asked(j *db.Job) workflows.IfQueries {
	return workflows.IfQueries{
		RunInput: workflows.RunInput{RunID: j.RunID, AttemptID: j.AttemptID, Attempt: 1},
		Queries:  []workflows.IfQuery{{JobID: j.ID, Facts: ci.Facts{Success: true}}},
	}
}

// TestWhatNoRepetitionMendsEndsTheJob: an activity that is repeated for ever keeps its run from hearing of anything, a
// forced cancel included.
func TestWhatNoRepetitionMendsEndsTheJob(t *testing.T) {
	a, d, _ := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	stored := func(change func(*db.Job)) *db.Job {
		j := dbtest.Job("a")
		change(j)
		dbtest.Run(t, d, repo, j)
		return j
	}
	lostFile := func(kind ci.JobKind) func(*db.Job) {
		return func(j *db.Job) { j.Kind, j.File, j.IsGated, j.Uses = kind, 7, true, "./x.yml" }
	}
	for name, c := range map[string]struct {
		job *db.Job
		ask func(context.Context, *db.Job) (ci.ErrorClass, string, error)
	}{
		"an if": {stored(func(j *db.Job) { j.IfExpr = "always()" }), func(ctx context.Context, j *db.Job) (ci.ErrorClass, string, error) {
			_, err := d.NewRaw(`UPDATE runs SET event_payload = '[]' WHERE id = ?`, j.RunID).Exec(ctx)
			require.NoError(t, err)
			out, err := a.EvaluateIfs(ctx, asked(j))
			return first(t, out, err).Class, first(t, out, err).Error, err
		}},
		"cells": {stored(lostFile(ci.JobDeferred)), func(ctx context.Context, j *db.Job) (ci.ErrorClass, string, error) {
			out, err := a.ExpandJobs(ctx, asked(j))
			return first(t, out, err).Class, first(t, out, err).Error, err
		}},
		"a place": {stored(lostFile(ci.JobTask)), func(ctx context.Context, j *db.Job) (ci.ErrorClass, string, error) {
			out, err := a.AdmitJobs(ctx, asked(j))
			require.Equal(t, ci.StatusFailure, first(t, out, err).Status)
			return first(t, out, err).Class, first(t, out, err).Reason, err
		}},
		"a call": {stored(func(j *db.Job) { j.Kind = ci.JobCall }), func(ctx context.Context, j *db.Job) (ci.ErrorClass, string, error) {
			_, err := d.NewRaw(`INSERT INTO attempt_files (attempt_id, n, repo_id, repository, path, ref, sha, content)
				VALUES (?, 0, 1, 'o/r', 'w.yml', '', '', 'jobs: [')`, j.AttemptID).Exec(ctx)
			require.NoError(t, err)
			out, err := a.ConcludeCalls(ctx, workflows.CallEnds{
				RunInput: asked(j).RunInput, Calls: []workflows.CallEnd{{JobID: j.ID, Status: ci.StatusSuccess}},
			})
			return first(t, out, err).Class, first(t, out, err).Error, err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			class, reason, err := c.ask(t.Context(), c.job)
			require.NoError(t, err)
			require.Equal(t, ci.ErrorUnknown, class)
			require.NotEmpty(t, reason)
		})
	}
}

func first[T any](t *testing.T, list []T, err error) T {
	t.Helper()
	require.NoError(t, err)
	require.Len(t, list, 1)
	return list[0]
}

func TestWhatMayPassIsRepeated(t *testing.T) {
	a, d, _ := newActivities(t)
	j := dbtest.Job("a")
	j.IfExpr = "always()"
	dbtest.Run(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), j)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	_, err := a.EvaluateIfs(ctx, asked(j))
	require.ErrorIs(t, err, context.Canceled)
}
