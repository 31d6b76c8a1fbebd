package observability_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/observability"
)

func newHealth(log *bytes.Buffer) *observability.Health {
	if log == nil {
		log = &bytes.Buffer{}
	}
	return observability.NewHealth(observability.HealthOptions{Logger: slog.New(slog.NewTextHandler(log, nil))})
}

// pass moves the clock of a synctest bubble on; no real time passes.
func pass(d time.Duration) { <-time.After(d) }

func well(context.Context) error { return nil }

func get(t *testing.T, handler http.Handler) (int, observability.Report) {
	t.Helper()
	response := httptest.NewRecorder()
	handler.ServeHTTP(response, httptest.NewRequest(http.MethodGet, "/", nil))
	var report observability.Report
	require.NoError(t, json.Unmarshal(response.Body.Bytes(), &report))
	return response.Code, report
}

func TestReadyz(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := newHealth(nil)
		health.Register("temporal", well)
		health.Register("postgres", func(context.Context) error {
			pass(1500 * time.Microsecond)
			return nil
		})
		status, report := get(t, health.Readyz())
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, observability.Report{Status: "ok", Checks: map[string]observability.CheckReport{
			"temporal": {Status: "ok"},
			"postgres": {Status: "ok", DurationMS: 1.5},
		}}, report)

		health.Drain()
		status, report = get(t, health.Readyz())
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, "draining", report.Status)
		require.Equal(t, "ok", report.Checks["postgres"].Status)
		status, _ = get(t, health.Livez())
		require.Equal(t, http.StatusOK, status)
	})
}

// The cause of a failing check is in the log, once per change, and never on the page.
func TestReadyzFailsAndRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		var broken atomic.Bool
		health := newHealth(&log)
		health.Register("temporal", well)
		health.Register("postgres", func(context.Context) error {
			if broken.Load() {
				return errors.New("connect to db.internal:5432: refused")
			}
			return nil
		})
		status, _ := get(t, health.Readyz())
		require.Equal(t, http.StatusOK, status)

		broken.Store(true)
		status, _ = get(t, health.Readyz())
		require.Equal(t, http.StatusOK, status, "the outcome is still fresh")

		for range 3 {
			pass(observability.DefaultCheckCache)
			var report observability.Report
			status, report = get(t, health.Readyz())
			require.Equal(t, http.StatusServiceUnavailable, status)
			require.Equal(t, "failing", report.Status)
			require.Equal(t, "ok", report.Checks["temporal"].Status)
			require.Equal(t, "failing", report.Checks["postgres"].Status)
			require.NotContains(t, report.Checks["postgres"].Error, "db.internal")
		}
		require.Equal(t, 1, bytes.Count(log.Bytes(), []byte("db.internal:5432")))

		broken.Store(false)
		pass(observability.DefaultCheckCache)
		status, _ = get(t, health.Readyz())
		require.Equal(t, http.StatusOK, status)
		require.Contains(t, log.String(), "well again")
	})
}

// However many probe, one check runs at a time, and at most once per cache time.
func TestProbesShareARun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var runs atomic.Int32
		health := newHealth(nil)
		health.Register("postgres", func(context.Context) error {
			runs.Add(1)
			pass(100 * time.Millisecond)
			return nil
		})
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() { health.Report() })
		}
		group.Wait()
		require.EqualValues(t, 1, runs.Load())
		health.Report()
		require.EqualValues(t, 1, runs.Load(), "cached")
		pass(observability.DefaultCheckCache)
		health.Report()
		require.EqualValues(t, 2, runs.Load())
	})
}

// A check that hangs fails within its timeout, at each probe, and is started once only.
func TestHangingCheck(t *testing.T) {
	for name, obeys := range map[string]bool{"obeys its context": true, "ignores its context": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var running, most atomic.Int32
				release := make(chan struct{})
				health := newHealth(nil)
				health.Register("stuck", func(ctx context.Context) error {
					most.Store(max(most.Load(), running.Add(1)))
					defer running.Add(-1)
					if obeys {
						<-ctx.Done()
						return ctx.Err()
					}
					<-release
					return nil
				})
				health.Register("temporal", well)
				for range 5 {
					started := time.Now()
					status, report := get(t, health.Readyz())
					require.Equal(t, http.StatusServiceUnavailable, status)
					require.Equal(t, "no answer in time", report.Checks["stuck"].Error)
					require.Equal(t, "ok", report.Checks["temporal"].Status)
					require.LessOrEqual(t, time.Since(started), observability.DefaultCheckTimeout)
				}
				require.EqualValues(t, 1, most.Load())
				close(release)
				synctest.Wait()
			})
		})
	}
}

func TestRegisterReplaces(t *testing.T) {
	health := newHealth(nil)
	health.Register("a", func(context.Context) error { return errors.New("old") })
	health.Register("b", well)
	health.Register("a", well)
	report := health.Report()
	require.Equal(t, "ok", report.Status)
	require.Len(t, report.Checks, 2)
}
