package temporaltest

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

func TestMain(m *testing.M) { Main(m) }

func TestWorkflowWithSearchAttributes(t *testing.T) {
	server := New(t)
	c, err := client.Dial(client.Options{HostPort: server.Address, Namespace: server.Namespace})
	require.NoError(t, err)
	defer c.Close()
	queue := uuid.NewString()
	w := worker.New(c, queue, worker.Options{})
	double := func(_ workflow.Context, n int) (int, error) { return 2 * n, nil }
	w.RegisterWorkflowWithOptions(double, workflow.RegisterOptions{Name: "Double"})
	require.NoError(t, w.Start())
	defer w.Stop()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	run, err := c.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		TaskQueue: queue,
		TypedSearchAttributes: temporal.NewSearchAttributes(
			temporal.NewSearchAttributeKeyKeyword("PawlRepository").ValueSet("octo/"+queue),
			temporal.NewSearchAttributeKeyInt64("PawlRunNumber").ValueSet(7),
		),
	}, "Double", 21)
	require.NoError(t, err)
	var result int
	require.NoError(t, run.Get(ctx, &result))
	require.Equal(t, 42, result)
	require.Eventually(t, func() bool { return found(t, c, queue) }, 30*time.Second, 10*time.Millisecond)
}

func found(t *testing.T, c client.Client, queue string) bool {
	list, err := c.ListWorkflow(t.Context(), listRequest("PawlRepository = 'octo/"+queue+"' AND PawlRunNumber = 7"))
	require.NoError(t, err)
	return len(list.Executions) == 1
}

func listRequest(query string) *workflowservice.ListWorkflowExecutionsRequest {
	return &workflowservice.ListWorkflowExecutionsRequest{Query: query}
}
