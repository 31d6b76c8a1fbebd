package expr

// Budget bounds what many evaluations cost together, such as those of all cells of all matrices of a file. It is
// for one goroutine.
type Budget struct{ left int }

// NewBudget returns a budget for as much work, counted as MaxWork is.
func NewBudget(work int) *Budget { return &Budget{left: work} }

// Spend takes something out; false when there was not as much left. No budget is a boundless one.
func (b *Budget) Spend(work int) bool {
	if b == nil {
		return true
	}
	b.left -= work
	return b.left >= 0
}
