package trigger

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

const eventDispatch = "workflow_dispatch"

// DispatchRequest asks for a run of one workflow file (rest-api.md §5.1).
type DispatchRequest struct {
	Repo     *db.Repository
	Actor    *db.Owner
	Workflow string // file name
	Ref      string // full ref, branch or tag
	Inputs   map[string]string
	// SourceRepoID is the repository that a scoped workflow comes from; 0 for one of Repo itself.
	SourceRepoID int64
}

// Dispatch starts a workflow by hand. Faults: 404 for an unknown ref or workflow, 403 for a disabled one, 422 for
// inputs that do not fit or a file without workflow_dispatch. An invalid file gives a failed run and no error.
func (s *Service) Dispatch(ctx context.Context, r DispatchRequest) (*db.Run, error) {
	return s.dispatch(ctx, r, nil)
}

// dispatch stores the run with the key that the client has for it, if there is one. db.ErrConflict: the key has a run.
func (s *Service) dispatch(ctx context.Context, r DispatchRequest, key *db.DispatchKey) (*db.Run, error) {
	e, err := s.dispatchEvent(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := s.resolveInputs(ctx, &e, r); err != nil {
		return nil, err
	}
	n, err := s.prepare(ctx, e)
	if err != nil {
		return nil, err
	}
	n.Key = key
	attempt, err := s.DB.CreateRun(ctx, n)
	if err != nil {
		return nil, err
	}
	s.start(ctx, n.Run, attempt, r.Repo.FullName(), r.Actor.Login)
	return n.Run, nil
}

// dispatchEvent finds the commit and the file.
func (s *Service) dispatchEvent(ctx context.Context, r DispatchRequest) (event, error) {
	if err := s.refresh(ctx, r.Repo); err != nil {
		return event{}, err
	}
	resolved, err := s.Git.ResolveRef(ctx, r.Repo.ID, r.Ref)
	if errors.Is(err, git.ErrNotFound) || (err == nil && resolved.FullRef == "") {
		return event{}, fault.NotFound("ref %q doesn't exist", r.Ref)
	}
	if err != nil {
		return event{}, err
	}
	others := s.newOtherRepos()
	found, err := s.dispatched(ctx, r, resolved.Commit, others)
	if err != nil {
		return event{}, err
	}
	commit, err := s.Git.Commit(ctx, r.Repo.ID, resolved.Commit)
	return event{
		name: eventDispatch, repo: r.Repo, actor: r.Actor, ref: resolved.FullRef, commit: commit, file: found.file, source: found.source,
		others: others,
	}, err
}

// dispatched finds the workflow file of a dispatch. Only files of the repository itself can be disabled.
func (s *Service) dispatched(ctx context.Context, r DispatchRequest, sha string, others *otherRepos) (sourced, error) {
	if r.SourceRepoID != 0 {
		return others.scopedFile(ctx, r.Repo, r.SourceRepoID, r.Workflow)
	}
	file, err := s.findFile(ctx, r.Repo, sha, r.Workflow)
	if err != nil {
		return sourced{}, err
	}
	disabled, err := s.DB.IsWorkflowDisabled(ctx, r.Repo.ID, file.Name)
	if err != nil {
		return sourced{}, err
	}
	if disabled {
		return sourced{}, fault.Forbidden("workflow is disabled")
	}
	return sourced{file: file}, nil
}

// refresh fetches a repository that lives outside.
func (s *Service) refresh(ctx context.Context, repo *db.Repository) error {
	if repo.CloneURL == "" {
		return nil
	}
	if err := s.Git.Mirror(ctx, repo.ID, git.MirrorRequest{URL: repo.CloneURL}); err != nil {
		return fault.Wrap(fault.CodeUnavailable, err, "the outside repository cannot be fetched")
	}
	return nil
}

func (s *Service) findFile(ctx context.Context, repo *db.Repository, sha, name string) (git.File, error) {
	set, err := s.Git.WorkflowFiles(ctx, repo.ID, sha, nil)
	if err != nil {
		return git.File{}, err
	}
	for _, f := range set.Files {
		if f.Name == name {
			return f, nil
		}
	}
	return git.File{}, fault.NotFound("workflow %q doesn't exist", name)
}

// resolveInputs fills in defaults and types, and makes the payload. A file that cannot be read tells nothing of its inputs: its run
// fails with the reason, and they need only not be too many or too long.
func (s *Service) resolveInputs(ctx context.Context, e *event, r DispatchRequest) error {
	if err := inputFault(workflowfile.CheckInputSize(r.Inputs)); err != nil {
		return err
	}
	strings := r.Inputs
	if w, err := s.parse(e.file); err == nil {
		if !w.On.Has(eventDispatch) {
			return fault.Unprocessable("workflow %q has no workflow_dispatch trigger", e.file.Name)
		}
		values, texts, err := w.ResolveInputs(r.Inputs)
		if err != nil {
			return inputFault(err)
		}
		if err := s.checkEnvironments(ctx, r.Repo, w.On.Dispatch.Inputs, texts); err != nil {
			return err
		}
		e.inputs, strings = values, texts
	}
	e.payload = map[string]any{
		"workflow":   e.file.Path,
		"ref":        e.ref,
		"inputs":     strings,
		"repository": s.repository(e.repo),
		"sender":     s.user(e.actor),
	}
	return nil
}

// inputFault turns an InputError into what the client hears: it names an input, or all of them.
func inputFault(err error) error {
	var wrong *workflowfile.InputError
	if !errors.As(err, &wrong) {
		return err
	}
	field := "inputs"
	if wrong.Input != "" {
		field += "." + wrong.Input
	}
	return fault.Unprocessable("%s", wrong.Message).In(field)
}

// checkEnvironments wants inputs of the type environment to name one of the repository, so that no misspelt name passes
// by the rules of the one that was meant. A repository without environments has no rules, and takes any name.
func (s *Service) checkEnvironments(ctx context.Context, repo *db.Repository, inputs []workflowfile.Input, texts map[string]string) error {
	for _, in := range inputs {
		name := texts[in.Name]
		if in.Type != "environment" || name == "" {
			continue
		}
		known, err := s.DB.KnownEnvironment(ctx, repo.ID, name)
		if err != nil {
			return err
		}
		if !known {
			return inputFault(&workflowfile.InputError{Input: in.Name, Message: fmt.Sprintf("environment %q doesn't exist", name)})
		}
	}
	return nil
}
