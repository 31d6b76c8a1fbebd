package workflows_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/workflows"
)

// sweep plays the retention activities: each answers so often that there is more.
type sweep struct {
	left  map[string]int
	calls []string
	// fail is how often the next call fails first.
	fail int
}

func (s *sweep) batch(name string) func(context.Context) (workflows.RetentionBatch, error) {
	return func(context.Context) (workflows.RetentionBatch, error) {
		if s.fail > 0 {
			s.fail--
			return workflows.RetentionBatch{}, errors.New("the database is away")
		}
		s.calls = append(s.calls, name)
		s.left[name]--
		return workflows.RetentionBatch{More: s.left[name] > 0}, nil
	}
}

func (s *sweep) run(t *testing.T) error {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.RegisterWorkflowWithOptions(workflows.Retention, workflow.RegisterOptions{Name: workflows.RetentionWorkflowName})
	for _, name := range []string{workflows.ActivityExpireLogs, workflows.ActivityDeleteRuns, workflows.ActivityDiscardLogs} {
		env.RegisterActivityWithOptions(s.batch(name), activity.RegisterOptions{Name: name})
	}
	env.ExecuteWorkflow(workflows.RetentionWorkflowName)
	require.True(t, env.IsWorkflowCompleted())
	return env.GetWorkflowError()
}

func TestRetentionWorksUntilNothingIsDue(t *testing.T) {
	s := &sweep{left: map[string]int{workflows.ActivityExpireLogs: 3}, fail: 2}
	require.NoError(t, s.run(t))
	require.Equal(t, []string{
		workflows.ActivityExpireLogs, workflows.ActivityExpireLogs, workflows.ActivityExpireLogs,
		workflows.ActivityDeleteRuns, workflows.ActivityDiscardLogs,
	}, s.calls)
}

func TestRetentionBoundsItsHistory(t *testing.T) {
	s := &sweep{left: map[string]int{workflows.ActivityDiscardLogs: 10_000}}
	var next *workflow.ContinueAsNewError
	require.ErrorAs(t, s.run(t), &next)
	require.Equal(t, workflows.RetentionWorkflowName, next.WorkflowType.Name)
	require.Len(t, s.calls, 500)
}

func TestRetentionGivesUpUntilTheNextSweep(t *testing.T) {
	s := &sweep{left: map[string]int{}, fail: 1 << 30}
	var failed *temporal.ActivityError
	require.ErrorAs(t, s.run(t), &failed)
}
