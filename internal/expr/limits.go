package expr

// Limits of one expression and of its evaluation.
const (
	// MaxExpressionChars is the length of one expression in bytes, as on GitHub.
	MaxExpressionChars = 21_000
	// MaxDepth is how deeply brackets, operators and calls may be nested.
	MaxDepth = 100
	// MaxNodes is the number of values and operators of one expression.
	MaxNodes = 5_000
	// MaxStringBytes is the length of any string that an evaluation makes.
	MaxStringBytes = 1 << 20
	// MaxWork is the number of bytes that one evaluation may read and write in all.
	MaxWork = 64 << 20
	// workPerNode is what one value or operator costs in that account, whatever it reads or writes.
	workPerNode = 32
	// MaxJSONDepth is how deeply the text given to fromJSON may be nested.
	MaxJSONDepth = 100
)
