package expr

import "strings"

// node is one value or operator of an expression.
type node interface {
	eval(*evaluator) (any, error)
}

type (
	literal struct{ value any }

	// variable is a context, e.g. `github`. Its name is in lower case.
	variable struct {
		offset int
		name   string
	}

	// index is `of[key]`; `of.name` is the same with a literal key.
	index struct {
		offset  int
		of, key node
	}

	// star is `of.*` or `of[*]`.
	star struct {
		offset int
		of     node
	}

	not struct{ of node }

	// logical is `&&` or `||`.
	logical struct {
		and         bool
		left, right node
	}

	// comparison is one of == != < <= > >=.
	comparison struct {
		offset      int
		operator    string
		left, right node
	}

	// call is a function call; args were counted when it was parsed.
	call struct {
		offset   int
		function *function
		args     []node
	}
)

// Expression is an expression that was parsed. It does not change, and may be evaluated by several
// goroutines at once.
type Expression struct {
	root  node
	names []Name
	nodes int
}

// Name is a context or a function that an expression uses, in lower case.
type Name struct {
	Offset int
	Name   string
	Call   bool // a function
	// Property is the `name` behind a context in `context.name`, as it is written. It is empty where the context
	// stands alone or is asked in another way, such as `context[…]`.
	Property string
}

// Names returns every use of a context or function, in the order of the text.
func (e *Expression) Names() []Name { return e.names }

// UsesStatusFunction reports whether success(), failure(), cancelled() or always() is called anywhere. An
// `if` without one means `success() && (…)`.
func (e *Expression) UsesStatusFunction() bool {
	for _, n := range e.names {
		if n.Call && isStatusFunction(n.Name) {
			return true
		}
	}
	return false
}

func isStatusFunction(name string) bool {
	switch strings.ToLower(name) {
	case "success", "failure", "cancelled", "always":
		return true
	}
	return false
}
