package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// cancellation is how far the cancel of a run has come.
type cancellation struct {
	// requested: somebody asked for it. done: the schedule has taken it in.
	requested, done bool
	// force: nothing may run any more, whatever its `if` says. forced: the schedule has taken it in.
	force, forced bool
	// unseen: the request came as a signal that the projection does not know to have arrived.
	unseen bool
	reason string
}

// listenForCancel hears of both ways to cancel: the signal of the API, and a cancel of the workflow in Temporal.
func (r *run) listenForCancel() {
	r.selector.AddReceive(workflow.GetSignalChannel(r.ctx, SignalCancel), func(c workflow.ReceiveChannel, _ bool) {
		var request CancelRequest
		c.Receive(r.ctx, &request)
		r.cancel.unseen = true
		r.requestCancel(request)
	})
	// A closed channel would be ready for ever, so one message is made of it.
	once := workflow.NewBufferedChannel(r.ctx, 1)
	workflow.Go(r.ctx, func(ctx workflow.Context) {
		r.parent.Done().Receive(ctx, nil)
		once.Send(ctx, true)
	})
	r.selector.AddReceive(once, func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(r.ctx, nil)
		r.requestCancel(CancelRequest{Reason: "cancelled in Temporal"})
	})
}

// requestCancel notes a wish; the first reason given stays.
func (r *run) requestCancel(c CancelRequest) {
	if !r.cancel.requested {
		r.cancel.reason = c.Reason
		r.note("cancel", 0, c.why())
	}
	if c.Force && !r.cancel.force {
		r.note("force-cancel", 0, c.why())
	}
	r.cancel.requested, r.cancel.force = true, r.cancel.force || c.Force
}

// why says who cancels, or for what reason.
func (c CancelRequest) why() string {
	if c.Reason == "" && c.Who != "" {
		return "by " + c.Who
	}
	return c.Reason
}

// applyCancel ends what has not started and stops what runs, but for jobs whose `if` holds in a cancelled run, such
// as always() (GitHub's rule, execution-semantics.md §4.3).
func (r *run) applyCancel() error {
	if r.cancel.requested && !r.cancel.done {
		r.cancel.done = true
		r.startForceTimer()
		if err := r.stopUnlessIf(r.schedule.CancelAll()); err != nil {
			return err
		}
	}
	if r.cancel.force && !r.cancel.forced {
		r.cancel.forced = true
		return r.forceAll()
	}
	return nil
}

func (r *run) stopUnlessIf(running []ci.Candidate) error {
	if r.cancel.force {
		return nil // all of them are ended by force
	}
	decisions, err := r.decisions(running)
	if err != nil {
		return err
	}
	for i, c := range running {
		if decisions[i] != ci.DecisionRun {
			r.stopFor(c.ID, r.cancelReason())
		}
	}
	return nil
}

func (r *run) cancelReason() string {
	if r.cancel.reason == "" {
		return "cancelled"
	}
	return r.cancel.reason
}

// forceAfterGrace is how much longer than a single job the run as a whole may take after a cancel. It is what ends
// jobs with always() that do not come to an end.
const forceAfterGrace = 10 * time.Second

// startForceTimer bounds the time after a cancel (execution-semantics.md §4.3, GH).
func (r *run) startForceTimer() {
	if r.Version < VersionSemantics {
		return
	}
	grace := r.settings.Job.CancelGrace
	r.selector.AddFuture(workflow.NewTimer(r.ctx, grace+forceAfterGrace), func(workflow.Future) {
		r.requestCancel(CancelRequest{Force: true, Reason: fmt.Sprintf("not ended within %s after the cancel", grace)})
	})
}

// forceAll ends every job now: the rows first, so that no runner goes on, and then the workflows that watch them.
func (r *run) forceAll() error {
	for _, id := range r.schedule.ForceCancel() {
		if _, open := r.stops[id]; !open {
			r.stopFor(id, r.cancelReason())
			continue
		}
		end := EndTask{TaskRef: TaskRef{JobID: id}, Reason: r.cancelReason(), Force: true}
		if _, err := local[TaskState](r.ctx, ActivityEndTask, end); err != nil {
			return fmt.Errorf("force the end of job %d: %w", id, err)
		}
		r.stopFor(id, r.cancelReason())
		// A job that waits for its runner after a cancel hears nothing of a second one.
		workflow.SignalExternalWorkflow(r.ctx, JobWorkflowID(id), "", SignalTaskChanged, nil)
	}
	return nil
}

// stopFor cancels a job for a reason: its workflow ends it; what has none yet ends here.
func (r *run) stopFor(id int64, reason string) {
	if stop, open := r.stops[id]; open {
		r.endings[id] = ending{reason: reason}
		stop()
		return
	}
	r.unready(id)
	leaves, err := r.schedule.Stop(id)
	if err != nil {
		return // it has ended meanwhile
	}
	for _, leaf := range leaves {
		r.endings[leaf] = ending{reason: reason}
		if leaf == id {
			r.finish(id, ci.StatusCancelled)
		} else {
			r.stopFor(leaf, reason)
		}
	}
}

// unready takes back that a job is looked at further, or offered by the next step.
func (r *run) unready(id int64) {
	r.ready = slices.DeleteFunc(r.ready, func(other int64) bool { return other == id })
	r.chosen = slices.DeleteFunc(r.chosen, func(c ci.Candidate) bool { return c.ID == id })
}
