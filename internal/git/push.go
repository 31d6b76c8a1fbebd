package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	defaultPushCommits = 20
	maxPushCommits     = 100
	maxCountedCommits  = 10_000
	maxNamesPerList    = 300
	maxPushChanges     = 50_000
)

// RefUpdate is one ref that a push changed.
type RefUpdate struct {
	Old, New string // sha as stored; ZeroSHA when the ref was created or deleted
	Ref      string // full name
}

// Created reports whether the ref is new.
func (u RefUpdate) Created() bool { return u.Old == ZeroSHA }

// Deleted reports whether the ref is gone.
func (u RefUpdate) Deleted() bool { return u.New == ZeroSHA }

// PushCommit is one commit of a push payload. Each list holds at most 300 names.
type PushCommit struct {
	Commit
	Added, Removed, Modified []string // against the first parent
}

// PushCommits lists the commits that a push brought, newest first, at most limit (0 means 20, never
// more than 100), and counts them up to 10,000. A new branch brings what the default branch has not;
// a deleted ref brings nothing. When the old commit is gone, only the new one is listed.
func (s *Store) PushCommits(ctx context.Context, id int64, u RefUpdate, limit int) (commits []PushCommit, total int, err error) {
	if u.Deleted() {
		return nil, 0, nil
	}
	if limit <= 0 {
		limit = defaultPushCommits
	}
	lines, err := s.pushedLines(ctx, id, u)
	if err != nil {
		return nil, 0, err
	}
	total = len(lines)
	lines = lines[:min(total, limit, maxPushCommits)]
	if len(lines) == 0 {
		return nil, total, nil
	}
	commits, err = s.describePush(ctx, id, lines)
	return commits, total, err
}

// pushedLines returns "commit parent..." lines, newest first.
func (s *Store) pushedLines(ctx context.Context, id int64, u RefUpdate) ([]string, error) {
	if err := checkSHA(u.New); err != nil {
		return nil, err
	}
	exclude, err := s.pushBase(ctx, id, u)
	if err != nil {
		return nil, err
	}
	lines, err := s.listCommits(ctx, id, maxCountedCommits, u.New, exclude)
	err = s.explain(ctx, id, err, u.New, u.Old)
	if missing(err, u.Old) {
		return s.listCommits(ctx, id, 1, u.New, nil)
	}
	return lines, err
}

func (s *Store) listCommits(ctx context.Context, id int64, limit int, from string, exclude []string) ([]string, error) {
	args := []string{"rev-list", "--parents", "--topo-order", fmt.Sprintf("--max-count=%d", limit), "--end-of-options", from}
	out, err := s.git(ctx, id, append(args, exclude...)...)
	return strings.Fields(strings.ReplaceAll(string(out), " ", ",")), err
}

// pushBase excludes what was there before the push; empty means that nothing was.
func (s *Store) pushBase(ctx context.Context, id int64, u RefUpdate) ([]string, error) {
	if !u.Created() {
		return []string{"^" + u.Old}, checkSHA(u.Old)
	}
	branch, err := s.DefaultBranch(ctx, id)
	if err != nil || branchPrefix+branch == u.Ref {
		return nil, err
	}
	base, err := s.ResolveRef(ctx, id, branchPrefix+branch)
	if errors.Is(err, ErrNotFound) { // An unborn default branch holds nothing.
		return nil, nil
	}
	return []string{"^" + base.Commit}, err
}

func (s *Store) describePush(ctx context.Context, id int64, lines []string) ([]PushCommit, error) {
	shas := make([]string, len(lines))
	pairs := make([]string, len(lines)) // commit and first parent only: a merge is shown against it
	for i, line := range lines {
		fields := strings.Split(line, ",")
		shas[i] = fields[0]
		pairs[i] = strings.Join(fields[:min(2, len(fields))], " ")
	}
	details, err := s.commits(ctx, id, shas)
	if err != nil {
		return nil, err
	}
	commits := make([]PushCommit, len(details))
	index := map[string]*PushCommit{}
	for i, commit := range details {
		commits[i].Commit = commit
		index[commit.SHA] = &commits[i]
	}
	return commits, s.changesPerCommit(ctx, id, pairs, index)
}

// changesPerCommit fills in the changed names of all commits in one process.
func (s *Store) changesPerCommit(ctx context.Context, id int64, pairs []string, commits map[string]*PushCommit) error {
	c, err := s.command(id, "diff-tree", "--stdin", "-r", "-z", "--name-status", "--no-renames", "--no-ext-diff", "--root")
	if err != nil {
		return err
	}
	c.stdin = strings.NewReader(strings.Join(pairs, "\n") + "\n")
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	p := changeParser{commits: commits}
	return s.run.stream(ctx, c, func(stdout io.Reader) error { return eachRecord(stdout, p.record) })
}

// changeParser reads the records of git diff-tree --stdin -z --name-status: a commit, then pairs of a
// status letter and a name.
type changeParser struct {
	commits map[string]*PushCommit
	current *PushCommit
	status  string
	changes int
}

func (p *changeParser) record(text string) error {
	switch {
	case p.status != "":
		p.add(cleanText(text))
		p.status = ""
		p.changes++
	case len(text) == 1:
		p.status = text
	default:
		p.current = p.commits[text]
	}
	if p.changes == maxPushChanges {
		return errStop
	}
	return nil
}

func (p *changeParser) add(name string) {
	if p.current == nil {
		return
	}
	list := &p.current.Modified
	switch p.status {
	case "A":
		list = &p.current.Added
	case "D":
		list = &p.current.Removed
	}
	if len(*list) < maxNamesPerList {
		*list = append(*list, name)
	}
}
