package workflows

import (
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
		if e.Error == "" {
			if err := r.schedule.Expand(c.ID, e.Plan.specs()); err != nil {
				return fmt.Errorf("expand job %d: %w", c.ID, err)
			}
			r.remember(e.Plan)
			r.note("expanded", c.ID, fmt.Sprintf("into %d jobs", len(e.Plan.Jobs)))
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
		e := expansions[i]
		if e.Error != "" {
			continue
		}
		if err := r.schedule.Adopt(c.ID, e.Plan.specs()); err != nil {
			return fmt.Errorf("expand caller %d: %w", c.ID, err)
		}
		r.remember(e.Plan)
		r.note("expanded", c.ID, fmt.Sprintf("into %d jobs", len(e.Plan.Jobs)))
	}
	for i, c := range cs {
		if e := expansions[i]; e.Error != "" && !r.schedule.JobStatus(c.ID).Terminal() {
			r.endings[c.ID] = broken(e.Error, e.Class)
			r.finish(c.ID, ci.StatusFailure)
		}
	}
	return nil
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
