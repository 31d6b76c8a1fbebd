package ci

import "time"

// Limits of one run. They are part of the product's contract: the manual lists them, and a file or request
// that goes above one is refused with a message that names the limit.
const (
	// MaxJobsPerRun is the number of jobs (matrix cells counted one by one) that one attempt may hold.
	MaxJobsPerRun = 1000

	// MaxNeedsPerRun is how many entries all `needs` of a file may have together. Aliases make it cheap to write
	// more, and a run's plan has to fit into one payload of Temporal.
	MaxNeedsPerRun = 10_000

	// MaxCellsPerMatrix is the number of cells one matrix may have after include and exclude
	// (execution-semantics.md §5).
	MaxCellsPerMatrix = 256

	// MaxAttemptsPerRun is how often one run may be attempted, the first time included
	// (execution-semantics.md §7.1).
	MaxAttemptsPerRun = 50

	// MaxNameRunes is the length of a job, step or run name, in runes; longer ones are cut (rest-api.md §3.2).
	MaxNameRunes = 255

	// MaxInputs is the number of inputs one dispatch may carry, and one file may declare.
	MaxInputs = 25

	// MaxInputChars is the length of all input values of one dispatch together, in characters.
	MaxInputChars = 65_535

	// MaxOutputKeyBytes is the length of the name of a job output (execution-semantics.md §5.1).
	MaxOutputKeyBytes = 255

	// MaxOutputValueBytes is the length of the value of a job output (execution-semantics.md §5.1).
	MaxOutputValueBytes = 1 << 20

	// DefaultTimeoutMinutes is how long a job may run when its file does not say (execution-semantics.md §4.4).
	DefaultTimeoutMinutes = 360

	// MaxTimeoutMinutes is the longest `timeout-minutes` there is: 35 days, the life of a run. Larger
	// values count as this one.
	MaxTimeoutMinutes = 35 * 24 * 60

	// MaxRetryAttempts is the largest `retry.max-attempts`.
	MaxRetryAttempts = 10

	// DefaultRetryBackoff is the first pause of a `retry` that names none, MaxRetryPause the longest pause of any.
	DefaultRetryBackoff = 10 * time.Second
	MaxRetryPause       = time.Hour

	// MinPriority and MaxPriority bound a job's `priority`; larger ones go first.
	MinPriority, MaxPriority = -100, 100

	// MaxGroupBytes is the length of the name of a concurrency group.
	MaxGroupBytes = 400

	// MaxQueuedInGroup is how many members may wait in one concurrency group with `queue: max`
	// (execution-semantics.md §6).
	MaxQueuedInGroup = 100

	// MaxCallDepth is how many levels of reusable workflows may be below the run's own file, and MaxCalledFiles how
	// many different ones a run may have (execution-semantics.md §10).
	MaxCallDepth   = 9
	MaxCalledFiles = 50

	// MaxCallOutputs and MaxCallOutputBytes bound the outputs of one caller: their number, and all values together.
	MaxCallOutputs     = 1000
	MaxCallOutputBytes = 16 << 20

	// MaxRunDuration is how long a run may take, whatever its jobs allow (execution-semantics.md §7.4).
	MaxRunDuration = 35 * 24 * time.Hour

	// MaxPatternBytes is the length of one filter pattern; a longer one matches nothing.
	MaxPatternBytes = 1024
)
