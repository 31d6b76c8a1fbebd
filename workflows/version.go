package workflows

// Versions of behaviour. A run keeps the one it was started with, for its jobs too. It stands in the input of the
// workflow, and not in a marker of workflow.GetVersion, which would cost each run three events and a write to the
// visibility store.
const (
	// VersionFirstLight is how runs began: no bound on their duration, and retries without an offer while they pause.
	VersionFirstLight = 0
	// VersionSemantics bounds a run's duration and the time after a cancel by timers, and shows a retry that waits.
	VersionSemantics = 1

	// CurrentVersion is given to new runs.
	CurrentVersion = VersionSemantics
)
