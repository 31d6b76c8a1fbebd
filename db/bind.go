package db

import (
	"fmt"

	"github.com/uptrace/bun"
)

// bind says how a value stands in the text of a query: by itself, or as a parameter.
type bind func(value any) any

func literal(value any) any { return value }

// parameters has values stand as $1, $2, … and collects them.
type parameters []any

func (p *parameters) bind(value any) any {
	*p = append(*p, value)
	return bun.Safe(fmt.Sprintf("$%d", len(*p)))
}
