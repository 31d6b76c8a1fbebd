// Package devstack runs all of Pawl on one machine over one data directory: PostgreSQL,
// the embedded Temporal, server, worker and the official runner. It is what `pawl dev`,
// `make demo` and the end-to-end tests start.
//
// PostgreSQL, Temporal and the runner are child processes; server and worker are parts
// of this process, or children too when split. Children are restarted, on the same
// ports, whenever they end by themselves, and end with this process however it ends. A
// data directory is used by one stack at a time. It holds:
//
//	dev.json     how to reach the running stack, for scripts; mode 0600
//	state.json   what has to stay the same from start to start: identity, ports, credentials
//	lock         held while a stack runs, with its process id
//	logs/        one file per child, bounded
//	postgres/    the cluster
//	temporal/    the ready file of temporald
//	runner/      configuration, registration and work directories of the runner
//
// The package knows nothing of server and worker but the callbacks in Parts.
package devstack
