// Package dbtest gives tests a migrated database of their own, and rows to begin with.
package dbtest

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
)

// Main runs the tests of a package that calls Open.
func Main(m *testing.M) { pgtest.Main(m, pgtest.Migrate(db.MigrateURL)) }

// Open returns a fresh database, which is closed and dropped when the test ends.
func Open(t testing.TB) *db.DB {
	t.Helper()
	return OpenURL(t, pgtest.New(t).URL)
}

// OpenURL opens a database that pgtest has made, and closes it when the test ends.
func OpenURL(t testing.TB, url string) *db.DB {
	t.Helper()
	d, err := db.Open(context.Background(), url, db.Options{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

// serial makes names unique within a test process.
var serial atomic.Int64

// Owner creates a user with a name of its own.
func Owner(t testing.TB, d *db.DB) *db.Owner {
	t.Helper()
	login := fmt.Sprintf("User%d", serial.Add(1))
	o := &db.Owner{Kind: db.KindUser, Login: login, LowerLogin: strings.ToLower(login), IsActive: true}
	_, err := d.NewInsert().Model(o).Returning("*").Exec(t.Context())
	require.NoError(t, err)
	return o
}

// Repository creates a repository of the owner with a name of its own.
func Repository(t testing.TB, d *db.DB, owner *db.Owner) *db.Repository {
	t.Helper()
	name := fmt.Sprintf("Repo%d", serial.Add(1))
	r := &db.Repository{OwnerID: owner.ID, Name: name, LowerName: strings.ToLower(name), DefaultBranch: "main", Owner: owner}
	_, err := d.NewInsert().Model(r).Returning("*").Exec(t.Context())
	require.NoError(t, err)
	return r
}

// Job is a job without needs that asks for the given labels and has two steps.
func Job(key string, labels ...string) *db.Job {
	return &db.Job{
		Key: key, Name: key, Needs: []string{}, RunsOn: append([]string{}, labels...), Matrix: []byte("{}"), JobTotal: 1,
		TimeoutMinutes: ci.DefaultTimeoutMinutes, StepNames: []string{"one", "two"},
		Payload: []byte("name: w\njobs:\n  " + key + ":\n    steps:\n      - run: echo one\n      - run: echo two\n"),
		Status:  ci.StatusWaiting,
	}
}

// Run creates a run of a push with one attempt of the given jobs, none of them offered.
func Run(t testing.TB, d *db.DB, repo *db.Repository, jobs ...*db.Job) (*db.Run, *db.Attempt) {
	t.Helper()
	run := &db.Run{
		RepoID: repo.ID, OwnerID: repo.OwnerID, WorkflowFile: "w.yml", WorkflowPath: ".gitea/workflows/w.yml", WorkflowName: "w",
		Title: "a commit", Event: "push", EventPayload: []byte(`{"ref": "refs/heads/main", "commits": []}`), Inputs: []byte("{}"),
		Ref: "refs/heads/main", SHA: strings.Repeat("a1", 20), ActorID: repo.OwnerID, Status: ci.StatusWaiting, Problems: []db.Problem{},
	}
	require.NoError(t, d.PrepareRun(t.Context(), run))
	attempt, err := d.CreateRun(t.Context(), db.NewRun{Run: run, Jobs: jobs})
	require.NoError(t, err)
	return run, attempt
}

// Offer offers jobs as their run's workflow does, which also notifies the gateways.
func Offer(t testing.TB, d *db.DB, jobs ...*db.Job) {
	t.Helper()
	step := db.RunStep{RunID: jobs[0].RunID, AttemptID: jobs[0].AttemptID}
	for _, j := range jobs {
		step.Offered = append(step.Offered, j.ID)
	}
	_, err := d.RecordStep(t.Context(), step)
	require.NoError(t, err)
}
