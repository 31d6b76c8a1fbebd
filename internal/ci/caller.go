package ci

import (
	"errors"
	"fmt"
	"slices"
)

// Settled is a caller whose children have all ended, and what they add up to.
type Settled struct {
	ID     int64
	Status Status
}

// Adopt gives a caller that is in flight its children: the jobs of the workflow that it calls. They are a scope of
// their own, so their keys and needs mean nothing outside of it, and their status functions see nothing but their own
// ancestors in it. The caller is running from now on.
//
// A caller can adopt once, and at least one child. The children of a caller that was told to stop end as cancelled at
// once. An error changes nothing; above the limit of jobs it is a TooManyJobsError.
func (s *Schedule) Adopt(caller int64, children []JobSpec) error {
	j, err := s.find(caller, inFlight, "expand")
	if err != nil {
		return err
	}
	children = slices.Clone(children)
	for i := range children {
		children[i].Parent = caller
	}
	if err := s.mayAdopt(j, children); err != nil {
		return fmt.Errorf("expand job %d (%s): %w", j.ID, j.Key, err)
	}
	if err := s.addScope(j, children); err != nil {
		return err
	}
	if j.stop != notStopped {
		s.halt(j.tree())
	}
	return nil
}

func (s *Schedule) mayAdopt(caller *job, children []JobSpec) error {
	if caller.callee != nil {
		return errors.New("it has been expanded")
	}
	if len(children) == 0 {
		return errors.New("it would call no job")
	}
	if err := caller.checkChildren(children); err != nil {
		return err
	}
	return s.fits(children, nil)
}

// checkChildren refuses children that the job cannot have. A caller that is passed through has such children only.
func (j *job) checkChildren(children []JobSpec) error {
	if j.Kind != JobCall {
		return fmt.Errorf("job %d (%s) calls no workflow, so it has no children", j.ID, j.Key)
	}
	if j.phase == undecided {
		return fmt.Errorf("job %d (%s) has not started, so it has no children", j.ID, j.Key)
	}
	for _, c := range children {
		if j.phase == ended && !c.Status.Terminal() {
			return fmt.Errorf("job %d (%s) has ended, but its child %d has not", j.ID, j.Key, c.ID)
		}
	}
	return nil
}

// settleCaller notes the caller of a scope when its last job has ended. That comes once: a scope gets no more jobs
// when all that it has have ended.
func (s *Schedule) settleCaller(sc *scope) {
	if sc.caller != nil && sc.caller.isSettled() {
		s.settled = append(s.settled, sc.caller)
	}
}

// isSettled reports whether only a Finish is missing to the end of a caller.
func (j *job) isSettled() bool {
	return j.phase == inFlight && j.callee != nil && j.callee.tally.terminal()
}

// Settled returns the callers in flight whose children have all ended. Each is returned until a Finish ends it, with
// the status given here, or with another one if its outputs cannot be had.
func (s *Schedule) Settled() []Settled {
	s.settled = slices.DeleteFunc(s.settled, func(j *job) bool { return j.phase == ended })
	slices.SortFunc(s.settled, byPlace)
	var list []Settled
	for _, j := range s.settled {
		list = append(list, Settled{ID: j.ID, Status: j.callee.tally.status()})
	}
	return list
}
