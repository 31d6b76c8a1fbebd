// Package workflowfile reads workflow files: YAML in, a checked model out, and from that the plan of a run
// (which jobs, with which names, labels and matrix cells, and the one-job file that each runner gets).
//
// Parse finds everything that can be known from the file alone. Plan evaluates what also depends on the event, and
// leaves the rest for when the needs of a job have ended:
//
//   - PlanJob expands a job whose matrix, name, labels or limits use the results of its needs;
//   - EvalIf decides its `if`, JobConcurrency and JobEnvironment tell what it has to pass before it goes;
//   - Call brings a job with `uses` together with the file that it calls, whose own Plan makes its children, and
//     CallOutputs is what these give back.
//
// All of them report faults as an *Error, a list of Problems with the line and column in the source, because a user must
// see what is wrong with a file and where. Wrong input never makes them panic, hang or use much memory: see the limits
// in limits.go, and MaxEvalWork for what expressions may cost.
//
// The runner sees neither what the server has decided nor the keys that only the server knows: `concurrency`,
// `environment`, `retry` and `priority`.
//
// The package is pure. A *Workflow does not change after Parse and may be shared and cached.
package workflowfile
