package hook

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/observability"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// installation is a database, and Temporal as far as it starts workflows.
type installation struct {
	*db.DB
	t        *testing.T
	repo     *db.Repository
	now      time.Time
	bodies   error  // what making a body ends in
	temporal error  // what starting a workflow ends in
	onBody   func() // is called whenever a body is made

	mu      sync.Mutex
	started map[int64]int
}

func newInstallation(t *testing.T) *installation {
	in := &installation{DB: dbtest.Open(t), t: t, now: time.Now(), started: map[int64]int{}}
	in.repo = dbtest.Repository(t, in.DB, dbtest.Owner(t, in.DB))
	return in
}

func (in *installation) HookPayload(_ context.Context, e db.StatusEvent, event, action string) (string, string, bool, error) {
	if in.onBody != nil {
		in.onBody()
	}
	ref := "refs/heads/main"
	return fmt.Sprintf(`{"action":%q}`, action), ref, e.RunNumber != 0, in.bodies
}

func (in *installation) StartDelivery(_ context.Context, id int64) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.temporal == nil {
		in.started[id]++
	}
	return in.temporal
}

// process is a Fanout that has just started.
func (in *installation) process(name string) *Fanout {
	in.t.Helper()
	f, err := NewFanout(Config{
		DB: in.DB, Payloads: in, Starter: in, Holder: name, Logger: slog.New(slog.DiscardHandler), Registerer: prometheus.NewRegistry(),
		Now: func() time.Time { return in.now },
	})
	require.NoError(in.t, err)
	return f
}

func (in *installation) hook(scope db.HookScope, change ...func(*db.Hook)) *db.Hook {
	in.t.Helper()
	h := &db.Hook{
		RepoID: scope.RepoID, OwnerID: scope.OwnerID, Type: "gitea", URL: "http://x/", ContentType: "json",
		Events: []string{EventJob, EventRun}, IsActive: true,
	}
	for _, c := range change {
		c(h)
	}
	require.NoError(in.t, in.CreateHook(in.t.Context(), h, func(*db.Hook) error { return nil }))
	return h
}

// told are the messages that are stored for a hook, the first one first.
func (in *installation) told(h *db.Hook) []string {
	in.t.Helper()
	list, _, err := in.Deliveries(in.t.Context(), h.ID, db.Page{Limit: 1000})
	require.NoError(in.t, err)
	out := []string{}
	for i := len(list) - 1; i >= 0; i-- {
		out = append(out, list[i].Event+" "+list[i].Action)
	}
	return out
}

// pass makes passes until the events are read: transactions of other tests hold them back for a moment.
func (in *installation) pass(f *Fanout) {
	in.t.Helper()
	require.Eventually(in.t, func() bool {
		require.NoError(in.t, f.Pass(in.t.Context()))
		stats, err := in.DeliveryStats(in.t.Context())
		require.NoError(in.t, err)
		return stats.Unread == 0
	}, time.Minute, 2*time.Millisecond)
}

func (in *installation) exec(query string, args ...any) {
	in.t.Helper()
	_, err := in.Pool.Exec(in.t.Context(), query, args...)
	require.NoError(in.t, err)
}

func TestEachHookHearsWhatItWants(t *testing.T) {
	in := newInstallation(t)
	all := in.hook(db.HookScope{RepoID: in.repo.ID})
	owners := in.hook(db.HookScope{OwnerID: in.repo.OwnerID}, func(h *db.Hook) { h.Events = []string{EventRun, "push"} })
	for name, deaf := range map[string]*db.Hook{
		"another repository": in.hook(db.HookScope{RepoID: dbtest.Repository(t, in.DB, in.repo.Owner).ID}),
		"another owner":      in.hook(db.HookScope{OwnerID: dbtest.Owner(t, in.DB).ID}),
		"switched off":       in.hook(db.HookScope{RepoID: in.repo.ID}, func(h *db.Hook) { h.IsActive = false }),
		"other events":       in.hook(db.HookScope{RepoID: in.repo.ID}, func(h *db.Hook) { h.Events = []string{"push"} }),
		"another branch":     in.hook(db.HookScope{RepoID: in.repo.ID}, func(h *db.Hook) { h.BranchFilter = "release/*" }),
	} {
		defer func() { require.Empty(t, in.told(deaf), name) }()
	}
	j := dbtest.Job("a")
	run, attempt := dbtest.Run(t, in.DB, in.repo, j)
	late := in.hook(db.HookScope{RepoID: in.repo.ID})
	in.exec(`UPDATE jobs SET status = 'running' WHERE id = $1`, j.ID)
	in.exec(`UPDATE runs SET status = 'running' WHERE id = $1`, run.ID)
	_, err := in.RecordStep(t.Context(), db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess, Ended: []db.JobEnd{{JobID: j.ID, Status: ci.StatusSuccess}},
	})
	require.NoError(t, err)
	f := in.process("a")
	in.pass(f)
	in.pass(f)
	want := []string{
		"workflow_run requested", "workflow_job queued", "workflow_job in_progress", "workflow_run in_progress",
		"workflow_job completed", "workflow_run completed",
	}
	require.Equal(t, want, in.told(all))
	require.Equal(t, want[2:], in.told(late), "nothing of what was before it")
	require.Equal(t, []string{want[0], want[3], want[5]}, in.told(owners))
	require.Len(t, in.started, 13)
	require.Equal(t, 13.0, testutil.ToFloat64(f.metrics.pending))
	require.NoError(t, observability.CheckNames(f.Registerer.(*prometheus.Registry)))
}

// Two processes, and one that dies between any two steps, make each delivery once.
func TestCrashesRepeatNothing(t *testing.T) {
	in := newInstallation(t)
	h := in.hook(db.HookScope{RepoID: in.repo.ID})
	dbtest.Run(t, in.DB, in.repo, dbtest.Job("a"))
	in.temporal = errors.New("Temporal is away")
	a, b := in.process("a"), in.process("b")
	require.Eventually(t, func() bool {
		err := a.Pass(t.Context())
		return len(in.told(h)) == 2 && err != nil
	}, time.Minute, time.Millisecond, "stored, and not started")
	require.Empty(t, in.started)
	require.NoError(t, b.Pass(t.Context()), "it waits")
	require.Empty(t, in.started)

	in.temporal = nil
	in.exec(`UPDATE event_readers SET held_until = now() - interval '1 s'`) // a has died
	in.pass(b)
	require.Len(t, in.started, 2)
	// It had started them and died before it noted that.
	in.exec(`UPDATE hook_deliveries SET workflow_at = NULL`)
	in.pass(b)
	require.Len(t, in.started, 2, "the id of the workflow makes it once")
	// It comes back to a place that it had passed.
	in.exec(`UPDATE event_readers SET xid = '0', id = 0`)
	in.pass(b)
	require.Len(t, in.told(h), 2)
	require.NoError(t, a.Pass(t.Context()))
	require.Zero(t, testutil.ToFloat64(a.metrics.pending), "who does not read shows nothing")
}

func TestWhatIsGoneIsNotTold(t *testing.T) {
	in := newInstallation(t)
	h := in.hook(db.HookScope{RepoID: in.repo.ID})
	run, _ := dbtest.Run(t, in.DB, in.repo, dbtest.Job("a"))
	in.exec(`DELETE FROM runs WHERE id = $1`, run.ID)
	in.pass(in.process("a"))
	require.Empty(t, in.told(h))
	dbtest.Run(t, in.DB, in.repo, dbtest.Job("b"))
	in.exec(`DELETE FROM repositories WHERE id = $1`, in.repo.ID)
	in.pass(in.process("a"))
}

// An event whose message cannot be made holds up the others for some passes, and not for ever.
func TestAnEventThatFailsIsLeftOut(t *testing.T) {
	in := newInstallation(t)
	h := in.hook(db.HookScope{RepoID: in.repo.ID})
	dbtest.Run(t, in.DB, in.repo, dbtest.Job("a"))
	in.bodies = errors.New("a defect")
	f := in.process("a")
	failures := 0
	require.Eventually(t, func() bool {
		if f.Pass(t.Context()) != nil {
			failures++
		}
		return failures == 2*(patience-1)
	}, time.Minute, time.Millisecond)
	in.bodies = nil
	dbtest.Run(t, in.DB, in.repo)
	require.Eventually(t, func() bool {
		_ = f.Pass(t.Context())
		return len(in.told(h)) > 0
	}, time.Minute, time.Millisecond)
}

// Changes that come as fast as they are read do not keep the messages of those before from being sent.
func TestAFanoutThatIsNeverDone(t *testing.T) {
	in := newInstallation(t)
	in.hook(db.HookScope{RepoID: in.repo.ID})
	j := dbtest.Job("a")
	dbtest.Run(t, in.DB, in.repo, j)
	bodies := 0
	in.onBody = func() {
		if bodies++; bodies < 500 {
			in.exec(`UPDATE jobs SET status = CASE status WHEN 'running' THEN 'waiting' ELSE 'running' END WHERE id = $1`, j.ID)
		}
	}
	f := in.process("a")
	require.Eventually(t, func() bool {
		require.NoError(t, f.Pass(t.Context()))
		return len(in.started) > 0
	}, time.Minute, time.Millisecond)
	require.Less(t, bodies, 100)
}

func TestSweeps(t *testing.T) {
	in := newInstallation(t)
	h := in.hook(db.HookScope{RepoID: in.repo.ID})
	dbtest.Run(t, in.DB, in.repo, dbtest.Job("a"))
	f := in.process("a")
	in.pass(f)
	in.exec(`UPDATE hook_deliveries SET created_at = now() - interval '8 days' WHERE action = 'queued'`)
	in.exec(`UPDATE status_events SET at = now() - interval '3 days'`)
	in.pass(f)
	require.Len(t, in.told(h), 2, "not so soon")
	in.now = in.now.Add(sweepEvery)
	in.pass(f)
	require.Equal(t, []string{"workflow_run requested"}, in.told(h))
	var left int
	require.NoError(t, in.NewRaw(`SELECT count(*) FROM status_events`).Scan(t.Context(), &left))
	require.Zero(t, left)

	in.exec(`INSERT INTO hook_deliveries (hook_id, event, payload, state) SELECT $1, 'ping', '{}', 'failed' FROM generate_series(1, $2)`, h.ID, keepPerHook)
	require.NoError(t, in.SweepDeliveries(t.Context(), keepDeliveries, keepPerHook, 10))
	require.Len(t, in.told(h), 1000, "a page holds that many")
	_, total, err := in.Deliveries(t.Context(), h.ID, db.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, keepPerHook+1, total, "a pending one is kept")
	in.exec(`INSERT INTO hook_deliveries (hook_id, event, payload, state) VALUES ($1, 'ping', '{}', 'failed')`, h.ID)
	require.NoError(t, in.SweepDeliveries(t.Context(), keepDeliveries, keepPerHook, 10))
	_, total, err = in.Deliveries(t.Context(), h.ID, db.Page{Limit: 1})
	require.NoError(t, err)
	require.Equal(t, keepPerHook+1, total)
}
