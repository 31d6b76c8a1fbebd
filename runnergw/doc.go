// Package runnergw is the runner gateway: the server side of the protocol that act_runner and gitea-runner speak
// (runner-protocol.md §1-§8), over Connect RPC.
//
// A runner registers once, declares itself at each start, and polls with FetchTask. A poll is held until an offer fits
// or the deadline that it carries is near: every held poll is a waiter (dispatcher.go), which is woken by Postgres'
// NOTIFY (listener.go), by a claim that left more in its queue, and every few seconds by itself, because a
// notification may be lost. A claim is one statement (package db); after it the content of the task is built
// (content.go).
//
// A report is stored first and answered. The end of a task is then told to its workflow through engine.Tasks, again
// and again until that succeeds (deliverer.go). Rows of logs are stored compressed as they come (log.go).
//
// What is safe to lose is kept in memory only: cached runners, runs and tasks, the waiters, the times of the latest
// writes. Any number of gateways may serve the same runners.
package runnergw
