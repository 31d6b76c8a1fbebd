package trigger

import (
	"context"
	"errors"
	"fmt"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

// maxShownFile is the largest file whose content is shown; of a larger one there is only the name.
const maxShownFile = 1 << 20

// Content is a file with its content, or a directory with what is in it.
type Content struct {
	Entry   git.Entry
	Commit  git.Commit
	Data    []byte      // of a file of at most 1 MiB
	Entries []git.Entry // of a directory
}

// Content reads a path of a ref; the empty path is the root. Fault: 404.
func (s *Service) Content(ctx context.Context, repo *db.Repository, ref, path string) (Content, error) {
	commit, err := s.Commit(ctx, repo, ref)
	if err != nil {
		return Content{}, err
	}
	c := Content{Commit: commit, Entry: git.Entry{Type: git.EntryDirectory}}
	if path != "" {
		if c.Entry, err = s.Git.Entry(ctx, repo.ID, commit.SHA, path); err != nil {
			return Content{}, pathFault(err, path)
		}
	}
	switch {
	case c.Entry.Type == git.EntryDirectory:
		c.Entries, err = s.Git.Entries(ctx, repo.ID, commit.SHA, path)
	case c.Entry.Type == git.EntryFile && c.Entry.Size <= maxShownFile:
		c.Data, err = s.Git.ReadFile(ctx, repo.ID, commit.SHA, path, maxShownFile)
	}
	return c, pathFault(err, path)
}

// pathFault says that a path is not there, or that nothing could be.
func pathFault(err error, path string) error {
	if errors.Is(err, git.ErrNotFound) || errors.Is(err, git.ErrInvalid) {
		return fault.NotFound("path %q doesn't exist", path)
	}
	return err
}

// FileChange writes one file on a branch, or removes it.
type FileChange struct {
	Repo         *db.Repository
	Actor        *db.Owner
	Branch, Path string
	Data         []byte // nil removes
	// Was is the blob that the file has to be before; empty says that it is not there yet.
	Was     string
	Message string
	Author  git.Signature
}

// ChangeFile makes a commit, and the runs of the push that it is. Faults: 403 for a repository that lives outside, 404
// for a branch or file that is not there, 422 for a file that is there, that was changed meanwhile, or that cannot be.
func (s *Service) ChangeFile(ctx context.Context, c FileChange) (git.Commit, error) {
	if c.Repo.CloneURL != "" {
		return git.Commit{}, fault.Forbidden("this repository lives elsewhere, push there")
	}
	push, err := s.BeginPush(ctx, c.Repo, c.Actor)
	if err != nil {
		return git.Commit{}, err
	}
	// From here on the client may go away: what git has becomes events. What fails is finished by the reconciler.
	ctx = context.WithoutCancel(ctx)
	update, err := s.changeLocked(ctx, c)
	if end := s.EndPush(ctx, c.Repo, push); end != nil {
		s.Logger.WarnContext(ctx, "push becomes events later", "repository", c.Repo.ID, "error", end)
	}
	if err != nil {
		return git.Commit{}, err
	}
	return s.Git.Commit(ctx, c.Repo.ID, update.New)
}

// changeLocked commits and handles the push under the lock of the repository, in whose order pushes make their runs.
func (s *Service) changeLocked(ctx context.Context, c FileChange) (git.RefUpdate, error) {
	unlock, err := s.lock(ctx, c.Repo, endWait)
	if errors.Is(err, errBusy) {
		err = fault.Wrap(fault.CodeUnavailable, err, "the repository is being pushed to")
	}
	if err != nil {
		return git.RefUpdate{}, err
	}
	defer unlock()
	parent, err := s.parentOf(ctx, c)
	if err != nil {
		return git.RefUpdate{}, err
	}
	update, err := s.Git.CommitFiles(ctx, c.Repo.ID, git.Change{
		Branch: c.Branch, Parent: parent, Files: map[string][]byte{c.Path: c.Data}, Message: c.Message, Author: c.Author,
	})
	if errors.Is(err, git.ErrInvalid) {
		return git.RefUpdate{}, fault.Unprocessable("path %q cannot be a file", c.Path)
	}
	if err != nil {
		return git.RefUpdate{}, err
	}
	if err := s.Push(ctx, c.Repo, c.Actor, []git.RefUpdate{update}); err != nil {
		s.Logger.WarnContext(ctx, "push becomes events later", "repository", c.Repo.ID, "error", err)
	}
	return update, nil
}

// parentOf is the commit that the change goes on from, where the file is as the client thinks. A repository without
// commits gets its first one on the default branch.
func (s *Service) parentOf(ctx context.Context, c FileChange) (string, error) {
	head, err := s.Git.ResolveRef(ctx, c.Repo.ID, branchPrefix+c.Branch)
	if errors.Is(err, git.ErrNotFound) {
		return "", s.mayBegin(ctx, c)
	}
	if err != nil {
		return "", err
	}
	found, err := s.Git.Entry(ctx, c.Repo.ID, head.Commit, c.Path)
	switch {
	case errors.Is(err, git.ErrInvalid):
		return "", fault.Unprocessable("path %q cannot be a file", c.Path)
	case errors.Is(err, git.ErrNotFound) && c.Was == "":
		return head.Commit, nil
	case errors.Is(err, git.ErrNotFound):
		return "", fault.NotFound("repository file does not exist [path: %s]", c.Path)
	case err != nil:
		return "", err
	case c.Was == "":
		return "", fault.Unprocessable("repository file already exists [path: %s]", c.Path)
	case found.SHA != c.Was || found.Type != git.EntryFile:
		return "", fault.Unprocessable("sha does not match [given: %s, expected: %s]", c.Was, found.SHA)
	}
	return head.Commit, nil
}

func (s *Service) mayBegin(ctx context.Context, c FileChange) error {
	refs, err := s.Git.Refs(ctx, c.Repo.ID)
	if err != nil {
		return fmt.Errorf("refs of %s: %w", c.Repo.FullName(), err)
	}
	switch {
	case len(refs) > 0 || c.Branch != c.Repo.DefaultBranch:
		return fault.NotFound("branch %q doesn't exist", c.Branch)
	case c.Was != "":
		return fault.NotFound("repository file does not exist [path: %s]", c.Path)
	}
	return nil
}
