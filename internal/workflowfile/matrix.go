package workflowfile

import (
	"fmt"
	"reflect"
	"strings"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// matrix is a `strategy.matrix` that was evaluated, ready to be expanded (execution-semantics.md §5).
type matrix struct {
	axes             []axis
	include, exclude []*expr.Object
}

// axis is one key of the matrix with its values.
type axis struct {
	key    string
	values []any
}

// matrixError is a fault of a matrix; key is the entry to blame, if it is one.
type matrixError struct{ key, message string }

func matrixFault(key, format string, args ...any) *matrixError {
	return &matrixError{key, fmt.Sprintf(format, args...)}
}

// newMatrix sorts the entries of an evaluated matrix. A single value counts as a list of one (S27).
func newMatrix(object *expr.Object) (*matrix, *matrixError) {
	if object.Len() > maxMatrixKeys {
		return nil, matrixFault("", "the matrix has %d keys; the limit is %d", object.Len(), maxMatrixKeys)
	}
	m := &matrix{}
	for i := range object.Len() {
		key, value := object.At(i)
		var fault *matrixError
		switch key {
		case "include":
			m.include, fault = entries(key, value)
		case "exclude":
			m.exclude, fault = entries(key, value)
		default:
			fault = m.addAxis(key, value)
		}
		if fault != nil {
			return nil, fault
		}
	}
	return m, m.checkExclude()
}

func (m *matrix) addAxis(key string, value any) *matrixError {
	switch v := value.(type) {
	case []any:
		m.axes = append(m.axes, axis{key, v})
	case *expr.Object, map[string]any:
		return matrixFault(key, "the matrix key %q must be a list, not a mapping", key)
	default:
		m.axes = append(m.axes, axis{key, []any{v}})
	}
	return nil
}

// entries reads `include` and `exclude`: lists of mappings. No value at all is an empty list.
func entries(key string, value any) ([]*expr.Object, *matrixError) {
	list, ok := value.([]any)
	if !ok && value != nil {
		return nil, matrixFault(key, "`matrix.%s` must be a list of mappings", key)
	}
	if len(list) > maxMatrixEntries {
		return nil, matrixFault(key, "`matrix.%s` has %d entries; the limit is %d", key, len(list), maxMatrixEntries)
	}
	out := make([]*expr.Object, len(list))
	for i, item := range list {
		if out[i], ok = item.(*expr.Object); !ok {
			return nil, matrixFault(key, "`matrix.%s` must be a list of mappings", key)
		}
	}
	return out, nil
}

func (m *matrix) checkExclude() *matrixError {
	for _, entry := range m.exclude {
		for _, key := range entry.Keys() {
			if m.axis(key) == nil {
				return matrixFault("exclude", "`matrix.exclude` has the key %q, which is not in the matrix", key)
			}
		}
	}
	return nil
}

func (m *matrix) axis(key string) *axis {
	for i := range m.axes {
		if m.axes[i].key == key {
			return &m.axes[i]
		}
	}
	return nil
}

// cells expands the matrix: the product of the lists in declaration order, without what is excluded, with
// what is included. A matrix that gives nothing gives no cells.
func (m *matrix) cells() ([]*expr.Object, *matrixError) {
	raw := m.rawCells()
	if raw > maxRawCells || raw > ci.MaxCellsPerMatrix && len(m.exclude) == 0 {
		return nil, tooManyCells(raw)
	}
	cells := m.included(m.product(raw))
	if len(cells) > ci.MaxCellsPerMatrix {
		return nil, tooManyCells(len(cells))
	}
	return cells, nil
}

// rawCells returns the number of combinations before anything is excluded; it stops counting at a billion.
func (m *matrix) rawCells() int {
	if len(m.axes) == 0 {
		return 0
	}
	raw := 1
	for _, a := range m.axes {
		raw = min(raw*len(a.values), 1_000_000_000)
	}
	return raw
}

func tooManyCells(n int) *matrixError {
	return matrixFault("", "the matrix has %d cells; the limit is %d", n, ci.MaxCellsPerMatrix)
}

// product returns the combinations that are not excluded; the last axis changes fastest.
func (m *matrix) product(raw int) []*expr.Object {
	var cells []*expr.Object
	for i := range raw {
		if cell := m.combination(i); !m.excluded(cell) {
			cells = append(cells, cell)
		}
	}
	return cells
}

// combination returns the i-th combination of the axes' values.
func (m *matrix) combination(i int) *expr.Object {
	picks := make([]int, len(m.axes))
	for a := len(m.axes) - 1; a >= 0; a-- {
		n := len(m.axes[a].values)
		picks[a], i = i%n, i/n
	}
	cell := expr.NewObject()
	for a, pick := range picks {
		cell.Set(m.axes[a].key, m.axes[a].values[pick])
	}
	return cell
}

// excluded reports whether all keys of some entry have the cell's values.
func (m *matrix) excluded(cell *expr.Object) bool {
	for _, entry := range m.exclude {
		if m.agrees(entry, cell) {
			return true
		}
	}
	return false
}

// agrees reports whether an entry has no other value than the cell in any key of the original matrix.
func (m *matrix) agrees(entry, cell *expr.Object) bool {
	for i := range entry.Len() {
		key, want := entry.At(i)
		if m.axis(key) == nil {
			continue
		}
		if have, _ := cell.Get(key); !sameValue(have, want) {
			return false
		}
	}
	return true
}

func sameValue(a, b any) bool {
	switch a := a.(type) {
	case string:
		text, ok := b.(string)
		return ok && a == text
	case float64:
		number, ok := b.(float64)
		return ok && a == number
	}
	return reflect.DeepEqual(expr.Native(a), expr.Native(b))
}

// included adds `include`: each entry goes into every original cell whose original values it leaves as they
// are; an entry that finds none becomes a cell of its own. Values added by an earlier entry may be replaced.
func (m *matrix) included(original []*expr.Object) []*expr.Object {
	cells := original
	for _, entry := range m.include {
		found := false
		for _, cell := range original {
			if m.agrees(entry, cell) {
				merge(cell, entry)
				found = true
			}
		}
		if !found {
			extra := expr.NewObject()
			merge(extra, entry)
			cells = append(cells, extra)
		}
	}
	return cells
}

func merge(into, from *expr.Object) {
	for i := range from.Len() {
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
