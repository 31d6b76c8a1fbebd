// Package workflows holds the durable decisions of Pawl: which job is ready, retried, cancelled, finished.
//
// # What is durable
//
// Run is one attempt of a run, Job one job of it, its child. Their histories hold ids and small facts; files, logs,
// outputs and secrets stay in Postgres (docs/architecture.md).
//
//	Run ── LoadPlan ── [approval, concurrency group] ──┐
//	        ┌───────────────────────────────────────────┘
//	        ▼
//	      decide ── RecordStep ──┬── Job ── AttachTask ── SuperviseTask ── [retry] ── end
//	        ▲                    ├── Job ...
//	        └── something happened: a job ended, a cancel, news, a timer
//
// decide brings every job as far as it goes: its `if` (EvaluateIfs), the cells of a matrix that depends on outputs and
// the children of a caller (ExpandJobs), its environment and concurrency group (AdmitJobs), the outputs of a caller
// whose children have ended (ConcludeCalls). Callers have no workflow of their own: their children are jobs of the run.
//
// Offers are made before the children that watch them start, all of one step in one statement: a runner can hold a
// task some milliseconds after its needs are done, and a child that comes late reads the row of a task that may be
// over already. The row is the truth; signals only wake.
//
// # News
//
// What other runs, people and the passing of time change for a run is in rows: its place in a concurrency group, an
// approval, the end of a job that it follows. Whoever changes them counts up `news` in the same transaction and sends
// SignalChanged; the run then reads all of it (ReadNews, AdmitJobs). The reconciler signals again what was not read.
//
// # Retention
//
// Retention is a sweep by cron, of which there is one in an installation: logs that have been kept for long enough expire,
// runs are deleted, and the chunks of both are removed. What is due stands in the rows, so a sweep that fails loses nothing.
//
// # Ids, signals, limits
//
// All names stand in names.go. A run has at most ci.MaxJobsPerRun jobs, callers and children counted, far below the
// 2,000 children that Temporal allows to be pending and below the history limit, so a run never continues as new.
// It takes at most ci.MaxRunDuration, and ends at latest JobSettings.CancelGrace and some seconds after a cancel.
//
// # Changes
//
// A change of behaviour needs a named version (version.go) and a recorded history on both sides of it (testdata/,
// `make replay`).
package workflows
