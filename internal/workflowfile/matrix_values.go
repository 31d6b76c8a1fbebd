package workflowfile

import (
	"maps"
	"slices"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// ordered makes every mapping in a value an *expr.Object. Those of files and of fromJSON are already; those of an
// event get the order of their sorted keys. False means that there are more values than a matrix may have.
func ordered(v any, budget *expr.Budget) (any, bool) {
	if !budget.Spend(workPerValue) {
		return nil, false
	}
	switch v := v.(type) {
	case []any:
		list := make([]any, len(v))
		for i, item := range v {
			var ok bool
			if list[i], ok = ordered(item, budget); !ok {
				return nil, false
			}
		}
		return list, true
	case *expr.Object:
		return orderedObject(v.Keys(), v.Get, budget)
	case map[string]any:
		get := func(key string) (any, bool) { return v[key], true }
		return orderedObject(slices.Sorted(maps.Keys(v)), get, budget)
	}
	return expr.Native(v), true
}

func orderedObject(keys []string, get func(string) (any, bool), budget *expr.Budget) (any, bool) {
	object := expr.NewObject()
	for _, key := range keys {
		item, _ := get(key)
		item, ok := ordered(item, budget)
		if !ok {
			return nil, false
		}
		object.Set(key, item)
	}
	return object, true
}

// comparer compares the values of cells with those of `include` and `exclude`, and puts the two together, as long as
// its budget lasts; then it is tired, and its answers mean nothing.
type comparer struct {
	budget *expr.Budget
	tired  bool
}

func (c *comparer) spend() bool {
	c.tired = c.tired || !c.budget.Spend(workPerValue)
	return !c.tired
}

// same compares two values with all that is in them, exactly: a text is no number here, and case matters.
func (c *comparer) same(a, b any) bool {
	if !c.spend() {
		return false
	}
	switch x := a.(type) {
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, c.same)
	case *expr.Object:
		y, ok := b.(*expr.Object)
		return ok && c.sameObject(x, y)
	}
	return !isCollection(b) && a == b
}

func (c *comparer) sameObject(a, b *expr.Object) bool {
	if a.Len() != b.Len() {
		return false
	}
	for i := range a.Len() {
		key, v := a.At(i)
		if w, ok := b.Get(key); !ok || !c.same(v, w) {
			return false
		}
	}
	return true
}

func (c *comparer) merge(into, from *expr.Object) {
	for i := range from.Len() {
		if !c.spend() {
			return
		}
		into.Set(from.At(i))
	}
}

// cellName is what distinguishes a cell in the name of its job: `(v1, v2)`. Of objects and lists the values
// inside are named. What would be cut off the name anyway is not put together.
func cellName(cell *expr.Object) string {
	var name strings.Builder
	name.WriteByte('(')
	for i := range cell.Len() {
		_, v := cell.At(i)
		writeLeaves(&name, v)
	}
	name.WriteByte(')')
	return name.String()
}

func writeLeaves(name *strings.Builder, v any) {
	if name.Len() > 4*ci.MaxNameRunes {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, inner := range v {
			writeLeaves(name, inner)
		}
	case *expr.Object:
		for i := range v.Len() {
			_, inner := v.At(i)
			writeLeaves(name, inner)
		}
	default:
		if name.Len() > 1 {
			name.WriteString(", ")
		}
		name.WriteString(cutRunes(expr.ToString(v), ci.MaxNameRunes))
	}
}
