package activities_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/temporal"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/workflows"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

func newActivities(t *testing.T) (*activities.Activities, *db.DB, *prometheus.Registry) {
	t.Helper()
	d, registry := dbtest.Open(t), prometheus.NewRegistry()
	a, err := activities.New(d, nobody{}, activities.NewMetrics(registry), activities.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	return a, d, registry
}

// nobody is woken.
type nobody struct{}

func (nobody) WakeRun(context.Context, int64, int) error { return nil }

// offered stores a run with one job that waits for a runner.
func offered(t *testing.T, d *db.DB) *db.Job {
	t.Helper()
	j := dbtest.Job("a", "linux")
	dbtest.Run(t, d, dbtest.Repository(t, d, dbtest.Owner(t, d)), j)
	dbtest.Offer(t, d, j)
	return j
}

func claim(t *testing.T, d *db.DB, j *db.Job) {
	t.Helper()
	r := &db.Runner{UUID: uuid.New(), TokenHash: []byte("x"), Name: "r", Labels: []string{"linux"}, Capabilities: []string{db.CapabilityCancelling}}
	_, err := d.NewInsert().Model(r).Exec(t.Context())
	require.NoError(t, err)
	got, err := d.Claim(t.Context(), db.Claim{RunnerID: r.ID, LabelSets: []int64{j.LabelSetID}, TokenHash: []byte("t")})
	require.NoError(t, err)
	require.NotNil(t, got.Task)
}

func retries(t *testing.T, r *prometheus.Registry) float64 {
	t.Helper()
	families, err := r.Gather()
	require.NoError(t, err)
	for _, f := range families {
		if f.GetName() == "pawl_task_retries_total" {
			var sum float64
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
			return sum
		}
	}
	return -1
}

func TestARetryIsCountedOnceItIsMade(t *testing.T) {
	a, d, registry := newActivities(t)
	again := workflows.OfferAgain{TaskRef: workflows.TaskRef{JobID: offered(t, d).ID, Try: 2}}
	_, err := a.OfferAgain(t.Context(), again)
	require.NoError(t, err)
	require.EqualValues(t, 1, retries(t, registry))
	d.Pool.Close()
	_, err = a.OfferAgain(t.Context(), again)
	require.Error(t, err)
	require.EqualValues(t, 1, retries(t, registry), "nothing was offered")
}

func TestEndTaskEndsAsMuchAsItIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		message workflows.EndTask
		claimed bool
		want    workflows.TaskPhase
	}{
		"only queued, queued":  {workflows.EndTask{OnlyQueued: true}, false, workflows.PhaseEnded},
		"only queued, claimed": {workflows.EndTask{OnlyQueued: true}, true, workflows.PhaseRunning},
		"gracefully":           {workflows.EndTask{}, true, workflows.PhaseCancelling},
		"by force":             {workflows.EndTask{Force: true}, true, workflows.PhaseEnded},
	} {
		t.Run(name, func(t *testing.T) {
			a, d, _ := newActivities(t)
			j := offered(t, d)
			if c.claimed {
				claim(t, d, j)
			}
			c.message.TaskRef, c.message.Reason = workflows.TaskRef{JobID: j.ID, Try: 1}, "why"
			got, err := a.EndTask(t.Context(), c.message)
			require.NoError(t, err)
			require.Equal(t, c.want, got.Phase)
			if c.want == workflows.PhaseEnded {
				require.Equal(t, "why", got.End.Reason)
			}
		})
	}
}

func TestCheckTaskOfATaskThatIsGoneIsNotRepeated(t *testing.T) {
	a, _, _ := newActivities(t)
	_, err := a.CheckTask(t.Context(), workflows.CheckTask{TaskRef: workflows.TaskRef{TaskID: 999}, LostAfter: time.Minute})
	var failure *temporal.ApplicationError
	require.ErrorAs(t, err, &failure)
	require.True(t, failure.NonRetryable())
}
