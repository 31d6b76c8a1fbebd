// Package workflows holds the durable decisions of Pawl: which job is ready, retried, cancelled, finished.
//
// # What is durable
//
// Run is one attempt of a run, Job one job of it, its child. Their histories hold ids and small facts; files, logs,
// outputs and secrets stay in Postgres (docs/architecture.md).
//
//	Run  ── LoadPlan ── [EvaluateIfs] ── RecordStep ──┬── Job ── AttachTask ── SuperviseTask ── end
//	          ▲                                       ├── Job ...
//	          └────────── a job ended ────────────────┘
//
// Offers are made before the children that watch them start, all of one step in one statement: a runner can hold a
// task some milliseconds after its needs are done, and a child that comes late reads the row of a task that may be
// over already. The row is the truth; signals only wake.
//
// # Ids, signals, limits
//
// All names stand in names.go. A run has at most ci.MaxJobsPerRun jobs, far below the 2,000 children that Temporal
// allows to be pending and below the history limit, so a run never continues as new.
//
// # Changes
//
// A change of behaviour needs a named version (a constant with its reason, given to workflow.GetVersion) and a recorded
// history on both sides of it (testdata/, `make replay`).
package workflows
