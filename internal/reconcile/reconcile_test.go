package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"go.temporal.io/api/serviceerror"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/engine"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// fake is a Temporal and a git store that do as the test says; by default every workflow is missing.
type fake struct {
	ensure  func(context.Context, engine.RunStart) (bool, error)
	signal  func(run int64) error
	state   func(run int64) (engine.RunState, error)
	replay  func(context.Context, *db.Repository) (int, error)
	started []int64
	sent    int
	woken   []int64
	request engine.CancelRequest
}

func (f *fake) EnsureRun(ctx context.Context, s engine.RunStart) (bool, error) {
	f.started = append(f.started, s.RunID)
	if f.ensure == nil {
		return true, nil
	}
	return f.ensure(ctx, s)
}

func (f *fake) WakeRun(_ context.Context, run int64, _ int) error {
	f.woken = append(f.woken, run)
	return nil
}

func (f *fake) CancelRun(_ context.Context, run int64, _ int, c engine.CancelRequest) error {
	f.request = c
	f.sent++
	if f.signal == nil {
		return nil
	}
	return f.signal(run)
}

func (f *fake) RunState(_ context.Context, run int64, _ int) (engine.RunState, error) {
	if f.state == nil {
		return engine.RunOpen, nil
	}
	return f.state(run)
}

func (f *fake) ReplayPush(ctx context.Context, repo *db.Repository) (int, error) {
	if f.replay == nil {
		return 0, nil
	}
	return f.replay(ctx, repo)
}

type fixture struct {
	*fake
	*Reconciler
	t    *testing.T
	db   *db.DB
	repo *db.Repository
	now  time.Time
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{fake: &fake{}, t: t, db: dbtest.Open(t), now: time.Now()}
	f.repo = dbtest.Repository(t, f.db, dbtest.Owner(t, f.db))
	f.Reconciler = New(Config{
		DB: f.db, Engine: f.fake, Pusher: f.fake, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Registerer: prometheus.NewRegistry(), Age: time.Nanosecond, AbandonedAge: time.Nanosecond,
		CompareEvery: time.Nanosecond, Now: func() time.Time { return f.now },
	})
	return f
}

// pass makes a pass some time after the last one.
func (f *fixture) pass(after time.Duration) {
	f.now = f.now.Add(after)
	f.Pass(f.t.Context())
}

// stored is a run of which no worker has heard.
func (f *fixture) stored() (*db.Run, *db.Attempt) {
	f.t.Helper()
	return dbtest.Run(f.t, f.db, f.repo, dbtest.Job("a"))
}

// begun is a run that a worker has taken up.
func (f *fixture) begun() (*db.Run, *db.Attempt) {
	f.t.Helper()
	run, attempt := f.stored()
	_, err := f.db.LoadPlan(f.t.Context(), attempt.ID)
	require.NoError(f.t, err)
	return run, attempt
}

// pushing is a push under way.
func (f *fixture) pushing(repo *db.Repository) (id int64) {
	f.t.Helper()
	id, err := f.db.BeginPush(f.t.Context(), repo.ID, repo.OwnerID)
	require.NoError(f.t, err)
	return id
}

func (f *fixture) end(run *db.Run, attempt *db.Attempt) {
	f.t.Helper()
	step := db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess}
	_, err := f.db.RecordStep(f.t.Context(), step)
	require.NoError(f.t, err)
}

func (f *fixture) status(run *db.Run) ci.Status {
	f.t.Helper()
	require.NoError(f.t, f.db.NewSelect().Model(run).WherePK().Scan(f.t.Context()))
	return run.Status
}

func (f *fixture) requireRepairs(start, cancel, push, abandoned int) {
	f.t.Helper()
	got := map[string]int{}
	for _, kind := range []string{kindStart, kindCancel, kindPush, kindAbandoned} {
		got[kind] = int(testutil.ToFloat64(f.repairs.WithLabelValues(kind)))
	}
	want := map[string]int{kindStart: start, kindCancel: cancel, kindPush: push, kindAbandoned: abandoned}
	require.Equal(f.t, want, got)
}

var errBad = errors.New("this one is bad")

func TestOneBadItemHoldsUpNothingElse(t *testing.T) {
	f := newFixture(t)
	badStart, _ := f.stored()
	f.stored()
	badCancel, _ := f.begun()
	goodCancel, _ := f.begun()
	for _, run := range []*db.Run{badCancel, goodCancel} {
		f.cancel(run)
	}
	badOpen, _ := f.begun()
	gone, _ := f.begun()
	badRepo, goodRepo := f.repo, dbtest.Repository(t, f.db, f.repo.Owner)
	f.pushing(badRepo)
	f.pushing(goodRepo)
	old := f.pushing(dbtest.Repository(t, f.db, f.repo.Owner))
	_, err := f.db.NewRaw(`UPDATE pending_pushes SET began_at = now() - interval '1 day' WHERE id = ?`, old).Exec(t.Context())
	require.NoError(t, err)

	badIf := func(is bool) error {
		if is {
			return errBad
		}
		return nil
	}
	f.ensure = func(_ context.Context, s engine.RunStart) (bool, error) { return true, badIf(s.RunID == badStart.ID) }
	f.signal = func(run int64) error { return badIf(run == badCancel.ID) }
	f.state = func(run int64) (engine.RunState, error) {
		if run == gone.ID {
			return engine.RunGone, nil
		}
		return engine.RunOpen, badIf(run == badOpen.ID)
	}
	f.replay = func(_ context.Context, r *db.Repository) (int, error) {
		if r.ID == goodRepo.ID {
			return 1, nil
		}
		return 0, badIf(r.ID == badRepo.ID)
	}
	f.pass(0)
	f.requireRepairs(1, 1, 1, 1)
	require.Equal(t, ci.StatusCancelled, f.status(gone))
	var left int
	require.NoError(t, f.db.NewRaw(`SELECT count(*) FROM pending_pushes WHERE id = ?`, old).Scan(t.Context(), &left))
	require.Zero(t, left, "old pushes are forgotten all the same")
}

func TestTemporalThatIsAwayIsAskedAFewTimesOnly(t *testing.T) {
	f := newFixture(t)
	for range 10 {
		f.stored()
	}
	f.ensure = func(context.Context, engine.RunStart) (bool, error) {
		return false, serviceerror.NewUnavailable("away")
	}
	replays := 0
	f.pushing(f.repo)
	f.replay = func(context.Context, *db.Repository) (int, error) { replays++; return 0, nil }
	f.pass(0)
	require.Len(t, f.started, maxUnreachable)
	require.Equal(t, 1, replays, "the other steps have their turn")

	f.ensure = nil
	f.pass(0)
	f.requireRepairs(10, 0, 0, 0)
}

func TestRefusalsDoNotLookLikeAnOutage(t *testing.T) {
	f := newFixture(t)
	for range 10 {
		f.stored()
	}
	f.ensure = func(context.Context, engine.RunStart) (bool, error) { return false, errBad }
	f.pass(0)
	require.Len(t, f.started, 10)
}

func TestEveryItemHasADeadline(t *testing.T) {
	f := newFixture(t)
	f.stored()
	f.ensure = func(ctx context.Context, _ engine.RunStart) (bool, error) {
		deadline, bounded := ctx.Deadline()
		require.True(t, bounded)
		require.WithinDuration(t, time.Now(), deadline, itemLimit)
		return true, nil
	}
	f.pass(0)
	f.requireRepairs(1, 0, 0, 0)
}

// Workers are away for twelve hours: a workflow's history takes some thousand signals.
func TestCancelIsRepeatedMoreAndMoreRarely(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.begun()
	f.cancel(run)
	for range 12 * 60 {
		f.pass(time.Minute)
	}
	require.Less(t, f.sent, 160)
	require.Greater(t, f.sent, 140, "once in five minutes")
	f.requireRepairs(0, 1, 0, 0)

	_, err := f.db.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: attempt.ID, CancelSeen: true})
	require.NoError(t, err)
	before := f.sent
	f.pass(time.Hour)
	require.Equal(t, before, f.sent)
}

func TestCancelThatFailedIsRepeatedAtOnce(t *testing.T) {
	f := newFixture(t)
	run, _ := f.begun()
	f.cancel(run)
	f.signal = func(int64) error { return serviceerror.NewUnavailable("away") }
	for range 20 {
		f.pass(2 * time.Second)
	}
	require.Equal(t, 20, f.sent)
	f.requireRepairs(0, 0, 0, 0)
	f.signal = nil
	f.pass(2 * time.Second)
	f.requireRepairs(0, 1, 0, 0)
}

func TestWorkflowThatWaitsForAWorkerIsNoRepair(t *testing.T) {
	f := newFixture(t)
	f.stored()
	f.ensure = func(context.Context, engine.RunStart) (bool, error) { return false, nil }
	for range 100 {
		f.pass(2 * time.Second)
	}
	f.requireRepairs(0, 0, 0, 0)
	require.Less(t, len(f.started), 10, "it is looked at more and more rarely")
}

func TestWorkflowThatEndedBeforeAWorkerCameIsAbandoned(t *testing.T) {
	f := newFixture(t)
	run, _ := f.stored()
	f.ensure = func(context.Context, engine.RunStart) (bool, error) { return false, nil }
	f.state = func(int64) (engine.RunState, error) { return engine.RunGone, nil }
	f.pass(0)
	f.requireRepairs(0, 0, 0, 1)
	require.Equal(t, ci.StatusCancelled, f.status(run))
}

func TestRunThatEndsWhileItIsLookedAtIsNoRepair(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.begun()
	f.state = func(int64) (engine.RunState, error) {
		f.end(run, attempt)
		return engine.RunGone, nil
	}
	f.pass(0)
	f.requireRepairs(0, 0, 0, 0)
	require.Equal(t, ci.StatusSuccess, f.status(run))
}

// More repositories hang than a step has patience for; those after them have their turn all the same.
func TestHangingRepositoriesHoldUpNoOther(t *testing.T) {
	f := newFixture(t)
	const hanging = 2 * maxUnreachable
	for range hanging + 1 {
		f.pushing(dbtest.Repository(t, f.db, f.repo.Owner))
	}
	seen := map[int64]bool{}
	f.replay = func(_ context.Context, r *db.Repository) (int, error) {
		seen[r.ID] = true
		if len(seen) <= hanging {
			return 0, context.DeadlineExceeded
		}
		return 1, nil
	}
	for range 3 {
		f.pass(time.Second)
	}
	f.requireRepairs(0, 0, 1, 0)
}

func (f *fixture) cancel(run *db.Run) {
	f.t.Helper()
	_, err := f.db.RequestCancel(f.t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 1, By: run.ActorID})
	require.NoError(f.t, err)
}

func TestPassForgetsOldDispatchKeys(t *testing.T) {
	f := newFixture(t)
	insert := func(key, age string) {
		_, err := f.db.NewRaw(`INSERT INTO dispatch_keys (repo_id, user_id, key, body_hash, run_id, created_at)
			VALUES (?, 1, ?, '', 1, now() - ?::interval)`, f.repo.ID, key, age).Exec(t.Context())
		require.NoError(t, err)
	}
	insert("old", "25 hours")
	insert("young", "23 hours")
	f.pass(time.Second)
	var left []string
	require.NoError(t, f.db.NewSelect().Table("dispatch_keys").Column("key").Scan(t.Context(), &left))
	require.Equal(t, []string{"young"}, left)
}

func TestAGroupThatNobodyLeavesIsPassedOn(t *testing.T) {
	f := newFixture(t)
	enter := func(run *db.Run, attempt *db.Attempt) db.GateState {
		a, err := f.db.EnterGate(t.Context(), db.GateEntry{
			RepoID: run.RepoID, RunID: run.ID, AttemptID: attempt.ID, Concurrency: ci.Concurrency{Group: "g"},
		})
		require.NoError(t, err)
		return a.State
	}
	holder, first := f.begun()
	waiting, second := f.begun()
	require.Equal(t, db.GateHolding, enter(holder, first))
	require.Equal(t, db.GatePending, enter(waiting, second))
	f.end(holder, first) // by a workflow that does not know of the group
	f.pass(time.Second)
	require.Equal(t, []int64{waiting.ID}, f.woken)
	require.InDelta(t, 1, testutil.ToFloat64(f.repairs.WithLabelValues(kindGate)), 0)
	require.Equal(t, db.GateHolding, enter(waiting, second))
	f.pass(time.Second)
	require.InDelta(t, 1, testutil.ToFloat64(f.repairs.WithLabelValues(kindGate)), 0)
}
