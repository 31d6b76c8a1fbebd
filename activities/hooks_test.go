package activities_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/egress"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/workflows"
)

// hooks is a webhook that leads to a real receiver, and the real workflow with time that is skipped.
type hooks struct {
	*db.DB
	t          *testing.T
	activities *activities.Hooks
	registry   *prometheus.Registry
	hook       *db.Hook

	mu      sync.Mutex
	answers []int // in order; the last is repeated
	guids   []string
	bodies  []string
}

func newHooks(t *testing.T, answers ...int) *hooks {
	h := &hooks{DB: dbtest.Open(t), t: t, registry: prometheus.NewRegistry(), answers: answers}
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	keys, err := secretbox.New([]byte("a secret key of this test"))
	require.NoError(t, err)
	policy, err := egress.ParseList("loopback")
	require.NoError(t, err)
	metrics, err := hook.NewMetrics(h.registry)
	require.NoError(t, err)
	sender := hook.NewSender(keys, egress.New(policy), time.Minute, metrics)
	t.Cleanup(sender.Close)
	h.activities = activities.NewHooks(h.DB, sender, metrics)
	repo := dbtest.Repository(t, h.DB, dbtest.Owner(t, h.DB))
	h.hook = &db.Hook{RepoID: repo.ID, Type: "gitea", URL: server.URL, ContentType: "json", Events: []string{hook.EventRun}, IsActive: true}
	require.NoError(t, h.CreateHook(t.Context(), h.hook, func(row *db.Hook) error { return hook.Secrets{Secret: "s"}.Seal(keys, row) }))
	return h
}

func (h *hooks) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	h.guids, h.bodies = append(h.guids, r.Header.Get("X-Gitea-Delivery")), append(h.bodies, string(body))
	w.Header().Set("X-Answer", "yes")
	w.WriteHeader(h.answers[0])
	_, _ = io.WriteString(w, "so be it")
	if len(h.answers) > 1 {
		h.answers = h.answers[1:]
	}
}

// deliver stores a delivery, runs its workflow to the end, and returns the row.
func (h *hooks) deliver() *db.HookDelivery {
	h.t.Helper()
	d := &db.HookDelivery{HookID: h.hook.ID, GUID: uuid.New(), Event: hook.EventRun, Action: "requested", Payload: `{"a":1}`}
	require.NoError(h.t, h.AddDelivery(h.t.Context(), d))
	h.run(d.ID)
	row, err := h.HookDelivery(h.t.Context(), d.ID)
	require.NoError(h.t, err)
	return row
}

func (h *hooks) run(id int64) {
	h.t.Helper()
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestWorkflowEnvironment()
	env.SetTestTimeout(time.Minute)
	env.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: time.Minute}) // machines of CI are slow
	h.activities.Register(env)
	h.activities.RegisterSending(env)
	env.ExecuteWorkflow(workflows.Delivery, workflows.DeliveryInput{DeliveryID: id})
	require.True(h.t, env.IsWorkflowCompleted())
	require.NoError(h.t, env.GetWorkflowError())
}

func (h *hooks) outcomes(delivered, failed float64) {
	h.t.Helper()
	require.NoError(h.t, observability.CheckNames(h.registry))
	count, err := testutil.GatherAndCount(h.registry, "pawl_hook_deliveries_total")
	require.NoError(h.t, err)
	require.Equal(h.t, 2, count)
	families, err := h.registry.Gather()
	require.NoError(h.t, err)
	for _, f := range families {
		if f.GetName() == "pawl_hook_deliveries_total" {
			require.Equal(h.t, []float64{delivered, failed}, []float64{f.GetMetric()[0].GetCounter().GetValue(), f.GetMetric()[1].GetCounter().GetValue()})
		}
	}
}

func TestADeliveryGoesThroughAfterRefusals(t *testing.T) {
	h := newHooks(t, 500, 429, 200)
	d := h.deliver()
	require.Equal(t, db.DeliveryDelivered, d.State)
	require.Equal(t, 3, d.Tries)
	require.Equal(t, 200, d.StatusCode)
	require.Equal(t, "so be it", string(d.ResponseBody))
	require.Equal(t, "yes", d.ResponseHeaders["X-Answer"])
	require.Equal(t, "workflow_run", d.RequestHeaders["X-Gitea-Event"])
	require.Empty(t, d.Error)
	require.Equal(t, []string{d.GUID.String(), d.GUID.String(), d.GUID.String()}, h.guids, "the receiver can tell repetitions")
	require.Equal(t, `{"a":1}`, h.bodies[2])
	h.outcomes(1, 0)

	h.run(d.ID) // the workflow is repeated
	require.Len(t, h.guids, 3, "what is delivered is not sent again")
}

func TestADeliveryIsGivenUp(t *testing.T) {
	h := newHooks(t, 503)
	d := h.deliver()
	require.Equal(t, db.DeliveryFailed, d.State)
	require.Equal(t, 8, d.Tries)
	require.Len(t, h.guids, 8)
	require.Equal(t, "the receiver answered 503", d.Error)
	h.outcomes(0, 1)
}

func TestARefusalForGoodIsTheEnd(t *testing.T) {
	h := newHooks(t, 410)
	d := h.deliver()
	require.Equal(t, db.DeliveryFailed, d.State)
	require.Len(t, h.guids, 1)
	h.outcomes(0, 1)
}

func TestADeliveryThatIsGoneIsNoFault(t *testing.T) {
	h := newHooks(t, 200)
	d := h.deliver()
	require.NoError(t, h.DeleteHook(t.Context(), db.HookScope{RepoID: h.hook.RepoID}, h.hook.ID))
	h.run(d.ID)
	require.Len(t, h.guids, 1)
}
