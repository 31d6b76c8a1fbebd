package workflowfile

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"
)

// Uses says where a called workflow is (execution-semantics.md §10).
type Uses struct {
	// Local: the file is in the repository of the calling file, at the same commit. Owner, Repo and Ref are empty.
	Local       bool
	Owner, Repo string
	Path        string // without a slash in front
	Ref         string
}

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// ParseUses reads the `uses` of a job: `./dir/file.yml` or `owner/repo/dir/file.yml@ref`.
func ParseUses(text string) (Uses, error) {
	switch {
	case text == "":
		return Uses{}, errors.New("`uses` is empty")
	case len(text) > MaxUsesBytes:
		return Uses{}, fmt.Errorf("`uses` is longer than %d bytes", MaxUsesBytes)
	case strings.Contains(text, "${{"):
		return Uses{}, errors.New("`uses` of a job cannot be an expression")
	}
	if local, ok := strings.CutPrefix(text, "./"); ok {
		return Uses{Local: true, Path: local}, checkPath(local)
	}
	return parseRemoteUses(text)
}

func parseRemoteUses(text string) (Uses, error) {
	where, ref, found := strings.Cut(text, "@")
	parts := strings.SplitN(where, "/", 3)
	if !found || len(parts) < 3 || strings.Contains(where, ":") {
		return Uses{}, errors.New("`uses` of a job must be ./path/file.yml or owner/repo/path/file.yml@ref")
	}
	u := Uses{Owner: parts[0], Repo: parts[1], Path: parts[2], Ref: ref}
	for _, name := range parts[:2] {
		if !repositoryName.MatchString(name) || name == "." || name == ".." {
			return Uses{}, fmt.Errorf("`uses` of a job: %q cannot name an owner or a repository", name)
		}
	}
	if !plainRef(ref) {
		return Uses{}, fmt.Errorf("`uses` of a job: %q cannot name a branch, tag or commit", ref)
	}
	return u, checkPath(u.Path)
}

// plainRef keeps out what git would read as something else than the name of one commit.
func plainRef(ref string) bool {
	return ref != "" && len(ref) <= 255 && !strings.HasPrefix(ref, "-") && !strings.HasPrefix(ref, "/") && !strings.HasSuffix(ref, "/") &&
		!strings.Contains(ref, "..") && !strings.Contains(ref, "@{") && !strings.ContainsAny(ref, " ~^:?*[") && !strings.ContainsFunc(ref, odd)
}

// checkPath holds that a path is one of a workflow file and stays inside its repository.
func checkPath(file string) error {
	if ext := path.Ext(file); ext != ".yml" && ext != ".yaml" {
		if strings.Contains(file, "@") {
			return errors.New("`uses` of a job: a file of the same repository has no @ref")
		}
		return errors.New("`uses` of a job must name a file that ends with .yml or .yaml")
	}
	if path.Clean(file) != file || strings.HasPrefix(file, "/") || strings.HasPrefix(file, "../") || strings.ContainsFunc(file, odd) {
		return fmt.Errorf("`uses` of a job: %q is not a plain path", file)
	}
	return nil
}

// odd are characters that stand in no name of a file or branch.
func odd(r rune) bool { return r < ' ' || r == 0x7F || r == '\\' || r == '\uFFFD' }
