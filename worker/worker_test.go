package worker_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.temporal.io/sdk/client"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/devstack/temporaltest"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/postgres/pgtest"
	"github.com/pawl-ci/pawl/internal/reconcile"
	"github.com/pawl-ci/pawl/observability"
	"github.com/pawl-ci/pawl/worker"
	"github.com/pawl-ci/pawl/workflows"
)

func TestMain(m *testing.M) { temporaltest.Main(m, pgtest.Migrate(db.MigrateURL)) }

// installation is a worker on a real Temporal and a real Postgres; the test plays API server and gateway.
type installation struct {
	*db.DB
	engine   *engine.Temporal
	temporal client.Client
	registry *prometheus.Registry
	repo     *db.Repository
	runner   *db.Runner
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	server := temporaltest.New(t)
	in := &installation{DB: dbtest.Open(t), registry: prometheus.NewRegistry()}
	var err error
	in.temporal, err = client.Dial(client.Options{
		HostPort: server.Address, Namespace: server.Namespace, Logger: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	t.Cleanup(in.temporal.Close)
	require.NoError(t, engine.EnsureSearchAttributes(t.Context(), in.temporal, server.Namespace))
	in.engine = engine.New(in.temporal, server.Namespace)
	in.startWorker(t)
	in.repo = dbtest.Repository(t, in.DB, dbtest.Owner(t, in.DB))
	in.runner = &db.Runner{UUID: uuid.New(), TokenHash: []byte("x"), Name: "r", Labels: []string{}, Capabilities: []string{}}
	_, err = in.NewInsert().Model(in.runner).Exec(t.Context())
	require.NoError(t, err)
	return in
}

func (in *installation) startWorker(t *testing.T) {
	a, err := activities.New(in.DB, in.engine, activities.NewMetrics(in.registry), activities.Options{Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	w := worker.New(in.temporal, a, worker.Options{
		Hooks: in.hooks(t),
		Settings: workflows.Settings{Job: workflows.JobSettings{
			QueueTimeout: time.Hour, LostAfter: 2 * time.Second, CancelGrace: time.Second, MaxTries: 3,
		}},
	})
	require.NoError(t, w.Start())
	t.Cleanup(w.Stop)
}

func (in *installation) start(t *testing.T, jobs ...*db.Job) (*db.Run, *db.Attempt) {
	t.Helper()
	run, attempt := dbtest.Run(t, in.DB, in.repo, jobs...)
	s := engine.RunStart{RunID: run.ID, AttemptID: attempt.ID, Attempt: 1, Repository: in.repo.FullName(), Ref: run.Ref, RunNumber: run.RunNumber}
	require.NoError(t, in.engine.StartRun(t.Context(), s))
	started, err := in.engine.EnsureRun(t.Context(), s)
	require.NoError(t, err)
	require.False(t, started, "a second start does nothing")
	return run, attempt
}

// claim waits for the offer of a job and gives it to the runner, as a gateway does.
func (in *installation) claim(t *testing.T, j *db.Job, try int) *db.Task {
	t.Helper()
	var offer db.Offer
	in.eventually(t, func() bool {
		return in.NewRaw(`UPDATE offers SET state = 'claimed' WHERE job_id = ? AND try = ? AND state = 'queued' RETURNING *`, j.ID, try).
			Scan(t.Context(), &offer) == nil
	}, "job %d is offered", j.ID)
	task := &db.Task{
		OfferID: offer.ID, JobID: j.ID, Try: try, RunID: j.RunID, AttemptID: j.AttemptID, RepoID: j.RepoID, RunnerID: in.runner.ID,
		TokenHash: []byte(uuid.NewString()), Status: db.TaskRunning, Attached: offer.Attached, Steps: []db.Step{},
	}
	_, err := in.NewInsert().Model(task).Exec(t.Context())
	require.NoError(t, err)
	if offer.Attached {
		require.NoError(t, in.engine.Wake(t.Context(), j.ID))
	}
	return task
}

// finish stores the end of a task and tells the job's workflow, as a gateway does.
func (in *installation) finish(t *testing.T, task *db.Task, status db.TaskStatus) {
	t.Helper()
	err := in.NewRaw(`UPDATE tasks SET status = ?, stopped_at = now() WHERE id = ? RETURNING attached, supervised`, string(status), task.ID).
		Scan(t.Context(), &task.Attached, &task.Supervised)
	require.NoError(t, err)
	switch {
	case task.Supervised:
		require.NoError(t, in.engine.Complete(t.Context(), task.JobID, engine.TaskEnd{TaskID: task.ID, Status: string(status)}))
	case task.Attached:
		require.NoError(t, in.engine.Wake(t.Context(), task.JobID))
	}
}

func (in *installation) awaitEnd(t *testing.T, run *db.Run) ci.Status {
	t.Helper()
	in.eventually(t, func() bool {
		require.NoError(t, in.NewSelect().Model(run).WherePK().Scan(t.Context()))
		return run.Status.Terminal()
	}, "run %d ends", run.ID)
	return run.Status
}

func (in *installation) awaitSupervised(t *testing.T, task *db.Task) {
	t.Helper()
	in.eventually(t, func() bool {
		require.NoError(t, in.NewSelect().Model(task).WherePK().Scan(t.Context()))
		return task.Supervised
	}, "task %d is supervised", task.ID)
}

func (in *installation) eventually(t *testing.T, condition func() bool, format string, args ...any) {
	t.Helper()
	require.Eventuallyf(t, condition, time.Minute, 5*time.Millisecond, format, args...)
}

func needing(key string, needs ...string) *db.Job {
	j := dbtest.Job(key)
	j.Needs, j.Status = needs, ci.StatusBlocked
	return j
}

// TestWorker drives real workflows. Its parts share one database, because the ids of workflows come from it.
func TestWorker(t *testing.T) {
	in := newInstallation(t)

	t.Run("a task that ends before anybody looks, and one that is stood by", func(t *testing.T) {
		a, b := dbtest.Job("a"), needing("b", "a")
		run, _ := in.start(t, a, b)
		in.finish(t, in.claim(t, a, 1), db.TaskSuccess)
		task := in.claim(t, b, 1)
		in.awaitSupervised(t, task)
		require.NoError(t, in.engine.Heartbeat(t.Context(), b.ID, task.ID))
		in.finish(t, task, db.TaskSuccess)
		require.Equal(t, ci.StatusSuccess, in.awaitEnd(t, run))
		require.NoError(t, in.engine.Complete(t.Context(), b.ID, engine.TaskEnd{TaskID: task.ID}), "too late is no error")
		require.NoError(t, in.engine.Wake(t.Context(), b.ID))
		require.NoError(t, in.engine.Heartbeat(t.Context(), b.ID, task.ID))
	})

	t.Run("an if is decided without a runner", func(t *testing.T) {
		a := dbtest.Job("a")
		yes, no, bad := needing("yes", "a"), needing("no", "a"), needing("bad", "a")
		yes.IfExpr, no.IfExpr, bad.IfExpr = "failure() && github.event_name == 'push'", "success()", "nosuch()"
		run, _ := in.start(t, a, yes, no, bad)
		in.finish(t, in.claim(t, a, 1), db.TaskFailure)
		in.finish(t, in.claim(t, yes, 1), db.TaskSuccess)
		require.Equal(t, ci.StatusFailure, in.awaitEnd(t, run))
		jobs, err := in.JobsOfAttempt(t.Context(), run.ID, 1)
		require.NoError(t, err)
		require.Equal(t, []ci.Status{ci.StatusFailure, ci.StatusSuccess, ci.StatusSkipped, ci.StatusFailure},
			[]ci.Status{jobs[0].Status, jobs[1].Status, jobs[2].Status, jobs[3].Status})
		require.Contains(t, jobs[3].Reason, "nosuch")
	})

	t.Run("a lost runner's job is offered again", func(t *testing.T) {
		a := dbtest.Job("a")
		run, _ := in.start(t, a)
		task := in.claim(t, a, 1)
		_, err := in.NewRaw(`INSERT INTO gateway_uptime VALUES (true, now() - interval '1 h', now() + interval '1 h')
			ON CONFLICT (id) DO UPDATE SET since = excluded.since, seen_at = excluded.seen_at`).Exec(t.Context())
		require.NoError(t, err)
		second := in.claim(t, a, 2)
		require.NoError(t, in.NewSelect().Model(task).WherePK().Scan(t.Context()))
		require.Equal(t, db.TaskLost, task.Status)
		in.finish(t, second, db.TaskSuccess)
		require.Equal(t, ci.StatusSuccess, in.awaitEnd(t, run))
	})

	t.Run("a cancel ends what runs and what waits", func(t *testing.T) {
		running, waiting := dbtest.Job("running"), dbtest.Job("waiting")
		run, _ := in.start(t, running, waiting, needing("blocked", "waiting"))
		in.awaitSupervised(t, in.claim(t, running, 1))
		_, err := in.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 1, By: run.ActorID})
		require.NoError(t, err)
		require.NoError(t, in.engine.CancelRun(t.Context(), run.ID, 1, engine.CancelRequest{By: run.ActorID}))
		require.Equal(t, ci.StatusCancelled, in.awaitEnd(t, run))
		unheard, err := in.UnheardCancels(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Empty(t, unheard)
	})

	t.Run("a runner that may finish after a cancel is ended by force after the grace", func(t *testing.T) {
		in.runner.Capabilities = []string{db.CapabilityCancelling}
		_, err := in.NewUpdate().Model(in.runner).Column("capabilities").WherePK().Exec(t.Context())
		require.NoError(t, err)
		a := dbtest.Job("a")
		run, _ := in.start(t, a)
		task := in.claim(t, a, 1)
		in.awaitSupervised(t, task)
		_, err = in.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 1, By: run.ActorID})
		require.NoError(t, err)
		require.NoError(t, in.engine.CancelRun(t.Context(), run.ID, 1, engine.CancelRequest{By: run.ActorID}))
		require.Equal(t, ci.StatusCancelled, in.awaitEnd(t, run))
		require.NoError(t, in.NewSelect().Model(task).WherePK().Scan(t.Context()))
		require.Equal(t, db.TaskCancelled, task.Status)
		require.Contains(t, task.Reason, "did not end the job within 1s")
	})

	t.Run("webhooks are sent", in.testHooks)
	t.Run("a receiver that hangs keeps no other waiting", in.testHangingReceiver)
	t.Run("the retention sweep is scheduled once, and deletes what is due", func(t *testing.T) { in.testRetention(t) })

	t.Run("the reconciler mends what crashes left", func(t *testing.T) { in.testReconciler(t) })
	require.NoError(t, observability.CheckNames(in.registry))
	require.NoError(t, testutil.GatherAndCompare(in.registry, strings.NewReader(`
		# HELP pawl_runs_total Attempts of runs that ended, by conclusion.
		# TYPE pawl_runs_total counter
		pawl_runs_total{conclusion="cancelled"} 2
		pawl_runs_total{conclusion="failure"} 1
		pawl_runs_total{conclusion="skipped"} 0
		pawl_runs_total{conclusion="success"} 4
	`), "pawl_runs_total"))
}

func (in *installation) testRetention(t *testing.T) {
	require.NoError(t, in.engine.EnsureRetention(t.Context()))
	first, err := in.temporal.DescribeWorkflowExecution(t.Context(), workflows.RetentionWorkflowID, "")
	require.NoError(t, err)
	require.NoError(t, in.engine.EnsureRetention(t.Context()), "another worker starts")
	again, err := in.temporal.DescribeWorkflowExecution(t.Context(), workflows.RetentionWorkflowID, "")
	require.NoError(t, err)
	require.Equal(t, first.WorkflowExecutionInfo.Execution.RunId, again.WorkflowExecutionInfo.Execution.RunId)

	a := dbtest.Job("a")
	run, _ := in.start(t, a)
	in.finish(t, in.claim(t, a, 1), db.TaskSuccess)
	in.awaitEnd(t, run)
	days := 1
	require.NoError(t, in.EditRepository(t.Context(), in.repo.ID, db.RepositoryChange{RunDays: &days}))
	_, err = in.NewUpdate().Model(run).Set("stopped_at = now() - interval '2 days'").WherePK().Exec(t.Context())
	require.NoError(t, err)
	sweep, err := in.temporal.ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{ID: "sweep by hand", TaskQueue: workflows.TaskQueue},
		workflows.RetentionWorkflowName)
	require.NoError(t, err)
	require.NoError(t, sweep.Get(t.Context(), nil))
	left, err := in.NewSelect().Model(run).WherePK().Exists(t.Context())
	require.NoError(t, err)
	require.False(t, left)
	days = 0
	require.NoError(t, in.EditRepository(t.Context(), in.repo.ID, db.RepositoryChange{RunDays: &days}))
}

func (in *installation) testReconciler(t *testing.T) {
	registry := prometheus.NewRegistry()
	r := reconcile.New(reconcile.Config{
		DB: in.DB, Engine: in.engine, Logger: slog.New(slog.DiscardHandler), Registerer: registry, Age: time.Nanosecond,
		AbandonedAge: time.Nanosecond, CompareEvery: time.Nanosecond,
	})
	sound := dbtest.Job("sound")
	soundRun, _ := in.start(t, sound)
	r.Pass(t.Context())
	in.finish(t, in.claim(t, sound, 1), db.TaskSuccess)
	for range 20 { // around the end of the run
		r.Pass(t.Context())
	}
	require.Equal(t, ci.StatusSuccess, in.awaitEnd(t, soundRun))
	requireRepairs(t, registry, 0, 0)

	a := dbtest.Job("a")
	run, attempt := dbtest.Run(t, in.DB, in.repo, a) // stored, and the process died before the start
	r.Pass(t.Context())
	r.Pass(t.Context())
	requireRepairs(t, registry, 1, 0)
	task := in.claim(t, a, 1)

	require.NoError(t, in.temporal.TerminateWorkflow(t.Context(), workflows.RunWorkflowID(run.ID, 1), "", "by hand"))
	in.eventually(t, func() bool {
		r.Pass(t.Context())
		require.NoError(t, in.NewSelect().Model(run).WherePK().Scan(t.Context()))
		return run.Status.Terminal()
	}, "the terminated run ends")
	require.Equal(t, ci.StatusCancelled, run.Status)
	require.NoError(t, in.NewSelect().Model(task).WherePK().Scan(t.Context()))
	require.Equal(t, db.TaskCancelled, task.Status)
	state, err := in.engine.RunState(t.Context(), run.ID, attempt.Number)
	require.NoError(t, err)
	require.Equal(t, engine.RunGone, state)
	r.Pass(t.Context())
	requireRepairs(t, registry, 1, 1)
}

func requireRepairs(t *testing.T, from prometheus.Gatherer, start, abandoned int) {
	t.Helper()
	require.NoError(t, testutil.GatherAndCompare(from, strings.NewReader(fmt.Sprintf(`
		# HELP pawl_reconciler_repairs_total Differences between Postgres and Temporal that were repaired, by kind.
		# TYPE pawl_reconciler_repairs_total counter
		pawl_reconciler_repairs_total{kind="abandoned"} %d
		pawl_reconciler_repairs_total{kind="cancel"} 0
		pawl_reconciler_repairs_total{kind="gate"} 0
		pawl_reconciler_repairs_total{kind="news"} 0
		pawl_reconciler_repairs_total{kind="push"} 0
		pawl_reconciler_repairs_total{kind="start"} %d
	`, abandoned, start))))
}
