package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ErrMoved says that a branch is not where a change begins.
var ErrMoved = errors.New("the branch has moved")

// Change is one commit to be made by the server itself.
type Change struct {
	Branch string // bare name
	// Parent is the commit that the branch has; empty for a branch that is not there yet.
	Parent string
	// Files are written, by path; nil content removes the file.
	Files   map[string][]byte
	Message string
	// Author is the committer too.
	Author Signature
}

// CommitFiles adds a commit to a branch, all of it or nothing, and returns how the branch has moved. A caller whose
// commits start workflows holds the lock of the repository meanwhile, as pushes do. Errors: [ErrInvalid], also for a
// path that is below a file or is a directory; [ErrMoved].
func (s *Store) CommitFiles(ctx context.Context, id int64, c Change) (RefUpdate, error) {
	if err := c.check(); err != nil {
		return RefUpdate{}, err
	}
	dir, err := os.MkdirTemp(s.layout.tmp(), "commit-")
	if err != nil {
		return RefUpdate{}, fmt.Errorf("commit to repository %d: %w", id, err)
	}
	defer os.RemoveAll(dir)
	w := &writer{store: s, id: id, env: append(c.Author.environment(), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))}
	commit, err := w.commit(ctx, c)
	if err != nil {
		return RefUpdate{}, fmt.Errorf("commit to repository %d: %w", id, err)
	}
	u, err := w.move(ctx, c, commit)
	if err == nil && c.Parent != "" { // a first commit needs no packing
		s.upkeep.request(id)
	}
	return u, err
}

func (c Change) check() error {
	if err := CheckBranchName(c.Branch); err != nil {
		return err
	}
	if c.Parent != "" {
		if err := checkSHA(c.Parent); err != nil {
			return err
		}
	}
	for path := range c.Files {
		if err := checkPath(path); err != nil {
			return err
		}
	}
	return nil
}

// environment has git sign a commit so. Characters that git uses itself are left out by git.
func (s Signature) environment() []string {
	when := s.When.Format(time.RFC3339)
	return []string{
		"GIT_AUTHOR_NAME=" + s.Name, "GIT_AUTHOR_EMAIL=" + s.Email, "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=" + s.Name, "GIT_COMMITTER_EMAIL=" + s.Email, "GIT_COMMITTER_DATE=" + when,
	}
}

// writer makes one commit by way of an index of its own.
type writer struct {
	store *Store
	id    int64
	env   []string
}

// git runs a command and returns its one line of output.
func (w *writer) git(ctx context.Context, stdin []byte, args ...string) (string, error) {
	c, err := w.store.command(w.id, args...)
	if err != nil {
		return "", err
	}
	c.env, c.stdin = w.env, bytes.NewReader(stdin)
	out, err := w.store.output(ctx, c)
	return strings.TrimSpace(string(out)), err
}

func (w *writer) commit(ctx context.Context, c Change) (string, error) {
	if c.Parent != "" {
		if _, err := w.git(ctx, nil, "read-tree", c.Parent); err != nil {
			return "", err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(c.Files)) {
		if err := w.stage(ctx, path, c.Files[path]); err != nil {
			return "", err
		}
	}
	tree, err := w.git(ctx, nil, "write-tree")
	if err != nil {
		return "", err
	}
	args := []string{"commit-tree", tree}
	if c.Parent != "" {
		args = append(args, "-p", c.Parent)
	}
	return w.git(ctx, []byte(c.Message), args...)
}

// stage puts one file into the index. What git refuses here is a path that it cannot have.
func (w *writer) stage(ctx context.Context, path string, content []byte) error {
	if content == nil {
		_, err := w.git(ctx, []byte("0 "+ZeroSHA+"\t"+path+"\x00"), "update-index", "-z", "--index-info")
		return err
	}
	blob, err := w.git(ctx, content, "hash-object", "-w", "--stdin")
	if err != nil {
		return err
	}
	_, err = w.git(ctx, nil, "update-index", "--add", "--cacheinfo", "100644,"+blob+","+path)
	var refused *CommandError
	if errors.As(err, &refused) && refused.ExitCode > 0 {
		return invalidf("path %q cannot be a file", path)
	}
	return err
}

// move sets the branch, if it is where the change begins.
func (w *writer) move(ctx context.Context, c Change, commit string) (RefUpdate, error) {
	u := RefUpdate{Ref: branchPrefix + c.Branch, Old: c.Parent, New: commit}
	if u.Old == "" {
		u.Old = ZeroSHA
	}
	_, err := w.git(ctx, nil, "update-ref", u.Ref, u.New, u.Old)
	var refused *CommandError
	if errors.As(err, &refused) && refused.ExitCode > 0 {
		return RefUpdate{}, fmt.Errorf("%w: %w", ErrMoved, err)
	}
	return u, err
}
