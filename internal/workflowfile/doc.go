// Package workflowfile reads workflow files: YAML in, a checked model out, and from that the plan of a run
// (which jobs, with which names, labels and matrix cells, and the one-job file that each runner gets).
//
// Parse finds everything that can be known from the file alone, Plan what also depends on the event. Both
// report faults as an *Error, a list of Problems with the line and column in the source, because a user must
// see what is wrong with a file and where. Wrong input never makes them panic, hang or use much memory: see
// the limits in limits.go.
//
// The package is pure. A *Workflow does not change after Parse and may be shared and cached.
package workflowfile
