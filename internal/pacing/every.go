package pacing

import (
	"context"
	"math/rand/v2"
	"time"
)

// Every does something at each interval, for the first time after a random part of the first one, until ctx ends: loops that begin
// together then do not all work at the same moments. What takes longer than an interval delays the next time and is not done twice
// at once. It is not done any more once ctx has ended.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	if Pause(ctx, rand.N(interval)) != nil {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for ctx.Err() == nil { // with both ready, select takes any
		do(ctx)
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
	}
}
