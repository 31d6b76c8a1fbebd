package trigger

import (
	"context"
	"errors"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

// Workflow is a workflow file on the default branch of a repository.
type Workflow struct {
	File     string // its id
	Path     string
	Name     string // of the workflow, or the file name
	Branch   string
	SHA      string // commit
	Changed  time.Time
	Disabled bool
}

// Workflows lists the workflow files on the default branch, valid or not; none when nothing was pushed yet.
func (s *Service) Workflows(ctx context.Context, repo *db.Repository) ([]Workflow, error) {
	if err := s.refresh(ctx, repo); err != nil {
		return nil, err
	}
	head, err := s.Git.ResolveRef(ctx, repo.ID, "refs/heads/"+repo.DefaultBranch)
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	commit, err := s.Git.Commit(ctx, repo.ID, head.Commit)
	if err != nil {
		return nil, err
	}
	set, err := s.Git.WorkflowFiles(ctx, repo.ID, head.Commit, nil)
	if err != nil {
		return nil, err
	}
	disabled, err := s.DB.DisabledWorkflows(ctx, repo.ID)
	if err != nil {
		return nil, err
	}
	out := make([]Workflow, len(set.Files))
	for i, f := range set.Files {
		out[i] = Workflow{
			File: f.Name, Path: f.Path, Name: s.workflowName(f), Branch: repo.DefaultBranch, SHA: commit.SHA,
			Changed: commit.Author.When, Disabled: disabled[f.Name],
		}
	}
	return out, nil
}

func (s *Service) workflowName(f git.File) string {
	if w, err := s.parse(f); err == nil && w.Name != "" {
		return w.Name
	}
	return f.Name
}

// Workflow returns one workflow file of the default branch. Fault: 404.
func (s *Service) Workflow(ctx context.Context, repo *db.Repository, file string) (*Workflow, error) {
	all, err := s.Workflows(ctx, repo)
	if err != nil {
		return nil, err
	}
	for _, w := range all {
		if w.File == file {
			return &w, nil
		}
	}
	return nil, fault.NotFound("workflow %q doesn't exist", file)
}

// SetWorkflowDisabled turns a workflow off or on; repeating it changes nothing. Fault: 404.
func (s *Service) SetWorkflowDisabled(ctx context.Context, repo *db.Repository, file string, disabled bool) error {
	if _, err := s.Workflow(ctx, repo, file); err != nil {
		return err
	}
	return s.DB.SetWorkflowDisabled(ctx, repo.ID, file, disabled)
}
