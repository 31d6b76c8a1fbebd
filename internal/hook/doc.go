// Package hook tells the webhooks of repositories and owners what happens to runs and jobs.
//
// The way of a message: a trigger in the database writes each change of status as a row, in the transaction that changes
// it. One process at a time reads these rows (Fanout), and stores for each hook that wants to know a delivery with its
// body, in the same transaction as its own place among the rows. Then it starts a workflow for each delivery, which has
// it sent (Sender) until it is taken or given up. A crash between any two steps repeats at most the start of a workflow,
// whose id makes it exactly once. So each change is sent at least once, and the id of the delivery tells repetitions.
package hook
