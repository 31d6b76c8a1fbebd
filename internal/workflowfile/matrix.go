package workflowfile

import (
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// matrix is a `strategy.matrix` that was evaluated, ready to be expanded (execution-semantics.md §5).
type matrix struct {
	axes             []axis
	axisAt           map[string]int // where a key is in axes
	include, exclude []*expr.Object
	compare          comparer
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

var matrixTooComplex = &matrixError{"", "the matrix has too many values, or too many include and exclude entries for its cells"}

// newMatrix sorts the entries of an evaluated matrix. A single value counts as a list of one (S27).
func newMatrix(value any, budget *expr.Budget) (*matrix, *matrixError) {
	value, ok := ordered(value, budget)
	if !ok {
		return nil, matrixTooComplex
	}
	object, ok := value.(*expr.Object)
	if !ok {
		return nil, matrixFault("", "`strategy.matrix` must be a mapping, not %s", shown(value))
	}
	if object.Len() > maxMatrixKeys {
		return nil, matrixFault("", "the matrix has %d keys; the limit is %d", object.Len(), maxMatrixKeys)
	}
	m := &matrix{axisAt: map[string]int{}, compare: comparer{budget: budget}}
	for i := range object.Len() {
		key, value := object.At(i)
		if fault := m.add(key, value); fault != nil {
			return nil, fault
		}
	}
	return m, m.checkExclude()
}

func (m *matrix) add(key string, value any) (fault *matrixError) {
	switch key {
	case "include":
		m.include, fault = entries(key, value)
	case "exclude":
		m.exclude, fault = entries(key, value)
	default:
		fault = m.addAxis(key, value)
	}
	return fault
}

func (m *matrix) addAxis(key string, value any) *matrixError {
	list, isList := value.([]any)
	if _, isObject := value.(*expr.Object); isObject {
		return matrixFault(key, "the matrix key %q must be a list, not a mapping", key)
	}
	if !isList {
		list = []any{value}
	}
	m.axisAt[key] = len(m.axes)
	m.axes = append(m.axes, axis{key, list})
	return nil
}

func (m *matrix) hasAxis(key string) bool {
	_, ok := m.axisAt[key]
	return ok
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
			if !m.hasAxis(key) {
				return matrixFault("exclude", "`matrix.exclude` has the key %q, which is not in the matrix", key)
			}
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
	if m.compare.tired {
		return nil, matrixTooComplex
	}
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
		if !m.hasAxis(key) {
			continue
		}
		if have, _ := cell.Get(key); !m.compare.same(have, want) {
			return false
		}
	}
	return true
}

// included adds `include`: each entry goes into every original cell whose original values it leaves as they
// are; an entry that finds none becomes a cell of its own. Values added by an earlier entry may be replaced.
func (m *matrix) included(original []*expr.Object) []*expr.Object {
	cells := original
	for _, entry := range m.include {
		found := false
		for _, cell := range original {
			if m.agrees(entry, cell) {
				m.compare.merge(cell, entry)
				found = true
			}
		}
		if !found {
			extra := expr.NewObject()
			m.compare.merge(extra, entry)
			cells = append(cells, extra)
		}
	}
	return cells
}
