package main

import "go.temporal.io/server/common/dynamicconfig"

// tuning holds the server settings that differ from their defaults, each because a
// measurement or a limit of a small machine asks for it.
func tuning() dynamicconfig.StaticClient {
	return dynamicconfig.StaticClient{
		// Concurrent writes of a shard; with the default of 1 its workflows queue
		// behind each other's commits (42 against 66 jobs per second).
		dynamicconfig.ShardIOConcurrency.Key(): 8,

		// How often a queue of a shard may look for new tasks. The default of 20 per
		// second delays each hand-over by some 50 ms.
		dynamicconfig.TransferProcessorMaxPollRPS.Key():   2000,
		dynamicconfig.TimerProcessorMaxPollRPS.Key():      2000,
		dynamicconfig.VisibilityProcessorMaxPollRPS.Key(): 2000,

		// One process needs no partitions: tasks never have to be forwarded between them.
		dynamicconfig.MatchingNumTaskqueueReadPartitions.Key():  1,
		dynamicconfig.MatchingNumTaskqueueWritePartitions.Key(): 1,

		// Bounds on the caches, whose defaults are made for machines with far more memory.
		dynamicconfig.HistoryCacheHostLevelMaxSize.Key():     16_384,
		dynamicconfig.EventsHostLevelCacheMaxSizeBytes.Key(): 128 << 20,
	}
}
