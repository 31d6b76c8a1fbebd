package hook

import (
	"time"

	"github.com/pawl-ci/pawl/db"
)

// How often a delivery is tried, over about three hours: after 10 s, 40 s, 2.7 min, 11 min, 43 min, 1 h and 1 h.
const (
	mostTries  = 8
	firstPause = 10 * time.Second
	mostPause  = time.Hour
)

// pauseAfter is the pause after a try; they count from 1.
func pauseAfter(number int) time.Duration {
	pause := firstPause
	for range number - 1 {
		pause = min(4*pause, mostPause)
	}
	return pause
}

// plan says what follows a try: the next one after its pause, or nothing after the last. The receiver may ask for a longer
// pause (Pause has that), not for a shorter one: otherwise all tries would be over in a moment.
func (r *Result) plan() {
	switch {
	case r.Try.State != db.DeliveryPending:
		r.Pause = 0
	case r.Try.Number >= mostTries:
		r.Try.State, r.Pause = db.DeliveryFailed, 0
	default:
		r.Pause = max(r.Pause, pauseAfter(r.Try.Number))
	}
}
