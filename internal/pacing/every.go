package pacing

import (
	"context"
	"time"
)

// Every does something at each interval, for the first time after the first one, until ctx ends. What takes longer than an
// interval delays the next time and is not done twice at once. It is not done any more once ctx has ended.
func Every(ctx context.Context, interval time.Duration, do func(context.Context)) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if ctx.Err() != nil { // both were ready, and select takes any
				return
			}
			do(ctx)
		}
	}
}
