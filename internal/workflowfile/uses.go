package workflowfile

import (
	"errors"
	"fmt"
	"net/url"
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
	// Address is the URL of a file as it is written, without its ref. What it means only On can tell: till then Owner,
	// Repo and Path are empty.
	Address string
}

var repositoryName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,100}$`)

// ParseUses reads the `uses` of a job: `./dir/file.yml`, `owner/repo/dir/file.yml@ref`, or the latter behind the address
// of a server.
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
	if isAddress(text) {
		return parseAddress(text)
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

func isAddress(text string) bool {
	scheme, _, found := strings.Cut(text, "://")
	return found && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https"))
}

// parseAddress checks what can be checked without knowing at which address the server is, which may have a path.
func parseAddress(text string) (Uses, error) {
	where, ref, found := strings.Cut(text, "@")
	address, err := url.Parse(where)
	if !found || err != nil || address.Hostname() == "" || strings.Count(address.Path, "/") < 3 || strings.ContainsAny(where, "%?#") {
		return Uses{}, errors.New("the address in `uses` of a job must be https://host/owner/repo/path/file.yml@ref")
	}
	if !plainRef(ref) {
		return Uses{}, fmt.Errorf("`uses` of a job: %q cannot name a branch, tag or commit", ref)
	}
	return Uses{Address: where, Ref: ref}, checkPath(strings.TrimPrefix(address.Path, "/"))
}

// On finds a file given by its address on the server that is at root; other Uses are as they were. Files of other
// servers cannot be called.
func (u Uses) On(root string) (Uses, error) {
	if u.Address == "" {
		return u, nil
	}
	rest, ok := below(root, u.Address)
	if !ok {
		return Uses{}, fmt.Errorf("only workflows of this server (%s) can be called", root)
	}
	return parseRemoteUses(rest + "@" + u.Ref)
}

// below returns what an address has behind that of the server, if it is there.
func below(root, address string) (rest string, ok bool) {
	r, err := url.Parse(root)
	if err != nil {
		return "", false
	}
	a, err := url.Parse(address)
	if err != nil || !strings.EqualFold(r.Scheme, a.Scheme) || !strings.EqualFold(r.Hostname(), a.Hostname()) || port(r) != port(a) {
		return "", false
	}
	return strings.CutPrefix(a.Path, strings.TrimSuffix(r.Path, "/")+"/")
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case strings.EqualFold(u.Scheme, "https"):
		return "443"
	}
	return "80"
}
