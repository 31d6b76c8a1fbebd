package activities

import (
	"context"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/workflows"
)

// AttachTask makes a job's workflow the watcher of an offer, and tells how far the offer has come.
func (a *Activities) AttachTask(ctx context.Context, ref workflows.TaskRef) (workflows.TaskState, error) {
	o, err := a.db.Attach(ctx, ref.JobID, ref.Try)
	return stateOf(o), failed(err)
}

// OfferAgain makes the next offer of a job whose task came to nothing, or lets go the one that it made before.
func (a *Activities) OfferAgain(ctx context.Context, o workflows.OfferAgain) (struct{}, error) {
	err := a.db.OfferAgain(ctx, db.OfferAgain{JobID: o.JobID, Try: o.Try, NotBefore: o.NotBefore})
	if err == nil && o.NotBefore.IsZero() {
		a.metrics.retried(o.Cause)
	}
	return struct{}{}, failed(err)
}

// CheckTask gives up a task whose runner was silent for too long while somebody listened.
func (a *Activities) CheckTask(ctx context.Context, c workflows.CheckTask) (workflows.TaskState, error) {
	o, err := a.db.CheckTask(ctx, c.TaskID, c.LostAfter)
	return stateOf(o), failed(err)
}

// EndTask takes an offer back or ends its task.
func (a *Activities) EndTask(ctx context.Context, e workflows.EndTask) (workflows.TaskState, error) {
	o, err := a.endTask(ctx, e)
	state := stateOf(o)
	if o.State == db.OfferWithdrawn {
		state.End.Reason = e.Reason
	}
	return state, failed(err)
}

func (a *Activities) endTask(ctx context.Context, e workflows.EndTask) (db.OfferTask, error) {
	switch {
	case e.OnlyQueued:
		return a.db.TakeBack(ctx, e.JobID, e.Waited)
	case e.Force:
		return a.db.EndTask(ctx, e.JobID, db.EndForced, e.Reason)
	}
	return a.db.EndTask(ctx, e.JobID, db.EndGraceful, e.Reason)
}

// stateOf says in the workflows' words how far an offer has come.
func stateOf(o db.OfferTask) workflows.TaskState {
	s := workflows.TaskState{TaskID: o.TaskID, Running: o.Running, Confirmed: o.Confirmed, Held: o.Held, Waited: o.Waited}
	switch {
	case o.State == db.OfferWithdrawn:
		s.Phase, s.End = workflows.PhaseEnded, workflows.TaskEnd{Status: workflows.EndWithdrawn, Reason: "cancelled"}
	case o.TaskID == 0:
		s.Phase = workflows.PhaseQueued
	case o.Status == db.TaskRunning:
		s.Phase = workflows.PhaseRunning
	case o.Status == db.TaskCancelling:
		s.Phase = workflows.PhaseCancelling
	default:
		s.Phase, s.End = workflows.PhaseEnded, endOf(o)
	}
	return s
}

func endOf(o db.OfferTask) workflows.TaskEnd {
	return workflows.TaskEnd{TaskID: o.TaskID, Status: string(o.Status), Reason: o.Reason, Cause: o.Cause}
}
