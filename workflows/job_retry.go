package workflows

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// retries tells whether the job is offered again. A lost runner is a fault of the platform and not of the job; a
// failed step is the job's own and never retried.
func (j *job) retries(end TaskEnd) bool {
	return end.Status == EndLost && j.try < j.Settings.MaxTries && !j.cancelled && j.parent.Err() == nil
}

// offerAgain makes the next offer of the job, after a pause that grows when runner after runner is lost.
func (j *job) offerAgain(end TaskEnd) {
	j.try++
	if j.try > 2 {
		// The first retry is at once. An error means that the run was cancelled, which watch handles.
		_ = workflow.Sleep(j.parent, retryPause(j.try))
	}
	_, err := local[struct{}](j.ctx, ActivityOfferAgain, OfferAgain{
		TaskRef: TaskRef{JobID: j.JobID, Try: j.try},
		Reason:  end.Reason,
	})
	if err != nil {
		workflow.GetLogger(j.ctx).Error("offer again", "job", j.JobID, "error", err)
	}
}

func retryPause(try int) time.Duration {
	return min(5*time.Second<<min(try-3, 10), 5*time.Minute)
}

// conclude turns the end of the last task into the end of the job.
func (j *job) conclude(end TaskEnd) JobResult {
	if j.cancelled && end.Status != ci.StatusFailure.String() {
		return JobResult{Status: ci.StatusCancelled, Reason: end.Reason}
	}
	switch end.Status {
	case EndLost:
		reason := fmt.Sprintf("%s; given up after %d tries", end.Reason, j.try)
		return JobResult{Status: ci.StatusFailure, Reason: reason}
	case EndWithdrawn:
		return JobResult{Status: ci.StatusCancelled, Reason: end.Reason}
	}
	status, err := ci.ParseStatus(end.Status)
	if err != nil || !status.Terminal() {
		return JobResult{Status: ci.StatusFailure, Reason: "unknown end of the task: " + end.Status}
	}
	return JobResult{Status: status, Reason: end.Reason}
}
