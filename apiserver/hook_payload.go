package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/internal/trigger"
)

// apiRunEvent is the message of the event workflow_run, and apiJobEvent that of workflow_job (rest-api.md §11).
type apiRunEvent struct {
	Action       string           `json:"action"`
	Workflow     *apiWorkflow     `json:"workflow"`
	WorkflowRun  *apiRun          `json:"workflow_run"`
	Organization *apiOrganization `json:"organization,omitempty"`
	Repository   *apiRepository   `json:"repository"`
	Sender       *apiUser         `json:"sender"`
}

type apiJobEvent struct {
	Action       string           `json:"action"`
	WorkflowJob  *apiJob          `json:"workflow_job"`
	Organization *apiOrganization `json:"organization,omitempty"`
	Repository   *apiRepository   `json:"repository"`
	Sender       *apiUser         `json:"sender"`
}

// hookAccess is what the receiver of a webhook, as its maker, may do in the repository.
var hookAccess = db.Access{Permission: db.PermissionAdmin}

func hookOrganization(repo *db.Repository) *apiOrganization {
	if repo.Owner.Kind != db.KindOrganization {
		return nil
	}
	return showOrganization(repo.Owner)
}

// HookPayload implements hook.Payloads: the body of the message of a change, and the ref of its run. Everything in it is
// as of now but the status, since things may have gone on since the change. ok is false when the run, the job or the
// repository is gone.
func (s *Server) HookPayload(ctx context.Context, e db.StatusEvent, event, action string) (body, ref string, ok bool, err error) {
	message, ref, err := s.hookMessage(ctx, e, event, action)
	if errors.Is(err, db.ErrNotFound) {
		return "", "", false, nil
	}
	if err != nil {
		return "", "", false, err
	}
	text, err := json.Marshal(message)
	if err != nil {
		return "", "", false, fmt.Errorf("encode webhook: %w", err)
	}
	return string(text), ref, true, nil
}

func (s *Server) hookMessage(ctx context.Context, e db.StatusEvent, event, action string) (message any, ref string, err error) {
	repo, err := s.DB.RepositoryByID(ctx, e.RepoID)
	if err != nil {
		return nil, "", err
	}
	v, err := s.DB.Run(ctx, repo.ID, e.RunID, e.Attempt)
	if err != nil {
		return nil, "", err
	}
	sender := v.TriggerUser
	if sender == nil {
		sender = db.ActionsBot() // the account is gone
	}
	if v.Actor == nil {
		v.Actor = sender
	}
	if v.TriggerUser == nil {
		v.TriggerUser = sender
	}
	switch event {
	case hook.EventRun:
		message, err = s.runMessage(ctx, e, action, v, repo)
	default:
		message, err = s.jobMessage(ctx, e, action, repo, sender)
	}
	return message, v.Run.Ref, err
}

func (s *Server) runMessage(ctx context.Context, e db.StatusEvent, action string, v *db.RunView, repo *db.Repository) (*apiRunEvent, error) {
	disabled, err := s.DB.DisabledWorkflows(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	run := s.runsFor(s.LinkURL, nil).run(v, repo)
	run.Status, run.Conclusion = e.Status.API()
	if !e.Status.Terminal() {
		run.CompletedAt, run.Reason = shownOrEpoch(noTime), ""
	}
	if action == "requested" {
		run.StartedAt = shownOrEpoch(noTime)
	}
	return &apiRunEvent{
		Action: action, Workflow: showWorkflow(s.LinkURL, workflowOf(v.Run, repo, disabled), repo), WorkflowRun: run,
		Organization: hookOrganization(repo), Repository: showRepository(s.LinkURL, repo, nil, hookAccess),
		Sender: showUser(s.LinkURL, v.TriggerUser, nil),
	}, nil
}

// workflowOf is the workflow as the run knows it, so that runs of files that are not on the default branch, or not any
// more, are told of too.
func workflowOf(r *db.Run, repo *db.Repository, disabled map[string]bool) trigger.Workflow {
	return trigger.Workflow{
		File: r.WorkflowFile, Path: r.WorkflowPath, Name: r.WorkflowName, Branch: repo.DefaultBranch, SHA: r.SHA, Changed: r.CreatedAt,
		Disabled: disabled[r.WorkflowFile],
	}
}

func (s *Server) jobMessage(ctx context.Context, e db.StatusEvent, action string, repo *db.Repository, sender *db.Owner) (*apiJobEvent, error) {
	v, err := s.DB.AnyJob(ctx, repo.ID, e.JobID)
	if err != nil {
		return nil, err
	}
	job := showJob(s.LinkURL, v, repo)
	job.Status, job.Conclusion = e.Status.API()
	if !e.Status.Terminal() {
		job.CompletedAt, job.Reason, job.ErrorClass = shownOrEpoch(noTime), "", ""
	}
	if action == "queued" || action == "waiting" {
		job.StartedAt, job.RunnerID, job.RunnerName, job.Steps = shownOrEpoch(noTime), 0, "", []apiStep{}
	}
	return &apiJobEvent{
		Action: action, WorkflowJob: job, Organization: hookOrganization(repo),
		Repository: showRepository(s.LinkURL, repo, nil, hookAccess), Sender: showUser(s.LinkURL, sender, nil),
	}, nil
}
