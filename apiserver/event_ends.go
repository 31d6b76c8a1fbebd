package apiserver

import "github.com/pawl-ci/pawl/db"

// mostEnds bounds what is remembered: changes that were made at the same time stand close to each other.
const mostEnds = 1000

// told is what a change is of: a job, or with job 0 an attempt of a run.
type told struct {
	run     int64
	attempt int
	job     int64
}

// toldEnds are the latest ends that a stream has told of. The log is in the order in which transactions began to write. One
// that began first may be the last to come to a job, and its end then stands before what was before it.
type toldEnds map[told]struct{}

// late tells whether the change came before an end that was told already, and remembers ends.
func (t toldEnds) late(e db.StatusEvent) bool {
	key := told{run: e.RunID, attempt: e.Attempt, job: e.JobID}
	_, late := t[key]
	if e.Status.Terminal() && !late {
		if len(t) >= mostEnds {
			clear(t)
		}
		t[key] = struct{}{}
	}
	return late
}
