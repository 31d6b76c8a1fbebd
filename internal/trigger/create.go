package trigger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/planrow"
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
	source  *source // of a scoped workflow; nil for a file of the repository itself
	others  *otherRepos
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
	n, err := s.plan(ctx, e, run)
	var invalid *workflowfile.Error
	if errors.As(err, &invalid) {
		s.refuse(run, invalid)
		return db.NewRun{Run: run}, nil
	}
	if e.repo.Approval == db.ApproveAll {
		awaitApproval(n)
	}
	return n, err
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
	run := &db.Run{
		RepoID: e.repo.ID, OwnerID: e.repo.OwnerID, ActorID: e.actor.ID,
		WorkflowFile: e.file.Name, WorkflowPath: e.file.Path, WorkflowName: e.file.Name,
		Title: shorten(e.commit.Title()), Event: e.name, EventPayload: planrow.JSON(payload), Inputs: planrow.JSON(inputs),
		Ref: e.ref, SHA: e.commit.SHA, Status: ci.StatusWaiting, Problems: []db.Problem{},
	}
	if e.source != nil {
		run.SourceRepoID = e.source.repo.ID
	}
	return run, nil
}

// plan parses the file, expands its jobs and finds the files that it calls. An error of type *workflowfile.Error is the
// author's.
func (s *Service) plan(ctx context.Context, e event, run *db.Run) (db.NewRun, error) {
	w, err := s.parse(e.file)
	if err != nil {
		return db.NewRun{}, err
	}
	if w.Name != "" {
		run.WorkflowName = shorten(w.Name)
	}
	github, err := facts(e, run).GitHub()
	if err != nil {
		return db.NewRun{}, err
	}
	vars, err := s.DB.Vars(ctx, e.repo.OwnerID, e.repo.ID)
	if err != nil {
		return db.NewRun{}, err
	}
	plan, err := w.Plan(workflowfile.PlanContext{GitHub: github, Inputs: e.inputs, Vars: vars})
	if err != nil {
		return db.NewRun{}, err
	}
	if plan.RunName != "" {
		run.Title = shorten(plan.RunName)
	}
	n := db.NewRun{Run: run, Jobs: rows(plan), Concurrency: gate(plan)}
	if plan.NeedsFiles || n.Concurrency != nil {
		n.Files, err = e.others.calledFiles(ctx, e.readers(), e.ownFile(), w)
	}
	return n, err
}

func facts(e event, run *db.Run) ci.RunFacts {
	return ci.RunFacts{
		RunID: run.ID, RunNumber: run.RunNumber, Attempt: 1, Workflow: run.WorkflowName, Event: run.Event,
		EventPayload: run.EventPayload, Repository: e.repo.FullName(), Actor: e.actor.Login, TriggeringActor: e.actor.Login,
		Ref: run.Ref, SHA: run.SHA,
	}
}

func rows(plan *workflowfile.Plan) []*db.Job {
	jobs := make([]*db.Job, len(plan.Jobs))
	for i, p := range plan.Jobs {
		jobs[i] = planrow.Job(p)
	}
	return jobs
}

// gate is the concurrency group of a whole run; nil when it has none.
func gate(plan *workflowfile.Plan) *ci.Concurrency {
	if plan.Concurrency == nil {
		return nil
	}
	c := *plan.Concurrency
	if c.Group = planrow.Text(c.Group); c.Group == "" {
		return nil
	}
	return &c
}

// ownFile is the workflow file of the run itself, as its attempts keep it.
func (e event) ownFile() *db.AttemptFile {
	f := &db.AttemptFile{
		RepoID: e.repo.ID, Repository: e.repo.FullName(), Path: e.file.Path, Ref: e.ref, SHA: e.commit.SHA, Content: e.file.Content,
	}
	if e.source != nil {
		f.RepoID, f.Repository, f.Ref, f.SHA = e.source.repo.ID, e.source.repo.FullName(), e.source.ref, e.source.sha
	}
	return f
}

// readers are the owners in whose name the run may read other repositories.
func (e event) readers() []*db.Owner {
	if e.source == nil {
		return []*db.Owner{e.repo.Owner}
	}
	return []*db.Owner{e.repo.Owner, e.source.repo.Owner}
}

// awaitApproval holds a whole run back until somebody lets it begin (execution-semantics.md §8).
func awaitApproval(n db.NewRun) {
	if n.Run == nil {
		return
	}
	n.Run.Approval, n.Run.Status = db.ApprovalNeeded, ci.StatusBlocked
	for _, j := range n.Jobs {
		j.Status = ci.StatusBlocked
	}
}

// refuse makes a run a failed one that names what is wrong with its file.
func (s *Service) refuse(run *db.Run, invalid *workflowfile.Error) {
	now := s.Now()
	run.Status, run.StartedAt, run.StoppedAt = ci.StatusFailure, now, now
	for _, p := range invalid.Problems {
		run.Problems = append(run.Problems, db.Problem{File: p.File, Line: p.Line, Column: p.Column, Message: planrow.Text(p.Message)})
	}
}
