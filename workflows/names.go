package workflows

import (
	"fmt"
	"strconv"
	"strings"

	"go.temporal.io/sdk/temporal"
)

// TaskQueue is the one task queue. One is enough for runs and jobs: local activities run in the workflow workers, and the one real activity,
// SuperviseTask, occupies a worker only for the moment in which it hands its completion to the gateway.
const TaskQueue = "pawl"

// HookTaskQueue is that of the activity which talks to the receivers of webhooks: it is slow when they are.
const HookTaskQueue = "pawl-hooks"

// Names of workflows as they stand in histories and in the Temporal UI. Changing one orphans running workflows.
const (
	RunWorkflowName      = "Run"
	JobWorkflowName      = "Job"
	DeliveryWorkflowName = "Delivery"
	// RetentionWorkflowName is the sweep over what has been kept for long enough.
	RetentionWorkflowName = "Retention"
)

// RetentionWorkflowID names the one sweep, RetentionCron when it begins: six times an hour.
const (
	RetentionWorkflowID = "retention"
	RetentionCron       = "*/10 * * * *"
)

// Names of signals.
const (
	// SignalCancel asks a run's workflow to cancel; its argument is CancelRequest.
	SignalCancel = "cancel"
	// SignalChanged wakes a run's workflow to read its news. It has no argument: the rows are the truth.
	SignalChanged = "changed"
	// SignalTaskChanged wakes a job's workflow to look at its offer again. It has no argument: the row is the truth.
	SignalTaskChanged = "task-changed"
)

// Names of queries of a run's workflow.
const (
	// QueryState is answered with RunState.
	QueryState = "state"
	// QueryTimeline is answered with a list of TimelineEvent.
	QueryTimeline = "timeline"
)

// Search attributes of run workflows, by which an SRE filters in the Temporal UI.
const (
	AttributeRepository = "PawlRepository"
	AttributeWorkflow   = "PawlWorkflow"
	AttributeEvent      = "PawlEvent"
	AttributeBranch     = "PawlBranch"
	AttributeActor      = "PawlActor"
	AttributeRunNumber  = "PawlRunNumber"
	AttributeConclusion = "PawlConclusion"
)

var conclusionKey = temporal.NewSearchAttributeKeyKeyword(AttributeConclusion)

// RunWorkflowID names the workflow of one attempt of a run.
func RunWorkflowID(run int64, attempt int) string {
	return fmt.Sprintf("run/%d/%d", run, attempt)
}

// ParseRunWorkflowID is the inverse of RunWorkflowID; ok is false for any other id.
func ParseRunWorkflowID(id string) (run int64, attempt int, ok bool) {
	parts := strings.Split(id, "/")
	if len(parts) != 3 || parts[0] != "run" {
		return 0, 0, false
	}
	run, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return 0, 0, false
	}
	attempt, err = strconv.Atoi(parts[2])
	return run, attempt, err == nil && RunWorkflowID(run, attempt) == id
}

// JobWorkflowID names the workflow of a job; job ids are never shared between attempts.
func JobWorkflowID(job int64) string { return fmt.Sprintf("job/%d", job) }

// ParseJobWorkflowID is the inverse of JobWorkflowID; ok is false for any other id.
func ParseJobWorkflowID(id string) (job int64, ok bool) {
	return parseID(id, "job/", JobWorkflowID)
}

// DeliveryWorkflowID names the workflow of a delivery of a webhook.
func DeliveryWorkflowID(delivery int64) string { return fmt.Sprintf("hook-delivery/%d", delivery) }

// ParseDeliveryWorkflowID is the inverse of DeliveryWorkflowID; ok is false for any other id.
func ParseDeliveryWorkflowID(id string) (delivery int64, ok bool) {
	return parseID(id, "hook-delivery/", DeliveryWorkflowID)
}

// SuperviseActivityID names the activity that stands for a task while a runner works on it. The gateway sends its
// heartbeats and completes it by this id.
func SuperviseActivityID(task int64) string { return fmt.Sprintf("task/%d", task) }

// ParseSuperviseActivityID is the inverse of SuperviseActivityID; ok is false for any other id.
func ParseSuperviseActivityID(id string) (task int64, ok bool) {
	return parseID(id, "task/", SuperviseActivityID)
}

func parseID(id, prefix string, format func(int64) string) (int64, bool) {
	digits, found := strings.CutPrefix(id, prefix)
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, found && err == nil && format(n) == id
}
