package trigger

import (
	"context"
	"errors"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/git"
)

// scopedDir is where a source keeps the workflows that run in other repositories (execution-semantics.md §10.1).
const scopedDir = ".gitea/scoped_workflows"

// source is a repository whose scoped workflows run in others, at the head of its default branch.
type source struct {
	repo     *db.Repository
	ref, sha string
}

// sourced is a workflow file, and where it comes from if not from the repository that it runs in.
type sourced struct {
	file   git.File
	source *source
}

// scopedFiles returns the scoped workflows that run in a repository. A source that is a consumer of itself is one as any.
func (o *otherRepos) scopedFiles(ctx context.Context, repo *db.Repository) ([]sourced, error) {
	sources, err := o.s.DB.ScopedSourcesFor(ctx, repo)
	if err != nil {
		return nil, err
	}
	var all []sourced
	for _, from := range sources {
		files, err := o.filesOfSource(ctx, from)
		if err != nil {
			return nil, err
		}
		all = append(all, files...)
	}
	return all, nil
}

// filesOfSource reads the scoped workflows of a source; none when nothing was pushed to it yet.
func (o *otherRepos) filesOfSource(ctx context.Context, repo *db.Repository) ([]sourced, error) {
	// A source that cannot be fetched goes on as it was, since the pushes of others must not wait for it.
	if _, err := o.fetch(ctx, repo); err != nil {
		return nil, err
	}
	from := &source{repo: repo, ref: "refs/heads/" + repo.DefaultBranch}
	head, err := o.s.Git.ResolveRef(ctx, repo.ID, from.ref)
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	from.sha = head.Commit
	set, err := o.s.Git.WorkflowFiles(ctx, repo.ID, head.Commit, []string{scopedDir})
	if err != nil {
		return nil, err
	}
	files := make([]sourced, len(set.Files))
	for i, file := range set.Files {
		files[i] = sourced{file: file, source: from}
	}
	return files, nil
}

// scopedFile finds one scoped workflow that runs in a repository. Fault: 404.
func (o *otherRepos) scopedFile(ctx context.Context, repo *db.Repository, sourceID int64, name string) (sourced, error) {
	sources, err := o.s.DB.ScopedSourcesFor(ctx, repo)
	if err != nil {
		return sourced{}, err
	}
	for _, from := range sources {
		if from.ID != sourceID {
			continue
		}
		files, err := o.filesOfSource(ctx, from)
		if err != nil {
			return sourced{}, err
		}
		for _, found := range files {
			if found.file.Name == name {
				return found, nil
			}
		}
	}
	return sourced{}, fault.NotFound("workflow %q doesn't exist", name)
}
