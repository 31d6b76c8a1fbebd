package workflowfile

import (
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/expr"
)

// Limits of one workflow file. Those of a run (jobs, cells, inputs) are in package ci.
const (
	// MaxFileBytes is the size of a file (rest-api.md §5).
	MaxFileBytes = 1 << 20
	// MaxDepth is how deeply lists and mappings may be nested, aliases followed.
	MaxDepth = 100
	// MaxNodes is the number of values in a file after its aliases are written out, so that a few lines of
	// anchors cannot stand for billions of values.
	MaxNodes = 200_000
	// MaxExpandedBytes is the length of all values together after the aliases are written out.
	MaxExpandedBytes = 4 << 20
	// MaxPlanBytes is the size of all payloads of one plan together.
	MaxPlanBytes = 64 << 20
	// MaxEvalWork is what all evaluations of one plan, or of all that is decided in one go, may cost together, counted as
	// expr.MaxWork is, so that a dear expression cannot be multiplied by the cells of a matrix or the jobs of a run.
	MaxEvalWork = 256 << 20
	// workPerValue is what one value that is copied or compared costs in that account.
	workPerValue = 64
	// workPerRewritten is what a byte costs that is written anew for a cell, and not once for all.
	workPerRewritten = 16
	// MaxProblems is how many problems are reported for one file; the rest is left out.
	MaxProblems = 50
	// MaxKeyBytes is the length of a mapping key.
	MaxKeyBytes = 512
	// MaxJobKeyBytes is the length of a job's name in the file.
	MaxJobKeyBytes = 100
	// MaxLabels is the number of labels in one `runs-on`.
	MaxLabels = 50
	// MaxLabelBytes is the length of one label.
	MaxLabelBytes = 255
	// MaxLabelsBytes is the length of all labels of one `runs-on` together. An index of the database has them in one
	// entry, which may have 2,700 bytes with what holds the labels apart.
	MaxLabelsBytes = 2000
	// MaxStepsPerJob is the number of steps of one job.
	MaxStepsPerJob = 1000
	// MaxUsesBytes is the length of a job's `uses`.
	MaxUsesBytes = 1024
	// MaxCallEntries is how many inputs, how many secrets and how many outputs `on: workflow_call` may declare.
	MaxCallEntries = ci.MaxCallOutputs
	// MaxCallInputBytes is the size of all inputs of one call together, as JSON: what fromJSON can read.
	MaxCallInputBytes = expr.MaxStringBytes
	// MaxEnvironmentBytes is the length of the name of an environment.
	MaxEnvironmentBytes = 255
	// maxRawCells is how many combinations of a matrix are looked at while excluding.
	maxRawCells = 4_096
	// maxMatrixKeys and maxMatrixEntries bound the keys of a matrix and its include and exclude lists.
	maxMatrixKeys    = 100
	maxMatrixEntries = 512
)
