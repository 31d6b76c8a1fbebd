package trigger

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/workflowfile"
)

// place is where a called file is, or why it is nowhere.
type place struct {
	repo                       int64
	repository, path, ref, sha string
	problem                    string
}

func (p place) key() string { return fmt.Sprintf("%d %s %s", p.repo, p.sha, p.path) }

// at names the commit of a place as people know it.
func (p place) at() string {
	if name, kind := ci.ShortRef(p.ref); kind != "" {
		return kind + " " + name + " of " + p.repository
	}
	return "commit " + p.sha[:min(len(p.sha), 12)] + " of " + p.repository
}

// calledPlaces finds the commits that the `uses` of a run name, each once.
type calledPlaces struct {
	s       *Service
	readers []*db.Owner
	others  *otherRepos
	known   map[string]place // by `uses`, without the path
}

// place finds where a `uses` leads: into the repository of the file that has it, at the same commit, or into another
// one, at a branch, tag or commit. Only an outage is an error.
func (c *calledPlaces) place(ctx context.Context, from *db.AttemptFile, text string) (place, error) {
	uses, err := workflowfile.ParseUses(text)
	if err == nil {
		uses, err = uses.On(c.s.RootURL)
	}
	if err != nil {
		return place{problem: "cannot be called: " + err.Error()}, nil
	}
	if uses.Local {
		return place{repo: from.RepoID, repository: from.Repository, path: uses.Path, ref: from.Ref, sha: from.SHA}, nil
	}
	p, err := c.commit(ctx, uses)
	p.path = uses.Path
	return p, err
}

// commit answers from memory what was asked before.
func (c *calledPlaces) commit(ctx context.Context, uses workflowfile.Uses) (place, error) {
	key := strings.ToLower(uses.Owner+"/"+uses.Repo) + "@" + uses.Ref
	if p, known := c.known[key]; known {
		return p, nil
	}
	if len(c.known) == ci.MaxCalledFiles {
		return place{problem: fmt.Sprintf("is one too many: a run may call %d different ones", ci.MaxCalledFiles)}, nil
	}
	p, err := c.look(ctx, uses)
	if err == nil {
		c.known[key] = p
	}
	return p, err
}

func (c *calledPlaces) look(ctx context.Context, uses workflowfile.Uses) (place, error) {
	repo, err := c.repository(ctx, uses)
	if errors.Is(err, db.ErrNotFound) {
		return place{problem: "was not found"}, nil // whether there is such a repository is nobody's business
	}
	if err != nil {
		return place{}, err
	}
	if problem, err := c.others.fetch(ctx, repo); err != nil || problem != "" {
		return place{problem: problem}, err
	}
	resolved, err := c.s.Git.ResolveRef(ctx, repo.ID, uses.Ref)
	if errors.Is(err, git.ErrNotFound) {
		return place{problem: fmt.Sprintf("was not found: %s has no branch, tag or commit %q", repo.FullName(), uses.Ref)}, nil
	}
	if err != nil {
		return place{}, err
	}
	p := place{repo: repo.ID, repository: repo.FullName(), ref: resolved.FullRef, sha: resolved.Commit}
	if p.ref == "" {
		p.ref = resolved.Commit
	}
	return p, nil
}

// repository returns a repository that one of the readers may read: a public one, one of the same owner, or one that
// the reader was given. ErrNotFound also stands for one that none may read.
func (c *calledPlaces) repository(ctx context.Context, uses workflowfile.Uses) (*db.Repository, error) {
	for _, reader := range c.readers {
		repo, standing, err := c.s.DB.RepositoryFor(ctx, uses.Owner, uses.Repo, reader.ID)
		if err != nil {
			return nil, err
		}
		as := *reader
		as.IsAdmin = false // whoever may push to an admin's repository is none
		if repo.Access(&as, standing).Permission.Includes(db.PermissionRead) {
			return repo, nil
		}
	}
	return nil, db.ErrNotFound
}
