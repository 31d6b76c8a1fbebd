package runnergw_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/runnergw"
)

func testDeps(t *testing.T, d *db.DB) runnergw.Deps {
	t.Helper()
	chunks, err := logchunk.NewCodec()
	require.NoError(t, err)
	tokens, err := token.NewHasher([]byte("a key of sixteen or more"))
	require.NoError(t, err)
	keys, err := secretbox.New([]byte("a key of sixteen or more"))
	require.NoError(t, err)
	return runnergw.Deps{DB: d, Tasks: &fakeTasks{}, Tokens: tokens, Keys: keys, RuntimeKey: runtimeKey, Logs: loghub.New(), Chunks: chunks,
		Log: slog.New(slog.DiscardHandler), Metrics: prometheus.NewRegistry()}
}

func TestStartAndStopLeaveNothingBehind(t *testing.T) {
	d := dbtest.Open(t)
	require.NoError(t, d.PingContext(t.Context()))
	deps := testDeps(t, d)
	ignore := goleak.IgnoreCurrent()
	g, err := runnergw.New(deps, runnergw.Options{})
	require.NoError(t, err)
	require.NoError(t, g.Start(t.Context()))
	require.NoError(t, g.Start(t.Context()), "a second start does nothing")
	g.Drain()
	g.Stop()
	g.Stop()
	require.NoError(t, g.Start(t.Context()), "nor does one after the end")
	d.Pool.Reset()
	goleak.VerifyNone(t, ignore, goleak.IgnoreAnyFunction("github.com/jackc/pgx/v5/pgxpool.(*Pool).backgroundHealthCheck"))
}

func TestStopBeforeStart(t *testing.T) {
	g, err := runnergw.New(testDeps(t, dbtest.Open(t)), runnergw.Options{})
	require.NoError(t, err)
	g.Stop()
	require.NoError(t, g.Start(t.Context()))
}

func TestStartGivesUpWithItsContext(t *testing.T) {
	g, err := runnergw.New(testDeps(t, dbtest.Open(t)), runnergw.Options{})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Whether it began to listen before it noticed does not matter; it must return, and stop in any case.
	_ = g.Start(ctx)
	g.Stop()
}

func TestNewWantsAllDependencies(t *testing.T) {
	_, err := runnergw.New(runnergw.Deps{}, runnergw.Options{})
	require.Error(t, err)
	deps := testDeps(t, dbtest.Open(t))
	deps.RuntimeKey = []byte("short")
	_, err = runnergw.New(deps, runnergw.Options{})
	require.ErrorContains(t, err, "32 bytes")
	_, err = runnergw.New(testDeps(t, dbtest.Open(t)), runnergw.Options{CallEventName: "push"})
	require.ErrorContains(t, err, `no event "push"`)
	deps.RuntimeKey = runtimeKey
	_, err = runnergw.New(deps, runnergw.Options{})
	require.NoError(t, err)
	_, err = runnergw.New(deps, runnergw.Options{})
	require.Error(t, err, "its metrics are registered already")
}

// While it drains, reports are taken, and nothing is handed out.
func TestDrain(t *testing.T) {
	e := newEnv(t)
	r, task := running(t, e)
	e.gw.Drain()
	_, err := r.log(task.Id, 0, true, "x")
	require.NoError(t, err)
	e.offer(dbtest.Job("b", "linux"))
	got, err := r.fetch(patience)
	require.NoError(t, err)
	require.Nil(t, got)
}
