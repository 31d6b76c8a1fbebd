package ci

import "strings"

// PushFilter is what stands under `on: push`. A nil list means that the key is not there, which is not the
// same as an empty one: `tags: []` alone still keeps branches out.
type PushFilter struct {
	Branches, BranchesIgnore []string
	Tags, TagsIgnore         []string
	Paths, PathsIgnore       []string
}

// NeedsPaths reports whether Match looks at the changed files, so that a caller can spare itself the diff.
func (f PushFilter) NeedsPaths() bool { return f.Paths != nil || f.PathsIgnore != nil }

// Match reports whether a push to the full ref with these changed files starts the workflow
// (execution-semantics.md §9.3). All filters that apply must hold: branch filters apply to branches, tag
// filters to tags, and path filters to everything but tags. When only filters of the other kind are given,
// the ref does not match.
func (f PushFilter) Match(ref string, changed []string) bool {
	branches := refFilter{f.Branches, f.BranchesIgnore}
	tags := refFilter{f.Tags, f.TagsIgnore}
	if name, ok := strings.CutPrefix(ref, "refs/heads/"); ok {
		return branches.match(name, tags) && f.matchPaths(changed)
	}
	if name, ok := strings.CutPrefix(ref, "refs/tags/"); ok {
		return tags.match(name, branches)
	}
	return !branches.given() && !tags.given() && f.matchPaths(changed)
}

func (f PushFilter) matchPaths(changed []string) bool {
	if f.Paths != nil && !MatchFilter(f.Paths, changed) {
		return false
	}
	return f.PathsIgnore == nil || !MatchIgnore(f.PathsIgnore, changed)
}

// refFilter is the pair of filters for one kind of ref.
type refFilter struct{ only, ignore []string }

func (r refFilter) given() bool { return r.only != nil || r.ignore != nil }

// match holds the name of a ref against the filters for its kind; other is the filters for the other kind.
func (r refFilter) match(name string, other refFilter) bool {
	if !r.given() {
		return !other.given()
	}
	input := []string{name}
	return MatchFilter(r.only, input) && !MatchIgnore(r.ignore, input)
}
