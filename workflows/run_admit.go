package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// hold is a job that is to run and waits for something else than a runner: an approval, a time, or its place in a
// concurrency group.
type hold struct {
	candidate ci.Candidate
	reason    string
	// until is when a timer wakes the run to look again; stopTimer ends that timer.
	until     time.Time
	stopTimer workflow.CancelFunc
}

// admit looks at the jobs that were chosen to run: those that nothing holds are offered or, callers, expanded.
func (r *run) admit() error {
	chosen := r.chosen
	r.chosen = nil
	admissions, err := r.admissions(chosen)
	if err != nil {
		return err
	}
	var calls []ci.Candidate
	for _, c := range chosen {
		if r.schedule.JobStatus(c.ID).Terminal() {
			continue // stopped since, with another cell of its matrix
		}
		free, err := r.admitOne(c, admissions[c.ID])
		switch {
		case err != nil:
			return err
		case free && c.Kind == ci.JobCall:
			calls = append(calls, c)
		case free:
			r.ready = append(r.ready, c.ID)
		}
	}
	return r.expandCalls(calls)
}

// admissions asks for the jobs that have an environment or a concurrency group.
func (r *run) admissions(cs []ci.Candidate) (map[int64]Admission, error) {
	in := r.queries(cs, func(c ci.Candidate) bool { return r.jobs[c.ID].Gated })
	if len(in.Queries) == 0 {
		return nil, nil
	}
	list, err := local[[]Admission](r.ctx, ActivityAdmitJobs, in)
	if err != nil {
		return nil, fmt.Errorf("admit jobs: %w", err)
	}
	out := make(map[int64]Admission, len(list))
	for _, a := range list {
		out[a.JobID] = a
		r.inGates = r.inGates || a.InGate
	}
	return out, nil
}

// admitOne tells whether a job may go now. One that may not is held, or ends.
func (r *run) admitOne(c ci.Candidate, a Admission) (free bool, err error) {
	switch {
	case a.Status.Terminal():
		r.release(c.ID)
		r.endings[c.ID] = ending{reason: ShortReason(a.Reason)}
		if a.Status == ci.StatusFailure {
			r.endings[c.ID] = broken(a.Reason, a.Class)
		}
		r.finish(c.ID, a.Status)
		return false, nil
	case a.Hold != "":
		return false, r.hold(c, a)
	}
	if r.release(c.ID) {
		r.note("admitted", c.ID, "")
		return true, r.schedule.Release(c.ID)
	}
	return true, nil
}

// hold notes what a job waits for, anew when that has changed.
func (r *run) hold(c ci.Candidate, a Admission) error {
	h, known := r.held[c.ID]
	if !known {
		h = &hold{candidate: c}
		r.held[c.ID] = h
		r.newlyHeld = append(r.newlyHeld, c.ID)
		if err := r.schedule.Hold(c.ID); err != nil {
			return fmt.Errorf("hold job %d: %w", c.ID, err)
		}
	}
	if h.reason != a.Hold {
		h.reason = a.Hold
		r.note("held", c.ID, a.Hold)
	}
	if !a.WaitUntil.IsZero() && !a.WaitUntil.Equal(h.until) {
		r.wakeAt(h, a.WaitUntil)
	}
	return nil
}

// minWait keeps a clock of the database that is a little behind from making a busy loop.
const minWait = 100 * time.Millisecond

// wakeAt has the run look again at a time. It may be any time away.
func (r *run) wakeAt(h *hold, at time.Time) {
	if h.stopTimer != nil {
		h.stopTimer()
	}
	h.until = at
	ctx, stop := workflow.WithCancel(r.ctx)
	h.stopTimer = stop
	timer := workflow.NewTimer(ctx, max(at.Sub(workflow.Now(r.ctx)), minWait))
	r.selector.AddFuture(timer, func(f workflow.Future) {
		if f.Get(r.ctx, nil) == nil {
			h.until = time.Time{}
			r.readmit()
		}
	})
}

// release ends a hold; it tells whether there was one.
func (r *run) release(id int64) bool {
	h, known := r.held[id]
	if !known {
		return false
	}
	if h.stopTimer != nil {
		h.stopTimer()
	}
	delete(r.held, id)
	return true
}

// readmit has all jobs that are held looked at again.
func (r *run) readmit() {
	r.chosen = r.chosen[:0:0]
	for _, id := range workflow.DeterministicKeys(r.held) {
		r.chosen = append(r.chosen, r.held[id].candidate)
	}
}
