package ci

// MatchFilter reports whether `branches`, `tags` or `paths` lets an event through: at least one input must
// end included, where later patterns override earlier ones (execution-semantics.md §9.3). Without patterns
// everything passes; a pattern that does not compile matches nothing.
func MatchFilter(patterns, inputs []string) bool {
	if len(patterns) == 0 {
		return true
	}
	compiled := compilePatterns(patterns)
	for _, input := range inputs {
		if included(compiled, input) {
			return true
		}
	}
	return false
}

// MatchIgnore reports whether an `-ignore` filter keeps an event out: every input must match. Without
// patterns nothing is kept out; without inputs everything is (execution-semantics.md §9.3).
func MatchIgnore(patterns, inputs []string) bool {
	if len(patterns) == 0 {
		return false
	}
	compiled := compilePatterns(patterns)
	for _, input := range inputs {
		if !included(compiled, input) {
			return false
		}
	}
	return true
}
