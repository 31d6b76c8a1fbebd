package cli

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pawl-ci/pawl/internal/client"
	"github.com/pawl-ci/pawl/internal/pacing"
)

const (
	// quietLook is how long a watcher trusts a stream in which nothing happens. Why a job waits may change meanwhile.
	quietLook = 10 * time.Second
	// redraw is how often what is on the screen is brought up to date with the clock.
	redraw = time.Second
)

// news tells a watcher when to look at a run again: at once when the stream of its events says that something has changed.
// Until there is a stream, and where the server has none, it is from time to time.
type news struct {
	changed chan struct{} // holds one
	live    atomic.Bool   // the stream has delivered something
	every   time.Duration // without a stream
	stop    func()
}

// follow begins to listen. The stream is taken up again when it breaks off, until stop is called.
func (s *session) follow(ctx context.Context, repo string, run int64, every time.Duration) *news {
	ctx, cancel := context.WithCancel(ctx)
	n := &news{changed: make(chan struct{}, 1), every: max(every, minInterval)}
	var listener sync.WaitGroup
	listener.Go(func() {
		// However it ends, the run is looked at from time to time, and that finds out what is wrong.
		_ = s.FollowRun(ctx, repo, run, func(client.StatusEvent) bool {
			n.live.Store(true)
			n.tell()
			return true
		})
		n.live.Store(false)
		n.tell()
	})
	n.stop = func() { cancel(); listener.Wait() }
	return n
}

func (n *news) tell() {
	select {
	case n.changed <- struct{}{}:
	default: // it is told already
	}
}

// wait returns when it is time to look. Changes that come together are one, so that a run with many jobs is not read for
// each of them. Meanwhile tick is called each second.
func (n *news) wait(ctx context.Context, tick func()) error {
	if err := pacing.Pause(ctx, minInterval); err != nil {
		return err
	}
	clock := time.NewTicker(redraw)
	defer clock.Stop()
	since := time.Now()
	timer := time.NewTimer(n.every - minInterval)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-n.changed:
			return nil
		case <-clock.C:
			tick()
		case <-timer.C:
			left := quietLook - time.Since(since)
			if !n.live.Load() || left <= 0 {
				return nil
			}
			timer.Reset(left)
		}
	}
}
