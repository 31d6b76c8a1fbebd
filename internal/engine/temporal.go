package engine

import (
	"context"
	"errors"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/workflows"
)

// Temporal implements Runs and Tasks on a Temporal client.
type Temporal struct {
	client    client.Client
	namespace string
}

// New makes an engine on a client of the given namespace.
func New(c client.Client, namespace string) *Temporal {
	return &Temporal{client: c, namespace: namespace}
}

// StartRun implements Runs.
func (t *Temporal) StartRun(ctx context.Context, s RunStart) error {
	_, err := t.EnsureRun(ctx, s)
	return err
}

// EnsureRun is StartRun for who wants to know whether the workflow was missing: it tells whether it was started now.
func (t *Temporal) EnsureRun(ctx context.Context, s RunStart) (started bool, err error) {
	_, err = t.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.RunWorkflowID(s.RunID, s.Attempt),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowTaskTimeout:                      workflows.WorkflowTaskTimeout,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
		EnableEagerStart:                         true,
		TypedSearchAttributes:                    attributes(s),
	}, workflows.RunWorkflowName, workflows.RunInput{RunID: s.RunID, AttemptID: s.AttemptID, Attempt: s.Attempt, Version: workflows.CurrentVersion})
	var before *serviceerror.WorkflowExecutionAlreadyStarted
	if errors.As(err, &before) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("start workflow of run %d: %w", s.RunID, err)
	}
	return true, nil
}

func attributes(s RunStart) temporal.SearchAttributes {
	keyword := temporal.NewSearchAttributeKeyKeyword
	branch, _ := ci.ShortRef(s.Ref)
	return temporal.NewSearchAttributes(
		keyword(workflows.AttributeRepository).ValueSet(s.Repository),
		keyword(workflows.AttributeWorkflow).ValueSet(s.Workflow),
		keyword(workflows.AttributeEvent).ValueSet(s.Event),
		keyword(workflows.AttributeBranch).ValueSet(branch),
		keyword(workflows.AttributeActor).ValueSet(s.Actor),
		temporal.NewSearchAttributeKeyInt64(workflows.AttributeRunNumber).ValueSet(s.RunNumber),
	)
}

// CancelRun implements Runs.
func (t *Temporal) CancelRun(ctx context.Context, run int64, attempt int, c CancelRequest) error {
	err := t.client.SignalWorkflow(ctx, workflows.RunWorkflowID(run, attempt), "", workflows.SignalCancel, c)
	return gone(err, "cancel run %d", run)
}

// WakeRun implements Runs.
func (t *Temporal) WakeRun(ctx context.Context, run int64, attempt int) error {
	err := t.client.SignalWorkflow(ctx, workflows.RunWorkflowID(run, attempt), "", workflows.SignalChanged, nil)
	return gone(err, "wake run %d", run)
}

// Wake implements Tasks.
func (t *Temporal) Wake(ctx context.Context, job int64) error {
	err := t.client.SignalWorkflow(ctx, workflows.JobWorkflowID(job), "", workflows.SignalTaskChanged, nil)
	return gone(err, "wake job %d", job)
}

// Complete implements Tasks.
func (t *Temporal) Complete(ctx context.Context, job int64, end TaskEnd) error {
	err := t.client.CompleteActivityByID(ctx, t.namespace, workflows.JobWorkflowID(job), "",
		workflows.SuperviseActivityID(end.TaskID), end, nil)
	return gone(err, "complete task %d", end.TaskID)
}

// Heartbeat implements Tasks.
func (t *Temporal) Heartbeat(ctx context.Context, job, task int64) error {
	err := t.client.RecordActivityHeartbeatByID(ctx, t.namespace, workflows.JobWorkflowID(job), "",
		workflows.SuperviseActivityID(task))
	return gone(err, "heartbeat of task %d", task)
}

// gone turns the answer that something is not there into success: a workflow that comes later reads the row, one
// that has ended needs no news.
func gone(err error, format string, id int64) error {
	var notFound *serviceerror.NotFound
	if err == nil || errors.As(err, &notFound) || temporal.IsCanceledError(err) {
		return nil
	}
	return fmt.Errorf(format+": %w", id, err)
}

// StartDelivery starts the workflow of a delivery of a webhook. One that was started before is left as it is, even if it
// has ended.
func (t *Temporal) StartDelivery(ctx context.Context, id int64) error {
	_, err := t.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                                       workflows.DeliveryWorkflowID(id),
		TaskQueue:                                workflows.TaskQueue,
		WorkflowTaskTimeout:                      workflows.WorkflowTaskTimeout,
		WorkflowIDReusePolicy:                    enumspb.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
		WorkflowExecutionErrorWhenAlreadyStarted: true,
	}, workflows.DeliveryWorkflowName, workflows.DeliveryInput{DeliveryID: id})
	var before *serviceerror.WorkflowExecutionAlreadyStarted
	if err != nil && !errors.As(err, &before) {
		return fmt.Errorf("start workflow of delivery %d: %w", id, err)
	}
	return nil
}

// RunState is what Temporal says of the workflow of an attempt.
type RunState int

// The states.
const (
	RunGone   RunState = iota // not there, or ended by somebody
	RunOpen                   // going on
	RunFailed                 // ended by a fault of its own
)

// RunState tells whether the workflow of an attempt is there and has not ended.
func (t *Temporal) RunState(ctx context.Context, run int64, attempt int) (RunState, error) {
	d, err := t.client.DescribeWorkflowExecution(ctx, workflows.RunWorkflowID(run, attempt), "")
	var notFound *serviceerror.NotFound
	if errors.As(err, &notFound) {
		return RunGone, nil
	}
	if err != nil {
		return RunGone, fmt.Errorf("describe workflow of run %d: %w", run, err)
	}
	switch d.GetWorkflowExecutionInfo().GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING:
		return RunOpen, nil
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED:
		return RunFailed, nil
	}
	return RunGone, nil
}

// Unreachable tells whether an error means that Temporal, or the way to it, is away as a whole, and not that it
// refused this one call. A call that got no answer in time counts.
func Unreachable(err error) bool {
	var unavailable *serviceerror.Unavailable
	var late *serviceerror.DeadlineExceeded
	return errors.As(err, &unavailable) || errors.As(err, &late) || errors.Is(err, context.DeadlineExceeded)
}
