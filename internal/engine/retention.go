package engine

import (
	"context"
	"fmt"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/workflows"
)

// EnsureRetention has the retention sweep run by its schedule. It does nothing when it is there already, whoever started
// it.
func (t *Temporal) EnsureRetention(ctx context.Context) error {
	_, err := t.client.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID:                       workflows.RetentionWorkflowID,
		TaskQueue:                workflows.TaskQueue,
		CronSchedule:             workflows.RetentionCron,
		WorkflowIDConflictPolicy: enumspb.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    enumspb.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
	}, workflows.RetentionWorkflowName)
	if err != nil {
		return fmt.Errorf("start the retention sweep: %w", err)
	}
	return nil
}
