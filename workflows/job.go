package workflows

import (
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Job watches one job from its first offer to its end: it waits for a runner, supervises the task, offers the job
// again when the runner is lost, and ends with the status of the job. It never fails.
func Job(ctx workflow.Context, in JobInput) (JobResult, error) {
	j := newJob(ctx, in)
	for {
		end := j.watch()
		if !j.retries(end) {
			return j.conclude(end), nil
		}
		j.offerAgain(end)
	}
}

// job is the state of one Job workflow.
type job struct {
	JobInput
	// parent ends when the run asks the job to cancel.
	parent workflow.Context
	// ctx is not cancelled: what a job still has to write after a cancel must be written.
	ctx     workflow.Context
	changed workflow.ReceiveChannel
	try     int
	// cancelled says that the cancel has been carried out on the task.
	cancelled bool
}

func newJob(ctx workflow.Context, in JobInput) *job {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	return &job{
		JobInput: in,
		parent:   ctx,
		ctx:      withLocal(detached),
		changed:  workflow.GetSignalChannel(ctx, SignalTaskChanged),
		try:      1,
	}
}

// watch follows one offer until it is over.
func (j *job) watch() TaskEnd {
	state := j.ask(ActivityAttachTask, TaskRef{JobID: j.JobID, Try: j.try})
	for {
		switch state.Phase {
		case PhaseQueued:
			state = j.awaitClaim()
		case PhaseRunning, PhaseCancelling:
			state = j.supervise(state)
		default:
			return state.End
		}
	}
}

// ask runs a local activity that answers with the state of the offer. Local activities retry for as long as the
// database is away, so an error is a fault of ours: it ends the offer and is shown.
func (j *job) ask(activity string, args ...any) TaskState {
	state, err := local[TaskState](j.ctx, activity, args...)
	if err != nil {
		return endedState(TaskEnd{Status: ci.StatusFailure.String(), Reason: "internal error: " + err.Error()})
	}
	return state
}

func endedState(end TaskEnd) TaskState { return TaskState{Phase: PhaseEnded, End: end} }

// awaitClaim waits until something happened to a queued offer.
func (j *job) awaitClaim() TaskState {
	timer, stopTimer := workflow.WithCancel(j.ctx)
	defer stopTimer()
	ref := TaskRef{JobID: j.JobID, Try: j.try}
	var state TaskState
	workflow.NewSelector(j.ctx).
		AddReceive(j.changed, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(j.ctx, nil)
			state = j.ask(ActivityAttachTask, ref)
		}).
		AddReceive(j.parent.Done(), func(workflow.ReceiveChannel, bool) {
			state = j.cancelTask(ref)
		}).
		AddFuture(workflow.NewTimer(timer, j.Settings.QueueTimeout), func(workflow.Future) {
			state = j.ask(ActivityEndTask, EndTask{TaskRef: ref, Reason: j.queueTimeoutReason()})
		}).
		Select(j.ctx)
	return state
}

func (j *job) queueTimeoutReason() string {
	return fmt.Sprintf("no runner took the job within %s", j.Settings.QueueTimeout)
}

// supervise stands by a runner until its task is over, or until it has to be ended from here.
func (j *job) supervise(state TaskState) TaskState {
	ref := TaskRef{JobID: j.JobID, Try: j.try, TaskID: state.TaskID}
	activity, stop := workflow.WithCancel(j.ctx)
	defer stop()
	done := workflow.ExecuteActivity(j.superviseOptions(activity, state), ActivitySuperviseTask, ref)

	var next TaskState
	selector := workflow.NewSelector(j.ctx).
		AddFuture(done, func(f workflow.Future) { next = j.superviseEnded(ref, f) })
	if !j.cancelled {
		selector.AddReceive(j.parent.Done(), func(workflow.ReceiveChannel, bool) { next = j.cancelTask(ref) })
	}
	selector.Select(j.ctx)
	return next
}

// superviseOptions gives the activity the rest of the job's time, or of the grace after a cancel.
func (j *job) superviseOptions(ctx workflow.Context, state TaskState) workflow.Context {
	limit := time.Duration(j.TimeoutMinutes)*time.Minute - state.Running
	if state.Phase == PhaseCancelling {
		limit = j.Settings.CancelGrace
	}
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		ActivityID:             SuperviseActivityID(state.TaskID),
		ScheduleToCloseTimeout: max(limit, time.Second),
		HeartbeatTimeout:       j.Settings.LostAfter,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	})
}

// superviseEnded finds out why the activity is over. Only the gateway completes it; all else is a timeout.
func (j *job) superviseEnded(ref TaskRef, f workflow.Future) TaskState {
	var end TaskEnd
	err := f.Get(j.ctx, &end)
	var timeout *temporal.TimeoutError
	switch {
	case err == nil:
		return endedState(end)
	case errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT:
		// Silence towards Temporal is no proof: the server or a gateway may have been away. The row knows.
		return j.ask(ActivityCheckTask, CheckTask{TaskRef: ref, LostAfter: j.Settings.LostAfter})
	case errors.As(err, &timeout):
		return j.ask(ActivityEndTask, EndTask{TaskRef: ref, Force: true, Reason: j.timeoutReason()})
	default:
		// A worker that died before it handed the task to the gateway, or an SRE who ended the activity.
		return j.ask(ActivityAttachTask, ref)
	}
}

func (j *job) timeoutReason() string {
	if j.cancelled {
		return fmt.Sprintf("cancelled; the runner did not end the job within %s", j.Settings.CancelGrace)
	}
	return fmt.Sprintf("timed out after %d minutes", j.TimeoutMinutes)
}

// cancelTask takes the offer back, or has the runner stop.
func (j *job) cancelTask(ref TaskRef) TaskState {
	j.cancelled = true
	return j.ask(ActivityEndTask, EndTask{TaskRef: ref, Reason: "cancelled"})
}
