package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// cancellation is how far the cancel of a run has come.
type cancellation struct {
	// requested: somebody asked for it. done: the schedule has taken it in.
	requested, done bool
	// unseen: the request came as a signal that the projection does not know to have arrived.
	unseen bool
}

// listenForCancel hears of both ways to cancel: the signal of the API, and a cancel of the workflow in Temporal.
func (r *run) listenForCancel() {
	r.selector.AddReceive(workflow.GetSignalChannel(r.ctx, SignalCancel), func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(r.ctx, nil)
		r.cancel.requested, r.cancel.unseen = true, true
	})
	// A closed channel would be ready for ever, so one message is made of it.
	once := workflow.NewBufferedChannel(r.ctx, 1)
	workflow.Go(r.ctx, func(ctx workflow.Context) {
		r.parent.Done().Receive(ctx, nil)
		once.Send(ctx, true)
	})
	r.selector.AddReceive(once, func(c workflow.ReceiveChannel, _ bool) {
		c.Receive(r.ctx, nil)
		r.cancel.requested = true
	})
}

// applyCancel ends what has not started and stops what runs, but for jobs whose `if` holds in a cancelled run, such
// as always() (GitHub's rule, execution-semantics.md §4.3).
func (r *run) applyCancel() error {
	if !r.cancel.requested || r.cancel.done {
		return nil
	}
	r.cancel.done = true
	running := r.schedule.CancelAll()
	decisions, err := r.decisions(running)
	if err != nil {
		return err
	}
	for i, c := range running {
		if decisions[i] != ci.DecisionRun {
			r.stop(c.ID)
		}
	}
	return nil
}
