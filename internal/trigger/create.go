package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// event is what starts a run of one workflow file.
type event struct {
	name    string
	repo    *db.Repository
	actor   *db.Owner
	ref     string
	commit  git.Commit
	file    git.File
	payload map[string]any
	inputs  map[string]any
}

// prepare numbers a run and plans its jobs. A file that cannot be planned makes a failed run that shows why
// (known-problems.md C6).
func (s *Service) prepare(ctx context.Context, e event) (db.NewRun, error) {
	run, err := s.newRun(e)
	if err != nil {
		return db.NewRun{}, err
	}
	if err := s.DB.PrepareRun(ctx, run); err != nil {
		return db.NewRun{}, err
	}
	jobs, err := s.plan(e, run)
	var invalid *workflowfile.Error
	if errors.As(err, &invalid) {
		s.refuse(run, invalid)
		return db.NewRun{Run: run}, nil
	}
	return db.NewRun{Run: run, Jobs: jobs}, err
}

func (s *Service) newRun(e event) (*db.Run, error) {
	payload, err := json.Marshal(e.payload)
	if err != nil {
		return nil, fmt.Errorf("event payload: %w", err)
	}
	if e.inputs == nil {
		e.inputs = map[string]any{}
	}
	inputs, err := json.Marshal(e.inputs)
	if err != nil {
		return nil, fmt.Errorf("inputs: %w", err)
	}
	return &db.Run{
		RepoID: e.repo.ID, OwnerID: e.repo.OwnerID, ActorID: e.actor.ID,
		WorkflowFile: e.file.Name, WorkflowPath: e.file.Path, WorkflowName: e.file.Name,
		Title: shorten(e.commit.Title()), Event: e.name, EventPayload: cleanJSON(payload), Inputs: cleanJSON(inputs),
		Ref: e.ref, SHA: e.commit.SHA, Status: ci.StatusWaiting, Problems: []db.Problem{},
	}, nil
}

// plan parses the file and expands its jobs. An error of type *workflowfile.Error is the author's.
func (s *Service) plan(e event, run *db.Run) ([]*db.Job, error) {
	w, err := s.parse(e.file)
	if err != nil {
		return nil, err
	}
	if w.Name != "" {
		run.WorkflowName = shorten(w.Name)
	}
	facts := ci.RunFacts{
		RunID: run.ID, RunNumber: run.RunNumber, Attempt: 1, Workflow: run.WorkflowName, Event: run.Event,
		EventPayload: run.EventPayload, Repository: e.repo.FullName(), Actor: e.actor.Login, TriggeringActor: e.actor.Login,
		Ref: run.Ref, SHA: run.SHA,
	}
	github, err := facts.GitHub()
	if err != nil {
		return nil, err
	}
	plan, err := w.Plan(workflowfile.PlanContext{GitHub: github, Inputs: e.inputs})
	if err != nil {
		return nil, err
	}
	if plan.RunName != "" {
		run.Title = shorten(plan.RunName)
	}
	jobs := make([]*db.Job, len(plan.Jobs))
	for i, p := range plan.Jobs {
		jobs[i] = newJob(p)
	}
	return jobs, nil
}

func newJob(p workflowfile.PlannedJob) *db.Job {
	matrix := json.RawMessage(p.MatrixJSON)
	if len(matrix) == 0 {
		matrix = json.RawMessage("{}")
	}
	return &db.Job{
		Key: p.Key, Name: p.Name, Needs: nonNil(p.Needs), RunsOn: nonNil(p.RunsOn), IfExpr: p.If,
		Matrix: cleanJSON(matrix), JobIndex: p.Index, JobTotal: p.Total, FailFast: p.FailFast && p.Total > 1,
		MaxParallel: p.MaxParallel, ContinueOnError: p.ContinueOnError, TimeoutMinutes: p.TimeoutMinutes,
		StepNames: nonNil(p.StepNames), Payload: p.Payload, Status: db.InitialJobStatus(p.Needs),
	}
}

// refuse makes a run a failed one that names what is wrong with its file.
func (s *Service) refuse(run *db.Run, invalid *workflowfile.Error) {
	now := s.Now()
	run.Status, run.StartedAt, run.StoppedAt = ci.StatusFailure, now, now
	for _, p := range invalid.Problems {
		run.Problems = append(run.Problems, db.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: p.Message})
	}
}
