package trigger_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

const pushed = `name: CI
on:
  push:
    branches: [main]
  workflow_dispatch:
    inputs:
      level: {type: choice, options: [low, high], default: low}
      times: {type: number, required: true}
jobs:
  build:
    runs-on: [linux, x64]
    strategy:
      matrix: {go: [1, 2]}
    steps:
      - run: echo ${{ matrix.go }}
  test:
    needs: build
    if: github.ref == 'refs/heads/main'
    runs-on: linux
    steps:
      - run: echo test
`

const file = ".gitea/workflows/ci.yml"

func TestAPushStartsItsWorkflows(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow\n\nwith details")
	runs := f.runs(t)
	require.Len(t, runs, 1)
	run := runs[0]
	require.Equal(t, []any{"CI", "Add a workflow", "push", "refs/heads/main", int64(1), ci.StatusWaiting, "ci.yml"},
		[]any{run.WorkflowName, run.Title, run.Event, run.Ref, run.RunNumber, run.Status, run.WorkflowFile})
	require.Len(t, f.engine.started, 1)
	require.Equal(t, "ann/app", f.engine.started[0].Repository)

	jobs, err := f.db.JobsOfAttempt(t.Context(), run.ID, 1)
	require.NoError(t, err)
	require.Len(t, jobs, 3)
	require.Equal(t, []string{"build (1)", "build (2)", "test"}, []string{jobs[0].Name, jobs[1].Name, jobs[2].Name})
	require.Equal(t, []ci.Status{ci.StatusWaiting, ci.StatusWaiting, ci.StatusBlocked}, []ci.Status{jobs[0].Status, jobs[1].Status, jobs[2].Status})
	require.Equal(t, "github.ref == 'refs/heads/main'", jobs[2].IfExpr)
	require.Equal(t, jobs[0].LabelSetID, jobs[1].LabelSetID)
	require.NotEqual(t, jobs[0].LabelSetID, jobs[2].LabelSetID)

	var event struct {
		After   string
		Commits []struct{ Message string }
	}
	require.NoError(t, json.Unmarshal(run.EventPayload, &event))
	require.Equal(t, run.SHA, event.After)
	require.Len(t, event.Commits, 1)
}

func TestWhatAPushDoesNotStart(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow [skip ci]")
	require.Empty(t, f.runs(t))
	f.git(t, "push", "-q", "origin", "main:refs/heads/other")
	require.Empty(t, f.runs(t), "the branch does not match")
	require.NoError(t, f.SetWorkflowDisabled(t.Context(), f.repo, "ci.yml", true))
	f.push(t, "x", "x", "More")
	require.Empty(t, f.runs(t), "the workflow is disabled")
	f.git(t, "push", "-q", "origin", ":other")
	require.Empty(t, f.runs(t), "a deletion starts nothing")
}

func TestAnInvalidFileMakesAFailedRun(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, "on: push\njobs:\n  a:\n    needs: b\n    runs-on: linux\n    steps: [{run: x}]\n", "Break it")
	runs := f.runs(t)
	require.Len(t, runs, 1)
	require.Equal(t, ci.StatusFailure, runs[0].Status)
	require.NotEmpty(t, runs[0].Problems)
	require.Equal(t, file, runs[0].Problems[0].File)
	require.Equal(t, 4, runs[0].Problems[0].Line)
	require.Empty(t, f.engine.started, "nothing is to be run")
	_, err := f.rerun(t, &runs[0])
	require.True(t, fault.Has(err, fault.CodeBadRequest), err)
}

func TestDispatch(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow [skip ci]")
	dispatch := func(workflow, ref string, inputs map[string]string) (*db.Run, error) {
		return f.Dispatch(t.Context(), trigger.DispatchRequest{Repo: f.repo, Actor: f.owner, Workflow: workflow, Ref: ref, Inputs: inputs})
	}
	run, err := dispatch("ci.yml", "main", map[string]string{"times": "3", "undeclared": "x"})
	require.NoError(t, err)
	require.Equal(t, "workflow_dispatch", run.Event)
	require.JSONEq(t, `{"level":"low","times":3}`, string(run.Inputs))

	for name, c := range map[string]struct {
		workflow, ref string
		inputs        map[string]string
		want          fault.Code
	}{
		"unknown workflow":  {"no.yml", "main", nil, fault.CodeNotFound},
		"unknown ref":       {"ci.yml", "nope", nil, fault.CodeNotFound},
		"hostile ref":       {"ci.yml", "--upload-pack=x", nil, fault.CodeNotFound},
		"required input":    {"ci.yml", "main", nil, fault.CodeUnprocessable},
		"choice":            {"ci.yml", "main", map[string]string{"times": "1", "level": "huge"}, fault.CodeUnprocessable},
		"input of no type":  {"ci.yml", "main", map[string]string{"times": "many"}, fault.CodeUnprocessable},
		"path as a file id": {"../../ci.yml", "main", nil, fault.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := dispatch(c.workflow, c.ref, c.inputs)
			require.Error(t, err)
			require.True(t, fault.Has(err, c.want), err)
		})
	}
	require.NoError(t, f.SetWorkflowDisabled(t.Context(), f.repo, "ci.yml", true))
	_, err = dispatch("ci.yml", "main", map[string]string{"times": "3"})
	require.True(t, fault.Has(err, fault.CodeForbidden), err)
	require.Len(t, f.runs(t), 1, "what was refused left nothing")
}

func TestARunIsStoredWhileTemporalIsAway(t *testing.T) {
	f := newFixture(t)
	f.engine.down = errors.New("temporal is away")
	f.push(t, file, pushed, "Add a workflow")
	require.Len(t, f.runs(t), 1)
	unstarted, err := f.db.UnstartedAttempts(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, unstarted, 1)
}

func TestReplayPushFindsWhatACrashLeft(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow")
	require.Len(t, f.runs(t), 1)
	left, err := f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Zero(t, left)
	// As if the process had died after git took the push and before the event was stored.
	_, err = f.db.NewRaw(`DELETE FROM git_refs`).Exec(t.Context())
	require.NoError(t, err)
	left, err = f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Equal(t, 1, left)
	require.Len(t, f.runs(t), 2)
}

func TestWorkflows(t *testing.T) {
	f := newFixture(t)
	none, err := f.Workflows(t.Context(), f.repo)
	require.NoError(t, err)
	require.Empty(t, none)
	f.push(t, file, pushed, "Add a workflow")
	all, err := f.Workflows(t.Context(), f.repo)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, []string{"ci.yml", "CI", file}, []string{all[0].File, all[0].Name, all[0].Path})
	_, err = f.Workflow(t.Context(), f.repo, "other.yml")
	require.True(t, fault.Has(err, fault.CodeNotFound), err)
}
