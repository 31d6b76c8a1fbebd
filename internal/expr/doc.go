// Package expr is the expression language of workflow files: what stands between `${{` and `}}`, and in
// every `if`. It follows GitHub's documented behaviour: loose comparison, strings compared without case,
// properties that do not exist are null, and no side effects.
//
// The package is pure and deterministic. Everything it is given is bounded: the length, depth and size of
// an expression (MaxExpressionChars, MaxDepth, MaxNodes), the length of every string it makes
// (MaxStringBytes), and the work of one evaluation (MaxWork).
//
// Values are nil, bool, float64, string, []any, *Object and map[string]any. Contexts may also hold Go
// integers, []string and map[string]string; they are read as the nearest of these. Objects keep their
// order; a map[string]any is read in the order of its sorted keys.
package expr
