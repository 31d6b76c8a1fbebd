package git

import (
	"cmp"
	"context"
	"io"
	"strings"
)

const maxChangedFiles = 3000

// ChangedFiles lists the paths in which the trees of two commits differ, both names of a moved file,
// at most 3,000. For a new ref (before is [ZeroSHA]) the commit is compared with its first parent, or
// with nothing (execution-semantics.md §9.3). When before is not there any more the error is
// [ErrNotFound]: treat path filters as satisfied then.
func (s *Store) ChangedFiles(ctx context.Context, id int64, before, after string) (files []string, truncated bool, err error) {
	trees, err := s.comparison(ctx, id, before, after)
	if err != nil {
		return nil, false, err
	}
	args := []string{"diff-tree", "-r", "-z", "--name-only", "--no-renames", "--no-commit-id", "--no-ext-diff", "--root", "--end-of-options"}
	c, err := s.command(id, append(args, trees...)...)
	if err != nil {
		return nil, false, err
	}
	ctx, cancel := context.WithTimeout(ctx, s.options.CommandTimeout)
	defer cancel()
	err = s.run.stream(ctx, c, func(stdout io.Reader) error {
		return eachRecord(stdout, func(name string) error {
			if len(files) == maxChangedFiles {
				truncated = true
				return errStop
			}
			files = append(files, cleanText(name))
			return nil
		})
	})
	if err != nil {
		return nil, false, s.explain(ctx, id, err, trees...)
	}
	return files, truncated, nil
}

// comparison says which one or two trees to hand to git diff-tree.
func (s *Store) comparison(ctx context.Context, id int64, before, after string) ([]string, error) {
	if err := checkSHA(after); err != nil {
		return nil, err
	}
	if before != ZeroSHA {
		return []string{before, after}, checkSHA(before)
	}
	commit, err := s.Commit(ctx, id, after)
	switch {
	case err != nil:
		return nil, err
	case len(commit.Parents) == 0:
		return []string{commit.SHA}, nil
	}
	return []string{commit.Parents[0], commit.SHA}, nil
}

// MergeBase finds the best common ancestor of two commits; [ErrNotFound] when there is none, or when
// one of them is missing.
func (s *Store) MergeBase(ctx context.Context, id int64, a, b string) (string, error) {
	if err := cmp.Or(checkSHA(a), checkSHA(b)); err != nil {
		return "", err
	}
	out, err := s.git(ctx, id, "merge-base", "--end-of-options", a, b)
	if exitCode(err) == 1 { // git's way to say that there is none
		return "", notFoundCommit("merge base of " + a + " and " + b)
	}
	if err != nil {
		return "", s.explain(ctx, id, err, a, b)
	}
	return strings.TrimSpace(string(out)), nil
}
