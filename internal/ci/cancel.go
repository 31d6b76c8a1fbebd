package ci

import (
	"fmt"
	"iter"
)

// CancelAll cancels the attempt (execution-semantics.md §4.3, GH). From now on cancelled() is true, and
// success() and failure() are false.
//
// Jobs that have not started and have no `if` end here as cancelled. Those with an `if` become Candidates
// when their needs have ended, because always() or cancelled() may still let them run. The jobs in flight
// are returned as candidates as well: the caller stops each one whose `if` does not hold any more
// (DefaultDecision says so for those without). Children are treated as any job; a caller that has children is
// not returned, for it ends with them. A second call does nothing and returns nothing.
func (s *Schedule) CancelAll() []Candidate {
	if s.cancelled {
		return nil
	}
	s.cancelled = true
	var flying []*job
	for j := range s.all() {
		switch {
		case j.phase == inFlight && j.callee == nil:
			flying = append(flying, j)
		case j.phase == undecided && !j.HasIf:
			s.move(j, ended, StatusCancelled)
		}
	}
	return s.candidates(flying)
}

// ForceCancel cancels the attempt without asking anybody: every job that has not started ends as cancelled,
// whatever its `if`. The jobs in flight are returned, those included that an earlier cancel was to stop: the caller
// ends them.
func (s *Schedule) ForceCancel() []int64 {
	s.cancelled = true
	return ids(s.halt(s.all()))
}

// Stop cancels one job with everything below it, whatever an `if` says. What has not started ends here as cancelled.
// What is in flight is returned, and ends by a Finish of its own: the job itself, or the jobs that it has called. A
// job that has ended stays as it is.
func (s *Schedule) Stop(id int64) (stop []int64, err error) {
	j := s.byID[id]
	if j == nil {
		return nil, fmt.Errorf("stop job %d: no such job in this attempt", id)
	}
	return ids(s.halt(j.tree())), nil
}

// StoppedByFailFast says of a job in flight that it ends because of fail-fast in another attempt, which it follows: if it
// is cancelled, it counts as failed. A job that is not in flight, or was stopped for something else, is left as it is.
func (s *Schedule) StoppedByFailFast(id int64) {
	if j := s.byID[id]; j != nil && j.phase == inFlight && j.stop == notStopped {
		j.stop = stopFailFast
	}
}

// stopSiblings is fail-fast. Once the whole attempt is cancelled, that is what its jobs end for.
func (s *Schedule) stopSiblings(failed *job) (stop []int64) {
	for _, j := range failed.key.cells {
		if j == failed || j.phase == ended || j.isSettled() {
			continue
		}
		if j.stop == notStopped && j.status != StatusCancelling && !s.cancelled {
			j.stop = stopFailFast
		}
		for _, flying := range s.halt(j.tree()) {
			if flying.status != StatusCancelling {
				stop = append(stop, flying.ID)
			}
		}
	}
	return stop
}

// halt cancels those of the jobs that have not started, and returns those in flight that somebody has to stop.
func (s *Schedule) halt(jobs iter.Seq[*job]) (flying []*job) {
	for j := range jobs {
		if j.phase == ended {
			continue
		}
		if j.stop == notStopped {
			j.stop = stopAsked
		}
		switch {
		case j.phase == undecided:
			s.move(j, ended, StatusCancelled)
		case j.callee == nil:
			flying = append(flying, j)
		}
	}
	return flying
}

func ids(jobs []*job) []int64 {
	var list []int64
	for _, j := range jobs {
		list = append(list, j.ID)
	}
	return list
}
