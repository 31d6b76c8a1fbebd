// Package cli is the command line of Pawl's users: it shows and changes runs, workflows, runners, secrets and variables
// over the REST API, as any other client could.
//
// Which server is meant, and who asks, is said by flags, by the environment (PAWL_URL, PAWL_TOKEN, PAWL_REPO), or by a
// context: a named server in a file of the user's (contexts.go). On a terminal the output has colours and moves; else it
// is plain lines. With --json it is JSON, always the whole of what was asked for.
package cli
