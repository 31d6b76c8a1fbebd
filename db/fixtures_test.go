package db_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// fixture is a repository in a database of its own.
type fixture struct {
	*db.DB
	owner *db.Owner
	repo  *db.Repository
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{DB: dbtest.Open(t)}
	f.owner = dbtest.Owner(t, f.DB)
	f.repo = dbtest.Repository(t, f.DB, f.owner)
	return f
}

func (f *fixture) insert(t *testing.T, model any) {
	t.Helper()
	_, err := f.NewInsert().Model(model).Exec(t.Context())
	require.NoError(t, err)
}

// run stores a run with the jobs given by key; a job "b<a" needs a.
func (f *fixture) run(t *testing.T, jobs ...*db.Job) (*db.Run, *db.Attempt) {
	t.Helper()
	return dbtest.Run(t, f.DB, f.repo, jobs...)
}

func newRun(f *fixture) *db.Run {
	return &db.Run{
		RepoID: f.repo.ID, OwnerID: f.owner.ID, ActorID: f.owner.ID, WorkflowFile: "ci.yml", WorkflowPath: ".gitea/workflows/ci.yml",
		WorkflowName: "ci", Title: "a commit", Event: "push", EventPayload: json.RawMessage(`{}`), Inputs: json.RawMessage(`{}`),
		Ref: "refs/heads/main", SHA: "0123456789012345678901234567890123456789", Status: ci.StatusWaiting, Problems: []db.Problem{},
	}
}

func job(key string, needs ...string) *db.Job {
	j := dbtest.Job(key, "linux")
	if len(needs) > 0 {
		j.Needs, j.Status = needs, ci.StatusBlocked
	}
	return j
}

func (f *fixture) runner(t *testing.T, capabilities ...string) *db.Runner {
	t.Helper()
	if capabilities == nil {
		capabilities = []string{}
	}
	r := &db.Runner{UUID: uuid.New(), TokenHash: []byte("x"), Name: "runner", Labels: []string{"linux"}, Capabilities: capabilities}
	f.insert(t, r)
	return r
}

// claim plays the gateway: it gives the queued offer of a job to a runner.
func (f *fixture) claim(t *testing.T, j *db.Job, r *db.Runner) *db.Task {
	t.Helper()
	var offer db.Offer
	require.NoError(t, f.NewSelect().Model(&offer).Where("job_id = ?", j.ID).Where("state = 'queued'").Scan(t.Context()))
	_, err := f.NewUpdate().Model(&offer).Set("state = 'claimed'").WherePK().Exec(t.Context())
	require.NoError(t, err)
	task := &db.Task{
		OfferID: offer.ID, JobID: j.ID, Try: offer.Try, RunID: j.RunID, AttemptID: j.AttemptID, RepoID: j.RepoID,
		RunnerID: r.ID, TokenHash: fmt.Appendf(nil, "token-%d", offer.ID), Status: db.TaskRunning, Attached: offer.Attached,
		Steps: []db.Step{{Index: 0, Status: ci.StatusSuccess}, {Index: 1, Status: ci.StatusRunning}},
	}
	f.insert(t, task)
	_, err = f.NewUpdate().Model(j).Set("status = 'running'").Set("task_id = ?", task.ID).WherePK().Exec(t.Context())
	require.NoError(t, err)
	return task
}

// cancel cancels all attempts of a run as its owner does.
func (f *fixture) cancel(t *testing.T, run *db.Run) {
	t.Helper()
	_, err := f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, By: f.owner.ID})
	require.NoError(t, err)
}

// record writes a step of a run, and returns who is to be woken.
func (f *fixture) record(t *testing.T, step db.RunStep) []db.RunRef {
	t.Helper()
	wake, err := f.RecordStep(t.Context(), step)
	require.NoError(t, err)
	return wake
}

func (f *fixture) offer(t *testing.T, jobs ...*db.Job) {
	t.Helper()
	dbtest.Offer(t, f.DB, jobs...)
}

func (f *fixture) reload(t *testing.T, model any) {
	t.Helper()
	require.NoError(t, f.NewSelect().Model(model).WherePK().Scan(t.Context()))
}
