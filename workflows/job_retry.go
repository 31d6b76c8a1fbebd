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

// retry offers the job again when its task came to nothing, and answers nil if it did; else it answers how the job
// ends. A fault of the platform is none of the job's and is retried by default; a failed step or a job that took too
// long only if the file's `retry` asks for it.
func (j *job) retry(end TaskEnd) (*TaskEnd, error) {
	if j.cancelled() {
		return &end, nil
	}
	pause, again, err := j.mayRetry(end)
	if err != nil || !again {
		return &end, err
	}
	j.try++
	return j.offerAgain(end, pause)
}

// mayRetry counts the end of a task, and tells whether the job may have another and after which pause.
func (j *job) mayRetry(end TaskEnd) (pause time.Duration, again bool, err error) {
	if end.Status != EndLost {
		pause, again = j.ownRetry(end)
		return pause, again, nil
	}
	if err := j.countLoss(end); err != nil {
		return 0, false, err
	}
	return j.lossPause(), j.losses < j.maxLosses() && j.misses < maxMisses, nil
}

// ownRetry is for ends that only the file's `retry` offers again.
func (j *job) ownRetry(end TaskEnd) (pause time.Duration, again bool) {
	r := j.Retry
	wanted := r != nil && (r.OnFailure && end.Status == ci.StatusFailure.String() || r.OnTimeout && end.Cause == CauseTimeout)
	if !wanted {
		return 0, false
	}
	j.ownTries++
	return min(r.Backoff<<min(j.ownTries-1, 20), ci.MaxRetryPause), j.ownTries+j.losses < r.MaxAttempts
}

func (j *job) maxLosses() int {
	if r := j.Retry; r != nil && r.OnLost {
		return max(j.Settings.MaxTries, r.MaxAttempts)
	}
	return j.Settings.MaxTries
}

// countLoss counts whether the runner ever had the task; where the end does not say, the rows do.
func (j *job) countLoss(end TaskEnd) error {
	confirmed := end.Cause != CauseUnconfirmed
	if end.Cause == "" {
		state, err := j.attach()
		if err != nil {
			return err
		}
		confirmed = state.Confirmed
	}
	if confirmed {
		j.losses++
	} else {
		j.misses++
	}
	return nil
}

// lossPause grows from loss to loss. The first retry is at once.
func (j *job) lossPause() time.Duration {
	if j.try == 1 {
		return 0
	}
	return min(5*time.Second<<min(j.try-2, 10), 5*time.Minute)
}

// offerAgain makes the next offer, which runners may have after the pause. It answers how the job ends when it is
// cancelled meanwhile.
func (j *job) offerAgain(end TaskEnd, pause time.Duration) (*TaskEnd, error) {
	again := OfferAgain{TaskRef: j.ref(), Reason: end.Reason, Cause: end.Cause}
	if pause > 0 {
		if err := j.showPause(again, pause); err != nil {
			return nil, err
		}
		// An error means that the run was cancelled.
		if err := workflow.Sleep(j.parent, pause); err != nil {
			return j.withdraw(end)
		}
	}
	if _, err := local[struct{}](j.ctx, ActivityOfferAgain, again); err != nil {
		return nil, err
	}
	return nil, nil
}

// showPause makes an offer that is kept from runners, so that everybody sees what the job waits for.
func (j *job) showPause(again OfferAgain, pause time.Duration) error {
	if j.Version < VersionSemantics {
		return nil
	}
	again.NotBefore = workflow.Now(j.ctx).Add(pause)
	_, err := local[struct{}](j.ctx, ActivityOfferAgain, again)
	return err
}

// withdraw takes back the offer of a retry whose run was cancelled.
func (j *job) withdraw(end TaskEnd) (*TaskEnd, error) {
	if j.Version < VersionSemantics {
		return &end, nil
	}
	state, err := j.endTask(EndTask{Force: true, Reason: "cancelled"})
	return &state.End, err
}

// conclude turns the end of the last task into the end of the job. A task that ended by itself before a cancel reached
// it keeps its own end.
func (j *job) conclude(end TaskEnd) JobResult {
	reason := ShortReason(end.Reason)
	switch {
	case end.Status == EndWithdrawn, end.Status == EndLost && j.cancelled():
		return JobResult{Status: ci.StatusCancelled, Reason: reason}
	case end.Status == EndLost:
		return JobResult{
			Status: ci.StatusFailure, Reason: fmt.Sprintf("%s; given up after %d tries", reason, j.try), Class: ci.ErrorTransient,
		}
	}
	status, err := ci.ParseStatus(end.Status)
	if err != nil || !status.Terminal() {
		return JobResult{
			Status: ci.StatusFailure, Reason: "unknown end of the task: " + ShortReason(end.Status), Class: ci.ErrorUnknown,
		}
	}
	if j.ownTries > 1 && status != ci.StatusSuccess {
		reason = fmt.Sprintf("%s (try %d)", reason, j.try)
	}
	return JobResult{Status: status, Reason: reason}
}
