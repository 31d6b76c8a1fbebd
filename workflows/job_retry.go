package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// maxMisses bounds how often a job may be handed out in vain before any runner confirms it: many more than runners may
// be lost, since nothing of the job was done.
const maxMisses = 30

// retry offers the job again when its task came to nothing, and tells whether it did. A lost runner is a fault of the
// platform and not of the job; a failed step is the job's own and never retried.
func (j *job) retry(end TaskEnd) (bool, error) {
	if end.Status != EndLost || j.cancelled() {
		return false, nil
	}
	if err := j.countLoss(); err != nil {
		return false, err
	}
	if j.losses >= j.Settings.MaxTries || j.misses >= maxMisses {
		return false, nil
	}
	// An error means that the run was cancelled.
	if err := j.pause(); err != nil {
		return false, nil
	}
	j.try++
	again := OfferAgain{TaskRef: j.ref(), Reason: end.Reason}
	_, err := local[struct{}](j.ctx, ActivityOfferAgain, again)
	return err == nil, err
}

// countLoss asks whether the runner ever had the task.
func (j *job) countLoss() error {
	state, err := j.attach()
	if err != nil {
		return err
	}
	if state.Confirmed {
		j.losses++
	} else {
		j.misses++
	}
	return nil
}

// pause waits longer from loss to loss. The first retry is at once.
func (j *job) pause() error {
	if j.try == 1 {
		return j.parent.Err()
	}
	return workflow.Sleep(j.parent, retryPause(j.try))
}

func retryPause(try int) time.Duration {
	return min(5*time.Second<<min(try-2, 10), 5*time.Minute)
}

// conclude turns the end of the last task into the end of the job. A task that ended by itself before a cancel reached
// it keeps its own end.
func (j *job) conclude(end TaskEnd) JobResult {
	reason := ShortReason(end.Reason)
	switch {
	case end.Status == EndWithdrawn, end.Status == EndLost && j.cancelled():
		return JobResult{Status: ci.StatusCancelled, Reason: reason}
	case end.Status == EndLost:
		return JobResult{Status: ci.StatusFailure, Reason: fmt.Sprintf("%s; given up after %d tries", reason, j.try)}
	}
	status, err := ci.ParseStatus(end.Status)
	if err != nil || !status.Terminal() {
		return JobResult{Status: ci.StatusFailure, Reason: "unknown end of the task: " + ShortReason(end.Status)}
	}
	return JobResult{Status: status, Reason: reason}
}
