package main

import "runtime/debug"

const (
	// gcPercent trades memory for speed: the collector took 12 % of the CPU at Go's
	// default of 100, and the engine is what limits jobs per second on small machines.
	gcPercent = 400
	// memoryLimit is soft: close to it the collector runs more often, so a large heap
	// never grows fourfold. A thousand jobs in flight need about 300 MiB live.
	memoryLimit = 1 << 30
)

// tuneMemory sets the collector unless the operator did, by GOGC or GOMEMLIMIT.
func tuneMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}
