package runnergw

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/pawl-ci/pawl/internal/pacing"
)

// backoff is a pause that doubles from first to most, ±20 % so that gateways do not come back in step.
type backoff struct {
	first, most time.Duration
	next        time.Duration
}

func (b *backoff) reset() { b.next = 0 }

func (b *backoff) wait(ctx context.Context) {
	b.next = min(max(b.next*2, b.first), b.most)
	_ = pacing.Pause(ctx, jitter(b.next)) // who waits looks at ctx
}

// jitter is d ±20 %.
func jitter(d time.Duration) time.Duration {
	return d - d/5 + rand.N(max(2*d/5, 1))
}
