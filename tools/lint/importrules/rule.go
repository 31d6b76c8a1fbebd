package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// rule is one compiled rule of depguard.
type rule struct {
	name    string
	strict  bool // true: what is not allowed is denied; false: what is not denied is allowed
	include []matcher
	exclude []matcher
	allow   []string
	deny    []denial
}

// matcher tells whether a rule is meant for a file, whose path is relative to the module, with slashes, and begins
// with one.
type matcher func(path string) bool

func newRule(name string, config ruleConfig) (rule, error) {
	r := rule{name: name, allow: config.Allow, deny: config.Deny}
	switch config.ListMode {
	case "strict":
		r.strict = true
	case "lax":
	default:
		return r, fmt.Errorf("list-mode is %q, not strict or lax", config.ListMode)
	}
	if len(config.Allow)+len(config.Deny) == 0 {
		return r, errors.New("neither allow nor deny has an entry")
	}
	r.addFiles(config.Files)
	return r, nil
}

func (r *rule) addFiles(patterns []string) {
	for _, pattern := range patterns {
		if negated, found := strings.CutPrefix(pattern, "!"); found {
			r.exclude = append(r.exclude, newMatcher(negated))
			continue
		}
		r.include = append(r.include, newMatcher(pattern))
	}
}

func newMatcher(pattern string) matcher {
	switch pattern {
	case "$all":
		return func(string) bool { return true }
	case "$test":
		return func(path string) bool { return strings.HasSuffix(path, "_test.go") }
	default:
		return globExpression(pattern).MatchString
	}
}

// globExpression knows ** for anything and * for anything but a slash, which is all that the rules use.
func globExpression(pattern string) *regexp.Regexp {
	quoted := regexp.QuoteMeta(pattern)
	quoted = strings.ReplaceAll(quoted, `\*\*`, `.*`)
	quoted = strings.ReplaceAll(quoted, `\*`, `[^/]*`)
	return regexp.MustCompile("^" + quoted + "$")
}

// appliesTo says whether the rule is meant for the file; without an including pattern it is meant for all.
func (r *rule) appliesTo(path string) bool {
	return (len(r.include) == 0 || matchesAny(r.include, path)) && !matchesAny(r.exclude, path)
}

func matchesAny(matchers []matcher, path string) bool {
	for _, m := range matchers {
		if m(path) {
			return true
		}
	}
	return false
}

// violations returns a line for each import of the file that the rule forbids.
func (r *rule) violations(file source) []string {
	if !r.appliesTo(file.path) {
		return nil
	}
	var found []string
	for _, imported := range file.imports {
		if reason, forbidden := r.forbids(imported.path); forbidden {
			found = append(found, fmt.Sprintf("%s: import of %s breaks rule %s: %s",
				imported.position, imported.path, r.name, reason))
		}
	}
	return found
}

// forbids weighs the longest entry of each list that matches, as depguard does: in both modes a denial holds unless
// a longer entry allows.
func (r *rule) forbids(imported string) (reason string, forbidden bool) {
	allowed := r.allowedBy(imported)
	denied, reason := r.deniedBy(imported)
	if denied > 0 {
		return reason, allowed <= denied
	}
	return "it is not among the allowed packages", r.strict && allowed == 0
}

// allowedBy is the length of the longest allowing entry, 0 for none.
func (r *rule) allowedBy(imported string) int {
	longest := 0
	for _, entry := range r.allow {
		longest = max(longest, matchLength(entry, imported))
	}
	return longest
}

func (r *rule) deniedBy(imported string) (longest int, reason string) {
	for _, entry := range r.deny {
		if length := matchLength(entry.Pkg, imported); length > longest {
			longest, reason = length, entry.Desc
		}
	}
	return longest, reason
}

// matchLength is the length of what the entry matches: a whole path if it ends in '$', else a prefix. 0 is no match.
func matchLength(entry, imported string) int {
	if exact, found := strings.CutSuffix(entry, "$"); found {
		if exact != imported {
			return 0
		}
		return len(exact)
	}
	if !strings.HasPrefix(imported, entry) {
		return 0
	}
	return len(entry)
}
