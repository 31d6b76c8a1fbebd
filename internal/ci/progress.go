package ci

import "fmt"

// Start says that a runner has the job: it is running. Calling it again, or not at all before Finish, does
// no harm. A job that was not decided to run, or has ended, is an error.
func (s *Schedule) Start(id int64) error {
	j, err := s.find(id, inFlight, "start")
	if err != nil {
		return err
	}
	if j.status == StatusWaiting {
		s.move(j, inFlight, StatusRunning)
	}
	return nil
}

// Cancelling says that the runner of the job was told to stop. It is for the projection only: the job goes
// on holding its place until Finish.
func (s *Schedule) Cancelling(id int64) error {
	j, err := s.find(id, inFlight, "cancel")
	if err != nil {
		return err
	}
	s.move(j, inFlight, StatusCancelling)
	return nil
}

// Finish ends a job that is in flight. The status must be terminal; a second end is an error and changes
// nothing, so a job ends exactly once.
//
// When the job fails and its matrix is fail-fast, the cells that have not started are cancelled here, and
// the ones in flight are returned: the caller stops them, and they end by a Finish of their own.
func (s *Schedule) Finish(id int64, status Status) (stop []int64, err error) {
	if !status.Terminal() {
		return nil, fmt.Errorf("finish job %d: %s is not an end", id, status)
	}
	j, err := s.find(id, inFlight, "finish")
	if err != nil {
		return nil, err
	}
	return s.end(j, status), nil
}

// end ends a job and, if that is what its failure means, its siblings.
func (s *Schedule) end(j *job, status Status) (stop []int64) {
	if status == StatusFailure && !j.Soft && j.key.cells[0].FailFast {
		stop = s.stopSiblings(j)
	}
	s.move(j, ended, status)
	return stop
}

func (s *Schedule) stopSiblings(failed *job) (stop []int64) {
	for _, j := range failed.key.cells {
		switch {
		case j == failed:
		case j.phase == undecided:
			s.move(j, ended, StatusCancelled)
		case j.phase == inFlight && j.status != StatusCancelling:
			stop = append(stop, j.ID)
		}
	}
	return stop
}

// CancelAll cancels the attempt (execution-semantics.md §4.3, GH). From now on cancelled() is true, and
// success() and failure() are false.
//
// Jobs that have not started and have no `if` end here as cancelled. Those with an `if` become Candidates
// when their needs have ended, because always() or cancelled() may still let them run. The jobs in flight
// are returned as candidates as well: the caller stops each one whose `if` does not hold any more
// (DefaultDecision says so for those without). A second call does nothing and returns nothing.
func (s *Schedule) CancelAll() []Candidate {
	if s.cancelled {
		return nil
	}
	s.cancelled = true
	var flying []*job
	for _, j := range s.jobs {
		switch {
		case j.phase == inFlight:
			flying = append(flying, j)
		case j.phase == undecided && !j.HasIf:
			s.move(j, ended, StatusCancelled)
		}
	}
	return s.candidates(flying)
}

// Expand replaces an undecided candidate by the cells of its matrix, for a matrix that could only be
// evaluated when the needs had ended. The cells take over the candidate's key and needs. No cells at all
// is an error: skip or fail the candidate instead.
func (s *Schedule) Expand(id int64, cells []JobSpec) error {
	j, err := s.find(id, undecided, "expand")
	if err != nil {
		return err
	}
	if len(cells) == 0 || len(s.jobs)-1+len(cells) > MaxJobsPerRun {
		return fmt.Errorf("expand job %d (%s): %d cells; a run has 1 to %d jobs", id, j.Key, len(cells), MaxJobsPerRun)
	}
	if err := s.unusedIDs(j, cells); err != nil {
		return err
	}
	s.replace(j, cells)
	return nil
}

// unusedIDs refuses ids that are in the attempt or come twice. The placeholder's own id may be used again.
func (s *Schedule) unusedIDs(placeholder *job, cells []JobSpec) error {
	seen := make(map[int64]bool, len(cells))
	for _, c := range cells {
		if other := s.byID[c.ID]; seen[c.ID] || other != nil && other != placeholder {
			return fmt.Errorf("expand job %d (%s): id %d is given twice", placeholder.ID, placeholder.Key, c.ID)
		}
		seen[c.ID] = true
	}
	return nil
}

func (s *Schedule) replace(placeholder *job, cells []JobSpec) {
	s.count(placeholder, -1)
	delete(s.byID, placeholder.ID)
	k := placeholder.key
	fresh := make([]*job, len(cells))
	for i, c := range cells {
		c.Key, c.Needs, c.Status = k.name, placeholder.Needs, StatusUnknown
		fresh[i] = newJob(c, k, 0)
		s.byID[c.ID] = fresh[i]
		s.count(fresh[i], 1)
	}
	k.cells = spliceJobs(k.cells, placeholder, fresh)
	s.jobs = spliceJobs(s.jobs, placeholder, fresh)
	for i, j := range s.jobs {
		j.position = i
	}
}

// spliceJobs returns list with the fresh jobs in the place of old.
func spliceJobs(list []*job, old *job, fresh []*job) []*job {
	out := make([]*job, 0, len(list)+len(fresh))
	for _, j := range list {
		if j == old {
			out = append(out, fresh...)
		} else {
			out = append(out, j)
		}
	}
	return out
}
