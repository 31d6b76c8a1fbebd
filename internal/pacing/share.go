package pacing

import (
	"context"
	"time"
)

// Sharing does something again and again for a while, as long as there is more to do, and rests after each time: it works
// for one part in share of the time, so that others who need the same database are served. It tells whether there is more.
func Sharing(ctx context.Context, share int, while time.Duration, do func(context.Context) (more bool, err error)) (more bool, err error) {
	end := time.Now().Add(while)
	for {
		began := time.Now()
		more, err = do(ctx)
		if err != nil || !more || time.Now().After(end) {
			return more, err
		}
		if err = Pause(ctx, time.Duration(share-1)*time.Since(began)); err != nil {
			return more, err
		}
	}
}
