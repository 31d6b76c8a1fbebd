package trigger

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

// Commit is the commit that a branch, tag, full ref or sha stands for. Fault: 404.
func (s *Service) Commit(ctx context.Context, repo *db.Repository, ref string) (git.Commit, error) {
	if err := s.refresh(ctx, repo); err != nil {
		return git.Commit{}, err
	}
	resolved, err := s.Git.ResolveRef(ctx, repo.ID, ref)
	if errors.Is(err, git.ErrNotFound) {
		return git.Commit{}, fault.NotFound("ref %q doesn't exist", ref)
	}
	if err != nil {
		return git.Commit{}, err
	}
	return s.Git.Commit(ctx, repo.ID, resolved.Commit)
}

// Branch is a branch with its latest commit.
type Branch struct {
	Name   string
	Commit git.Commit
}

const branchPrefix = "refs/heads/"

// Branch returns one branch. Fault: 404.
func (s *Service) Branch(ctx context.Context, repo *db.Repository, name string) (Branch, error) {
	commit, err := s.Commit(ctx, repo, branchPrefix+name)
	if fault.Has(err, fault.CodeNotFound) {
		return Branch{}, fault.NotFound("branch %q doesn't exist", name)
	}
	return Branch{Name: name, Commit: commit}, err
}

// Branches returns a page of the branches by name, and how many there are.
func (s *Service) Branches(ctx context.Context, repo *db.Repository, p db.Page) ([]Branch, int, error) {
	if err := s.refresh(ctx, repo); err != nil {
		return nil, 0, err
	}
	refs, err := s.Git.Refs(ctx, repo.ID)
	if err != nil {
		return nil, 0, err
	}
	var names []string
	for ref := range refs {
		if name, ok := strings.CutPrefix(ref, branchPrefix); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	from := min(p.Offset, len(names))
	out := []Branch{}
	for _, name := range names[from:min(from+p.Limit, len(names))] {
		commit, err := s.Git.Commit(ctx, repo.ID, refs[branchPrefix+name])
		if err != nil {
			return nil, 0, err
		}
		out = append(out, Branch{Name: name, Commit: commit})
	}
	return out, len(names), nil
}
