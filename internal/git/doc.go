// Package git is the git side of Pawl: hosted bare repositories, reading them at a commit, serving
// them over smart HTTP, and refreshing copies of repositories that live elsewhere.
//
// A [Store] is a directory of bare repositories named by number, so that renaming a repository moves
// nothing. All of its state is on disk, and several server processes may share one directory: writers
// of one repository (pushes, mirror fetches) exclude each other by a file lock.
//
// Everything is done by the git program (2.30 or newer), in a scrubbed environment, under a time
// limit, with bounded output. User input reaches git only after validation, and never where an option
// could stand.
//
// A [Handler] speaks git's smart HTTP protocol for one repository at a time. Who may do what is the
// caller's business. After a push the handler hands the exact list of updated refs to the caller
// before the client hears that the push is over, so a push that returned has its runs.
package git
