package workflows

import (
	"errors"
	"fmt"
	"strings"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"
)

// Job watches one job from its first offer to its end: it waits for a runner, supervises the task, offers the job
// again when the runner is lost, and ends with the status of the job. It fails only by a fault of ours; the run then
// ends what is left of the job.
func Job(ctx workflow.Context, in JobInput) (JobResult, error) {
	j := newJob(ctx, in)
	for {
		end, err := j.watch()
		if err != nil {
			return JobResult{}, err
		}
		next, err := j.retry(end)
		if err != nil {
			return JobResult{}, err
		}
		if next != nil {
			return j.conclude(*next), nil
		}
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
	// try counts the offers from 1; losses are those of them whose runner was lost, misses those that reached none, and
	// ownTries those that the file's own `retry` counts.
	try, losses, misses, ownTries int
	// stand is the supervision of the task that a runner has now.
	stand stand
	// graceOver fires when a cancelled task may be ended by force; nil before a cancel.
	graceOver workflow.Future
}

// stand is the SuperviseTask activity of one task.
type stand struct {
	task int64
	done workflow.Future
	stop workflow.CancelFunc
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

func (j *job) cancelled() bool { return j.parent.Err() != nil }

// ref names the offer that is watched.
func (j *job) ref() TaskRef { return TaskRef{JobID: j.JobID, Try: j.try, TaskID: j.stand.task} }

// watch follows one offer until it is over.
func (j *job) watch() (TaskEnd, error) {
	state, err := j.attach()
	for err == nil && state.Phase != PhaseEnded {
		if state.Phase == PhaseQueued {
			state, err = j.awaitClaim(state.Waited)
		} else {
			state, err = j.supervise(state)
		}
	}
	j.leave()
	return state.End, err
}

func (j *job) attach() (TaskState, error) {
	return local[TaskState](j.ctx, ActivityAttachTask, j.ref())
}

// awaitClaim waits until something happened to an offer that has been queued for a while already.
func (j *job) awaitClaim(waited time.Duration) (state TaskState, err error) {
	timer, stopTimer := workflow.WithCancel(j.ctx)
	defer stopTimer()
	workflow.NewSelector(j.ctx).
		AddReceive(j.changed, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(j.ctx, nil)
			state, err = j.attach()
		}).
		AddReceive(j.parent.Done(), func(workflow.ReceiveChannel, bool) {
			state, err = j.cancelTask()
		}).
		AddFuture(workflow.NewTimer(timer, max(j.Settings.QueueTimeout-waited, time.Second)), func(workflow.Future) {
			// A runner may have come in the meantime whom nobody announced: it keeps the job.
			state, err = j.endTask(EndTask{OnlyQueued: true, Waited: j.Settings.QueueTimeout, Reason: j.queueTimeoutReason()})
		}).
		Select(j.ctx)
	return state, err
}

func (j *job) queueTimeoutReason() string {
	return fmt.Sprintf("no runner took the job within %s", j.Settings.QueueTimeout)
}

// supervise stands by a runner until something happens to its task.
func (j *job) supervise(state TaskState) (next TaskState, err error) {
	j.standBy(state)
	selector := workflow.NewSelector(j.ctx).
		AddFuture(j.stand.done, func(f workflow.Future) { next, err = j.superviseEnded(f) }).
		AddReceive(j.changed, func(c workflow.ReceiveChannel, _ bool) {
			c.Receive(j.ctx, nil)
			next, err = j.attach()
		})
	if j.graceOver == nil {
		selector.AddReceive(j.parent.Done(), func(workflow.ReceiveChannel, bool) { next, err = j.cancelTask() })
	} else {
		selector.AddFuture(j.graceOver, func(workflow.Future) {
			next, err = j.endTask(EndTask{Force: true, Reason: j.graceReason()})
		})
	}
	selector.Select(j.ctx)
	return next, err
}

// standBy starts the activity of a task, unless it is pending already. It has the rest of the job's time.
func (j *job) standBy(state TaskState) {
	if j.stand.done != nil && j.stand.task == state.TaskID {
		return
	}
	j.leave()
	left := time.Duration(j.TimeoutMinutes)*time.Minute - state.Running
	ctx, stop := workflow.WithCancel(workflow.WithActivityOptions(j.ctx, workflow.ActivityOptions{
		ActivityID:             SuperviseActivityID(state.TaskID),
		ScheduleToCloseTimeout: max(left, time.Second),
		HeartbeatTimeout:       j.Settings.LostAfter,
		RetryPolicy:            &temporal.RetryPolicy{MaximumAttempts: 1},
	}))
	j.stand = stand{task: state.TaskID, stop: stop}
	j.stand.done = workflow.ExecuteActivity(ctx, ActivitySuperviseTask, j.ref())
}

// leave stops standing by a task.
func (j *job) leave() {
	if j.stand.stop != nil {
		j.stand.stop()
	}
	j.stand = stand{}
}

// superviseEnded finds out why the activity is over. Only the gateway completes it; all else is a timeout, or an SRE.
func (j *job) superviseEnded(f workflow.Future) (TaskState, error) {
	ref := j.ref()
	j.stand = stand{}
	var end TaskEnd
	err := f.Get(j.ctx, &end)
	var timeout *temporal.TimeoutError
	switch {
	case err == nil:
		return TaskState{Phase: PhaseEnded, End: end}, nil
	case errors.As(err, &timeout) && timeout.TimeoutType() == enumspb.TIMEOUT_TYPE_HEARTBEAT:
		// Silence towards Temporal is no proof: the server or a gateway may have been away. The row knows.
		return local[TaskState](j.ctx, ActivityCheckTask, CheckTask{TaskRef: ref, LostAfter: j.Settings.LostAfter})
	case errors.As(err, &timeout):
		return j.timeOut()
	default:
		return j.attach()
	}
}

// timeOut ends a task whose time is over. One that ended by itself at the last moment keeps its own end.
func (j *job) timeOut() (TaskState, error) {
	state, err := j.endTask(EndTask{Force: true, Reason: timedOut + minutes(j.TimeoutMinutes)})
	if strings.HasPrefix(state.End.Reason, timedOut) {
		state.End.Cause = CauseTimeout
	}
	return state, err
}

// timedOut begins the reason of a task whose time was over; what comes after it may be worded anew.
const timedOut = "timed out after "

func minutes(n int) string {
	if n == 1 {
		return "1 minute"
	}
	return fmt.Sprintf("%d minutes", n)
}

// cancelTask takes the offer back, or has the runner stop: at once, or after the grace for one that can finish.
func (j *job) cancelTask() (TaskState, error) {
	j.graceOver = workflow.NewTimer(j.ctx, j.Settings.CancelGrace)
	return j.endTask(EndTask{Reason: "cancelled"})
}

func (j *job) graceReason() string {
	return fmt.Sprintf("cancelled; the runner did not end the job within %s", j.Settings.CancelGrace)
}

func (j *job) endTask(e EndTask) (TaskState, error) {
	e.TaskRef = j.ref()
	return local[TaskState](j.ctx, ActivityEndTask, e)
}
