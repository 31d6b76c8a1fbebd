package git

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
)

// RefType says what a name was resolved to.
type RefType string

// The kinds of refs.
const (
	RefBranch RefType = "branch" // refs/heads/...
	RefTag    RefType = "tag"    // refs/tags/...
	RefPull   RefType = "pull"   // refs/pull/...
	RefOther  RefType = "other"  // any other full ref
	RefCommit RefType = "commit" // a bare sha
)

// Resolved is what a name stands for at this moment.
type Resolved struct {
	FullRef string // "" for a bare sha
	Commit  string // annotated tags are followed to the commit
	Type    RefType
}

// ResolveRef finds the commit of a full ref, a bare branch name, a bare tag name (when there is no such
// branch) or a full sha of a commit or annotated tag. A malformed name is [ErrNotFound] as well: no such
// ref can exist.
func (s *Store) ResolveRef(ctx context.Context, id int64, ref string) (Resolved, error) {
	if IsSHA(strings.ToLower(ref)) {
		commit, err := s.peel(ctx, id, strings.ToLower(ref))
		return Resolved{Commit: commit, Type: RefCommit}, err
	}
	names := candidates(ref)
	if len(names) == 0 {
		return Resolved{}, notFoundRef(ref)
	}
	if sha, ok := s.looseBranch(id, names[0]); ok {
		return Resolved{FullRef: names[0], Commit: sha, Type: RefBranch}, nil
	}
	return s.resolveListed(ctx, id, ref, names)
}

// candidates lists the full refs that a name may mean, best first.
func candidates(ref string) []string {
	names := []string{ref}
	if !strings.HasPrefix(ref, "refs/") {
		names = []string{branchPrefix + ref, tagPrefix + ref}
	}
	if CheckRefName(names[0]) != nil {
		return nil
	}
	return names
}

// looseBranch reads a branch without starting a process, which is most of what a dispatch costs. Git
// replaces the file of a ref in one step; a branch that is packed, or kept otherwise, has no such file.
func (s *Store) looseBranch(id int64, full string) (sha string, ok bool) {
	if !strings.HasPrefix(full, branchPrefix) {
		return "", false
	}
	path := filepath.Join(s.layout.repository(id), filepath.FromSlash(full))
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(shaLength+1) {
		return "", false
	}
	text, err := os.ReadFile(path)
	sha = strings.TrimSuffix(string(text), "\n")
	return sha, err == nil && IsSHA(sha)
}

// refLine is one ref as git lists it.
type refLine struct {
	name, kind, sha       string
	peeledKind, peeledSHA string // of an annotated tag
}

const refFormat = "--format=%(refname)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)"

func (s *Store) resolveListed(ctx context.Context, id int64, ref string, names []string) (Resolved, error) {
	out, err := s.git(ctx, id, append([]string{"for-each-ref", refFormat, "--"}, names...)...)
	if err != nil {
		return Resolved{}, err
	}
	lines := parseRefLines(out)
	for _, name := range names {
		for _, line := range lines {
			if line.name == name {
				return s.peelLine(ctx, id, line)
			}
		}
	}
	return Resolved{}, notFoundRef(ref)
}

func (s *Store) peelLine(ctx context.Context, id int64, line refLine) (Resolved, error) {
	resolved := Resolved{FullRef: line.name, Type: refType(line.name)}
	switch "commit" {
	case line.kind:
		resolved.Commit = line.sha
	case line.peeledKind:
		resolved.Commit = line.peeledSHA
	default: // A tag of a tag, or of something that is no commit.
		commit, err := s.peel(ctx, id, line.sha)
		if err != nil {
			return Resolved{}, err
		}
		resolved.Commit = commit
	}
	return resolved, nil
}

// peel follows a sha to the commit.
func (s *Store) peel(ctx context.Context, id int64, sha string) (string, error) {
	var commit string
	err := s.objects(ctx, id, []string{sha + "^{commit}"}, true, func(o object) error {
		commit = o.sha
		return nil
	})
	if err != nil {
		return "", err
	}
	if commit == "" {
		return "", notFoundCommit(sha)
	}
	return commit, nil
}

// Refs lists every ref with the sha that it holds; for an annotated tag that is the tag object, as in
// [RefUpdate]. More than 64 MiB of refs is [ErrTooLarge].
func (s *Store) Refs(ctx context.Context, id int64) (map[string]string, error) {
	out, err := s.git(ctx, id, "for-each-ref", "--format=%(objectname) %(refname)")
	if err != nil {
		return nil, err
	}
	refs := map[string]string{}
	for line := range strings.Lines(string(out)) {
		sha, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		refs[name] = sha
	}
	return refs, nil
}

func parseRefLines(out []byte) (lines []refLine) {
	for line := range bytes.Lines(out) {
		fields := strings.Split(strings.TrimSuffix(string(line), "\n"), "\x00")
		if len(fields) == 5 {
			lines = append(lines, refLine{fields[0], fields[1], fields[2], fields[3], fields[4]})
		}
	}
	return lines
}

func refType(full string) RefType {
	switch {
	case strings.HasPrefix(full, branchPrefix):
		return RefBranch
	case strings.HasPrefix(full, tagPrefix):
		return RefTag
	case strings.HasPrefix(full, pullPrefix):
		return RefPull
	}
	return RefOther
}

func notFoundRef(name string) error   { return &NotFoundError{Kind: "ref", Name: name} }
func notFoundCommit(sha string) error { return &NotFoundError{Kind: "commit", Name: sha} }
