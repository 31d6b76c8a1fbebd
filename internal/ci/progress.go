package ci

import (
	"fmt"
	"slices"
)

// Start says that a runner has the job: it is running. Calling it again, or not at all before Finish, does
// no harm. A job that was not decided to run, or has ended, is an error.
func (s *Schedule) Start(id int64) error {
	j, err := s.find(id, inFlight, "start")
	if err != nil {
		return err
	}
	if j.status == StatusWaiting || j.status == StatusBlocked {
		s.move(j, inFlight, StatusRunning)
	}
	return nil
}

// Hold says that a job that is to run waits for something else than a runner, such as an approval: it is blocked. It
// keeps its place of max-parallel. Calling it again does no harm; a job that is running already is an error.
func (s *Schedule) Hold(id int64) error {
	j, err := s.find(id, inFlight, "hold")
	if err != nil {
		return err
	}
	if j.status != StatusWaiting && j.status != StatusBlocked {
		return fmt.Errorf("hold job %d (%s): it is %s", id, j.Key, j.status)
	}
	s.move(j, inFlight, StatusBlocked)
	return nil
}

// Release ends a Hold: the job is waiting again. A job in flight that is not held is left as it is.
func (s *Schedule) Release(id int64) error {
	j, err := s.find(id, inFlight, "release")
	if err != nil {
		return err
	}
	if j.status == StatusBlocked {
		s.move(j, inFlight, StatusWaiting)
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
// nothing, so a job ends exactly once. So is the end of a caller before that of its children.
//
// When the job fails and its matrix is fail-fast, the cells that have not started are cancelled here, and
// the ones in flight are returned: the caller stops them, and they end by a Finish of their own. For a cell that has
// called a workflow its jobs are treated so.
func (s *Schedule) Finish(id int64, status Status) (stop []int64, err error) {
	if !status.Terminal() {
		return nil, fmt.Errorf("finish job %d: %s is not an end", id, status)
	}
	j, err := s.find(id, inFlight, "finish")
	if err != nil {
		return nil, err
	}
	if j.callee != nil && !j.isSettled() {
		return nil, fmt.Errorf("finish job %d (%s): not all of the jobs that it calls have ended", id, j.Key)
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

// Expand replaces an undecided candidate by the cells of its matrix, for a matrix that could only be
// evaluated when the needs had ended. The cells take over the candidate's key, needs and caller. No cells at all
// is an error: skip or fail the candidate instead. An error changes nothing; above the limit of jobs it is a
// TooManyJobsError.
func (s *Schedule) Expand(id int64, cells []JobSpec) error {
	j, err := s.findCandidate(id, "expand")
	if err != nil {
		return err
	}
	if len(cells) == 0 {
		return fmt.Errorf("expand job %d (%s): no cells", id, j.Key)
	}
	if err := s.fits(cells, j); err != nil {
		return fmt.Errorf("expand job %d (%s): %w", id, j.Key, err)
	}
	s.replace(j, cells)
	return nil
}

func (s *Schedule) replace(placeholder *job, cells []JobSpec) {
	placeholder.count(-1)
	placeholder.phase = replaced
	delete(s.byID, placeholder.ID)
	for i, c := range cells {
		c.Parent, c.Key, c.Needs = placeholder.Parent, placeholder.Key, placeholder.Needs
		c.Status, c.Started = StatusUnknown, false
		j := newJob(c, placeholder.scope, placeholder.key, append(slices.Clone(placeholder.place), i), i)
		placeholder.cells = append(placeholder.cells, j)
		s.byID[j.ID] = j
	}
	k := placeholder.key
	at := slices.Index(k.cells, placeholder)
	k.cells = slices.Replace(k.cells, at, at+1, placeholder.cells...)
	s.reopen(k)
}
