// Package ci holds the words and the pure rules of a CI run: what a status is, how the statuses of jobs
// add up, which job may go next, which event a filter lets through, and how large things may be.
//
// Temporal workflows import this package, so everything in it is deterministic: no I/O, no clock, no
// randomness, and no result that depends on the order of a map. It imports nothing of ours.
//
// The rules follow spec/execution-semantics.md (column S27 unless a line there says otherwise); the
// paragraph is named beside each rule.
package ci
