package activities_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/planrow"
	"github.com/pawl-ci/pawl/internal/workflowfile"
	"github.com/pawl-ci/pawl/workflows"
)

// stored is a run of a workflow file that calls others of its repository.
type stored struct {
	*activities.Activities
	db      *db.DB
	run     *db.Run
	attempt *db.Attempt
	jobs    []*db.Job
}

// store stores a run of the file `ci.yml`; the others are called by their names.
func store(t *testing.T, a *activities.Activities, d *db.DB, repo *db.Repository, source string, others map[string]string) stored {
	t.Helper()
	w, err := workflowfile.Parse("ci.yml", []byte(source))
	require.NoError(t, err)
	plan, err := w.Plan(workflowfile.PlanContext{GitHub: map[string]any{}, Inputs: map[string]any{}})
	require.NoError(t, err)
	n := db.NewRun{Concurrency: plan.Concurrency, Run: &db.Run{
		RepoID: repo.ID, OwnerID: repo.OwnerID, WorkflowFile: "ci.yml", WorkflowPath: "ci.yml", WorkflowName: "CI", Title: "x", Event: "push",
		EventPayload: []byte("{}"), Inputs: []byte("{}"), Ref: "refs/heads/main", SHA: strings.Repeat("a1", 20), ActorID: repo.OwnerID,
		Status: ci.StatusWaiting, Problems: []db.Problem{},
	}}
	for _, p := range plan.Jobs {
		n.Jobs = append(n.Jobs, planrow.Job(p))
	}
	calls := map[string]db.CallTarget{}
	files := map[string]string{"ci.yml": source}
	maps.Copy(files, others)
	for _, name := range append([]string{"ci.yml"}, slices.Sorted(maps.Keys(others))...) {
		calls["./"+name] = db.CallTarget{File: len(n.Files)}
		n.Files = append(n.Files, &db.AttemptFile{N: len(n.Files), RepoID: repo.ID, Repository: "o/r", Path: name, Content: []byte(files[name]), Calls: calls})
	}
	require.NoError(t, d.PrepareRun(t.Context(), n.Run))
	attempt, err := d.CreateRun(t.Context(), n)
	require.NoError(t, err)
	return stored{a, d, n.Run, attempt, n.Jobs}
}

func (s stored) query(jobs ...*db.Job) workflows.IfQueries {
	in := workflows.IfQueries{RunInput: workflows.RunInput{RunID: s.run.ID, AttemptID: s.attempt.ID, Attempt: s.attempt.Number}}
	for _, j := range jobs {
		in.Queries = append(in.Queries, workflows.IfQuery{JobID: j.ID})
	}
	return in
}

func (s stored) admit(t *testing.T, j *db.Job) workflows.Admission {
	t.Helper()
	out, err := s.AdmitJobs(t.Context(), s.query(j))
	require.NoError(t, err)
	require.Len(t, out, 1)
	return out[0]
}

// gates are the names of the groups that a run is in, with the state of each.
func (s stored) gates(t *testing.T) map[string]db.GateState {
	t.Helper()
	rows, err := s.db.GatesOf(t.Context(), s.attempt.ID)
	require.NoError(t, err)
	out := map[string]db.GateState{}
	for _, r := range rows {
		out[r.Title] = r.State
	}
	return out
}

const deploy = `on: {workflow_call: {inputs: {to: {type: string, required: true}}}}
concurrency: deploy-${{ inputs.to }}
jobs:
  a: {runs-on: x, steps: [{run: x}]}
`

func caller(keys string) string {
	return "on: push\njobs:\n  call:\n    uses: ./deploy.yml\n    " + strings.ReplaceAll(keys, "\n", "\n    ") + "\n"
}

// A caller waits for its own group first and for that of the workflow that it calls then; both are evaluated where they
// are written.
func TestACallerWaitsForTheGroupOfWhatItCalls(t *testing.T) {
	a, d, _ := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	others := map[string]string{"deploy.yml": deploy}
	source := caller("with: {to: prod}\nconcurrency: own-${{ github.ref_name }}")
	first := store(t, a, d, repo, source, others)
	require.Equal(t, workflows.Admission{JobID: first.jobs[0].ID, InGate: true}, first.admit(t, first.jobs[0]))
	require.Equal(t, map[string]db.GateState{"own-main": db.GateHolding, "deploy-prod": db.GateHolding}, first.gates(t))

	second := store(t, a, d, repo, caller("with: {to: prod}"), others)
	held := second.admit(t, second.jobs[0])
	require.Equal(t, workflows.Admission{JobID: second.jobs[0].ID, InGate: true, Hold: "concurrency group deploy-prod is taken"}, held)
	third := store(t, a, d, repo, caller("with: {to: test}"), others)
	require.Equal(t, workflows.Admission{JobID: third.jobs[0].ID, InGate: true}, third.admit(t, third.jobs[0]), "another input, another group")

	wake, err := d.RecordStep(t.Context(), db.RunStep{RunID: first.run.ID, AttemptID: first.attempt.ID, Release: true,
		Ended: []db.JobEnd{{JobID: first.jobs[0].ID, Status: ci.StatusSuccess}}})
	require.NoError(t, err)
	require.Equal(t, []db.RunRef{{RunID: second.run.ID, Attempt: 1}}, wake)
	require.Equal(t, workflows.Admission{JobID: second.jobs[0].ID, InGate: true}, second.admit(t, second.jobs[0]))
}

func TestWhatACallWaitsFor(t *testing.T) {
	for name, c := range map[string]struct {
		source, callee string
		want           workflows.Admission
	}{
		"nothing":     {caller("with: {to: a}"), strings.Replace(deploy, "concurrency", "x", 1), workflows.Admission{}},
		"empty group": {caller("with: {to: a}"), strings.Replace(deploy, "deploy-${{ inputs.to }}", "${{ vars.none }}", 1), workflows.Admission{}},
		"its own group as well": {caller("with: {to: a}\nconcurrency: Deploy-A"), deploy, workflows.Admission{
			InGate: true, Status: ci.StatusCancelled,
			Reason: `deadlock: its own run is in the concurrency group "deploy-a" already, so that it would wait for ever`,
		}},
		"wrong inputs": {caller("with: {no: a}"), deploy, workflows.Admission{
			Status: ci.StatusFailure, Class: ci.ErrorPermanent,
			Reason: `ci.yml:4:11: the input "to" of deploy.yml is required`,
		}},
		"a group that cannot be evaluated": {
			caller("with: {to: a}"), strings.Replace(deploy, "deploy-${{ inputs.to }}", "${{ fromJSON(inputs.to) }}", 1), workflows.Admission{
				Status: ci.StatusFailure, Class: ci.ErrorPermanent,
				Reason: "deploy.yml:2:18: fromJSON: invalid character 'a' looking for beginning of value",
			}},
		"nobody: there is no such file": {strings.Replace(caller("with: {to: a}"), "./deploy.yml", "./other.yml", 1), deploy, workflows.Admission{}},
	} {
		t.Run(name, func(t *testing.T) {
			a, d, _ := newActivities(t)
			repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
			s := store(t, a, d, repo, c.source, map[string]string{"deploy.yml": c.callee})
			c.want.JobID = s.jobs[0].ID
			require.Equal(t, c.want, s.admit(t, s.jobs[0]))
		})
	}
}

// A rerun of one called job has its callers from the start, and they have to be in their groups all the same.
func TestJobsOfReopenedCallersWaitForTheGroupsOfThese(t *testing.T) {
	a, d, _ := newActivities(t)
	repo := dbtest.Repository(t, d, dbtest.Owner(t, d))
	source := strings.Replace(caller("with: {to: prod}\nneeds: pick\nconcurrency: own-${{ needs.pick.result }}"), "jobs:\n", "jobs:\n  pick: {runs-on: x, steps: [{run: x}]}\n", 1)
	s := store(t, a, d, repo, source, map[string]string{"deploy.yml": deploy})
	_, err := d.NewRaw("UPDATE jobs SET status = ? WHERE id = ?", ci.StatusSuccess, s.jobs[0].ID).Exec(t.Context())
	require.NoError(t, err)
	child := s.expand(t, s.jobs[1])["a"]

	plan, err := a.LoadPlan(t.Context(), s.query().RunInput)
	require.NoError(t, err)
	require.Len(t, plan.Jobs, 3)
	require.Equal(t, []any{child.ID, true, true}, []any{plan.Jobs[2].ID, plan.Jobs[2].Gated, plan.Jobs[1].Started})

	other := store(t, a, d, repo, caller("with: {to: prod}"), map[string]string{"deploy.yml": deploy})
	require.Empty(t, other.admit(t, other.jobs[0]).Hold)
	held := s.admit(t, child)
	require.Equal(t, workflows.Admission{JobID: child.ID, InGate: true, Hold: "concurrency group deploy-prod is taken"}, held)
	require.Equal(t, map[string]db.GateState{"own-success": db.GateHolding, "deploy-prod": db.GatePending}, s.gates(t))
	_, err = d.RecordStep(t.Context(), db.RunStep{RunID: other.run.ID, AttemptID: other.attempt.ID, Release: true,
		Ended: []db.JobEnd{{JobID: other.jobs[0].ID, Status: ci.StatusSuccess}}})
	require.NoError(t, err)
	require.Equal(t, workflows.Admission{JobID: child.ID, InGate: true}, s.admit(t, child))
	require.Equal(t, workflows.Admission{JobID: child.ID, InGate: true}, s.admit(t, child), "it may be repeated")
}
