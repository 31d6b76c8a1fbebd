package git

import (
	"path"
	"strings"
	"unicode/utf8"
)

const (
	// ZeroSHA stands for "no object": the old side of a created ref, the new side of a deleted one.
	ZeroSHA = "0000000000000000000000000000000000000000"

	branchPrefix = "refs/heads/"
	tagPrefix    = "refs/tags/"
	pullPrefix   = "refs/pull/"

	shaLength     = len(ZeroSHA)
	maxNameLength = 255
	maxPathLength = 4096
)

// IsSHA reports whether s is a full lower-case SHA-1 in hex.
func IsSHA(s string) bool {
	if len(s) != shaLength {
		return false
	}
	return strings.Trim(s, "0123456789abcdef") == ""
}

// CheckRefName checks a full ref name ("refs/heads/main") by the rules of git check-ref-format, and
// that it is below refs/, valid UTF-8 and at most 255 bytes. The error is an [ErrInvalid].
func CheckRefName(full string) error {
	switch {
	case len(full) > maxNameLength:
		return invalidf("ref name is longer than %d bytes", maxNameLength)
	case !utf8.ValidString(full):
		return invalidf("ref name %q is not UTF-8", full)
	case !strings.HasPrefix(full, "refs/") || strings.Count(full, "/") < 2:
		return invalidf("ref name %q is not of the form refs/<kind>/<name>", full)
	case strings.Contains(full, "..") || strings.Contains(full, "@{") || strings.HasSuffix(full, "."):
		return invalidf("ref name %q is malformed", full)
	case strings.ContainsFunc(full, badRefRune):
		return invalidf("ref name %q contains a forbidden character", full)
	}
	for _, part := range strings.Split(full, "/") {
		if part == "" || part[0] == '.' || strings.HasSuffix(part, ".lock") {
			return invalidf("ref name %q is malformed", full)
		}
	}
	return nil
}

// CheckBranchName checks a bare branch name ("main"). Like git branch, it refuses a leading dash and
// the name HEAD, which git itself would allow as a ref.
func CheckBranchName(branch string) error {
	if strings.HasPrefix(branch, "-") || branch == "HEAD" {
		return invalidf("branch name %q is malformed", branch)
	}
	return CheckRefName(branchPrefix + branch)
}

func badRefRune(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune(`~^:?*[\`, r)
}

// checkPath accepts a clean, relative, slash-separated path inside a tree.
func checkPath(p string) error {
	switch {
	case p == "" || p == "." || len(p) > maxPathLength:
		return invalidf("path must have 1 to %d bytes", maxPathLength)
	case p[0] == '/' || p != path.Clean(p) || p == ".." || strings.HasPrefix(p, "../"):
		return invalidf("path %q is not a clean relative path", p)
	case strings.ContainsAny(p, "\x00\n"):
		return invalidf("path %q contains a forbidden character", p)
	}
	return nil
}

func checkSHA(sha string) error {
	if !IsSHA(sha) || sha == ZeroSHA {
		return invalidf("%q is not a full commit sha", sha)
	}
	return nil
}
