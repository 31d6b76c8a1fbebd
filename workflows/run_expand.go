package workflows

import (
	"errors"
	"fmt"
	"slices"

	"github.com/pawl-ci/pawl/internal/ci"
)

// expandDeferred replaces jobs whose matrix depended on their needs by their cells, which are candidates then.
func (r *run) expandDeferred(cs []ci.Candidate) error {
	expansions, err := r.expansions(cs)
	if err != nil {
		return err
	}
	for i, c := range cs {
		e := expansions[i]
		if r.expand(c, &e, r.schedule.Expand) {
			continue
		}
		r.endings[c.ID] = broken(e.Error, e.Class)
		if err := r.decideOne(c, ci.DecisionFail); err != nil {
			return err
		}
	}
	return nil
}

// expandCalls gives callers the jobs of the workflow that they call, as their children. Failures come last: one may
// stop other callers, whose children have to be known by then.
func (r *run) expandCalls(cs []ci.Candidate) error {
	cs = slices.DeleteFunc(cs, func(c ci.Candidate) bool { return r.schedule.JobStatus(c.ID).Terminal() })
	expansions, err := r.expansions(cs)
	if err != nil {
		return err
	}
	for i, c := range cs {
		r.expand(c, &expansions[i], r.schedule.Adopt)
	}
	for i, c := range cs {
		if e := expansions[i]; e.Error != "" && !r.schedule.JobStatus(c.ID).Terminal() {
			r.endings[c.ID] = broken(e.Error, e.Class)
			r.finish(c.ID, ci.StatusFailure)
		}
	}
	return nil
}

// expand takes new jobs into the schedule, and tells whether it could. What it cannot take is an error of this one job.
func (r *run) expand(c ci.Candidate, e *Expansion, into func(int64, []ci.JobSpec) error) bool {
	if e.Error != "" {
		return false
	}
	if err := into(c.ID, e.Plan.specs()); err != nil {
		e.Error, e.Class = err.Error(), ci.ErrorUnknown
		var tooMany ci.TooManyJobsError
		if errors.As(err, &tooMany) {
			e.Error, e.Class = tooMany.Error(), ci.ErrorPermanent
		}
		return false
	}
	r.remember(e.Plan)
	r.note("expanded", c.ID, fmt.Sprintf("into %d jobs", len(e.Plan.Jobs)))
	return true
}

func (r *run) expansions(cs []ci.Candidate) ([]Expansion, error) {
	if len(cs) == 0 {
		return nil, nil
	}
	list, err := local[[]Expansion](r.ctx, ActivityExpandJobs, r.queries(cs, nil))
	if err != nil {
		return nil, fmt.Errorf("expand jobs: %w", err)
	}
	if len(list) != len(cs) {
		return nil, fmt.Errorf("expand jobs: %d answers for %d jobs", len(list), len(cs))
	}
	return list, nil
}

// concludeCalls ends the callers whose children have all ended; it tells whether there were any.
func (r *run) concludeCalls() (bool, error) {
	settled := r.schedule.Settled()
	if len(settled) == 0 {
		return false, nil
	}
	in := CallEnds{RunInput: r.RunInput}
	for _, s := range settled {
		in.Calls = append(in.Calls, CallEnd{JobID: s.ID, Status: s.Status})
	}
	answers, err := local[[]CallAnswer](r.ctx, ActivityConcludeCalls, in)
	if err != nil {
		return false, fmt.Errorf("conclude callers: %w", err)
	}
	failed := map[int64]CallAnswer{}
	for _, a := range answers {
		failed[a.JobID] = a
	}
	for _, s := range settled {
		status := s.Status
		if a := failed[s.ID]; a.Error != "" && status == ci.StatusSuccess {
			r.endings[s.ID] = broken(a.Error, a.Class)
			status = ci.StatusFailure
		}
		r.finish(s.ID, status)
	}
	return true, nil
}
