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

// callWalk finds the workflow files that the file of a run calls, directly or not, so that the run never depends on
// what becomes of other repositories later. Whatever cannot be had is written down as a problem of its `uses`, which
// fails the job that calls when its time comes; only outages are errors.
type callWalk struct {
	s     *Service
	find  *calledPlaces
	files []*db.AttemptFile
	// read are the files that were looked at, by place.
	read map[string]*calledFile
}

// calledFile is a file that was looked at: one of the run's, or one that cannot be.
type calledFile struct {
	n       int
	below   int // levels of calls below it
	problem string
}

// calledFiles returns the files of an attempt: its own, and all that it calls. The readers are the owners in whose name
// other repositories may be read.
func (o *otherRepos) calledFiles(ctx context.Context, readers []*db.Owner, own *db.AttemptFile, w *workflowfile.Workflow) ([]*db.AttemptFile, error) {
	own.N = 0
	find := &calledPlaces{s: o.s, readers: readers, others: o, known: map[string]place{}}
	c := &callWalk{s: o.s, find: find, files: []*db.AttemptFile{own}, read: map[string]*calledFile{}}
	_, err := c.walk(ctx, own, w, []place{{repo: own.RepoID, path: own.Path}})
	return c.files, err
}

// walk finds what a file calls, and returns how many levels of calls are below it. The chain leads from the run's own
// file to this one.
func (c *callWalk) walk(ctx context.Context, from *db.AttemptFile, w *workflowfile.Workflow, chain []place) (below int, err error) {
	from.Calls = map[string]db.CallTarget{}
	for _, site := range w.Calls() {
		if _, known := from.Calls[site.Uses]; known {
			continue
		}
		to, err := c.follow(ctx, from, site.Uses, chain)
		if err != nil {
			return 0, err
		}
		target := db.CallTarget{File: to.n}
		if to.problem != "" {
			target = db.CallTarget{Problem: fmt.Sprintf("%s:%d:%d: reusable workflow %q %s", from.Path, site.At.Line, site.At.Column, site.Uses, to.problem)}
		} else {
			below = max(below, to.below+1)
		}
		from.Calls[site.Uses] = target
	}
	return below, nil
}

// follow finds what one `uses` leads to.
func (c *callWalk) follow(ctx context.Context, from *db.AttemptFile, uses string, chain []place) (calledFile, error) {
	p, err := c.find.place(ctx, from, uses)
	if err != nil || p.problem != "" {
		return calledFile{problem: p.problem}, err
	}
	if cycle := cycleThrough(chain, p); cycle != "" {
		return calledFile{problem: "calls itself: " + cycle}, nil
	}
	tooDeep := calledFile{problem: fmt.Sprintf("is nested too deeply: at most %d levels of calls are allowed", ci.MaxCallDepth)}
	if len(chain) > ci.MaxCallDepth {
		return tooDeep, nil
	}
	file, err := c.readOnce(ctx, p, chain)
	if err != nil {
		return calledFile{}, err
	}
	if len(chain)+file.below > ci.MaxCallDepth {
		return tooDeep, nil
	}
	return *file, nil
}

// readOnce reads a file and what it calls, unless that was done before.
func (c *callWalk) readOnce(ctx context.Context, p place, chain []place) (*calledFile, error) {
	if file, known := c.read[p.key()]; known {
		return file, nil
	}
	if len(c.read) == ci.MaxCalledFiles {
		return &calledFile{problem: fmt.Sprintf("is one too many: a run may call %d different ones", ci.MaxCalledFiles)}, nil
	}
	file := &calledFile{}
	c.read[p.key()] = file
	content, w, problem, err := c.content(ctx, p)
	if err != nil || problem != "" {
		file.problem = problem
		return file, err
	}
	row := &db.AttemptFile{
		N: len(c.files), RepoID: p.repo, Repository: p.repository, Path: p.path, Ref: p.ref, SHA: p.sha, Content: content,
	}
	c.files = append(c.files, row)
	file.n = row.N
	file.below, err = c.walk(ctx, row, w, append(chain[:len(chain):len(chain)], p))
	return file, err
}

// content reads and checks a called file.
func (c *callWalk) content(ctx context.Context, p place) (content []byte, w *workflowfile.Workflow, problem string, err error) {
	content, err = c.s.Git.ReadFile(ctx, p.repo, p.sha, p.path, workflowfile.MaxFileBytes)
	switch {
	case errors.Is(err, git.ErrNotFound):
		return nil, nil, "was not found: there is no such file at " + p.at(), nil
	case errors.Is(err, git.ErrTooLarge):
		return nil, nil, "is larger than 1 MiB", nil
	case errors.Is(err, git.ErrInvalid):
		return nil, nil, "was not found: its path is malformed", nil
	case err != nil:
		return nil, nil, "", err
	}
	w, err = c.s.parseContent(p.path, content)
	var invalid *workflowfile.Error
	switch {
	case errors.As(err, &invalid):
		return nil, nil, "is invalid: " + summary(invalid), nil
	case err != nil:
		return nil, nil, "", err
	case !w.Callable():
		return nil, nil, "cannot be called: it has no `on: workflow_call`", nil
	}
	return content, w, "", nil
}

// summary shows the first problems of a file in one line.
func summary(invalid *workflowfile.Error) string {
	const most = 3
	var texts []string
	for i, p := range invalid.Problems {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(invalid.Problems)-most))
			break
		}
		texts = append(texts, p.String())
	}
	return strings.Join(texts, "; ")
}

// cycleThrough shows the way from a file of the chain back to itself, if the next place is one of the chain.
func cycleThrough(chain []place, next place) string {
	for i, p := range chain {
		if p.repo != next.repo || p.path != next.path {
			continue
		}
		var paths []string
		for _, q := range append(chain[i:len(chain):len(chain)], next) {
			paths = append(paths, q.path)
		}
		return strings.Join(paths, " -> ")
	}
	return ""
}
