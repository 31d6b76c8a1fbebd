// Package supervise runs child processes and keeps them running.
//
// A Process starts its command, waits until it is ready, starts it again when it ends
// by itself, and stops it with a signal and, after a grace time, by force. Each child
// leads a process group of its own, so that a Ctrl-C in a terminal reaches only the
// parent, and what remains of the group when the child is gone is killed.
//
// Children must not outlive a parent that was killed with -9. On Linux the kernel
// promises that by a death signal, which it ties to the thread that created the child;
// each Process therefore starts its children from one goroutine that keeps its thread
// for as long as it supervises. Other systems have no such promise: there a child has
// to watch its parent by itself.
package supervise
