package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
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

// delivery is what the webhook got.
type delivery struct {
	message
	header http.Header
	body   []byte
}

// hook plays the webhook of the administrators. It answers as the test says; by default it takes everything.
type hook struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	all    []delivery
}

func newHook(t *testing.T) *hook {
	h := &hook{answer: status(http.StatusNoContent)}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got := delivery{header: r.Header}
		got.body, _ = io.ReadAll(r.Body)
		_ = json.Unmarshal(got.body, &got.message)
		h.mu.Lock()
		h.all = append(h.all, got)
		answer := h.answer
		h.mu.Unlock()
		answer(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func status(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func (h *hook) answers(f http.HandlerFunc) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.answer = f
}

func (h *hook) got() []delivery {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all
}

// fixture is an installation without alerts.
type fixture struct {
	*hook
	t    *testing.T
	db   *db.DB
	repo *db.Repository
	log  bytes.Buffer
	now  time.Time
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{hook: newHook(t), t: t, db: dbtest.Open(t), now: time.Now()}
	f.repo = dbtest.Repository(t, f.db, dbtest.Owner(t, f.db))
	return f
}

// config is that of a process of the installation.
func (f *fixture) config() Config {
	return Config{
		DB: f.db, URL: f.URL, Secret: "secret", RootURL: "https://ci.example/", Logger: slog.New(slog.NewTextHandler(&f.log, nil)),
		Registerer: prometheus.NewRegistry(), Timeout: time.Minute, Now: func() time.Time { return f.now },
	}
}

// deliverer is a process that has just started.
func (f *fixture) deliverer(change ...func(*Config)) *Deliverer {
	f.t.Helper()
	c := f.config()
	for _, set := range change {
		set(&c)
	}
	d, err := New(c)
	require.NoError(f.t, err)
	return d
}

func withoutWebhook(c *Config) { c.URL = "" }

// fault stores a run whose only job ended by an unknown fault.
func (f *fixture) fault() *db.Job {
	f.t.Helper()
	j := dbtest.Job("build")
	run, attempt := dbtest.Run(f.t, f.db, f.repo, j)
	step := db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure, Ended: []db.JobEnd{
		{JobID: j.ID, Status: ci.StatusFailure, Reason: "it broke", Class: ci.ErrorUnknown},
	}}
	for range 2 { // a repetition alerts nobody twice
		_, err := f.db.RecordStep(f.t.Context(), step)
		require.NoError(f.t, err)
	}
	return j
}

// passes lets time pass for the alerts.
func (f *fixture) passes(d time.Duration) {
	f.t.Helper()
	f.now = f.now.Add(d)
	_, err := f.db.NewRaw(`UPDATE alerts SET at = at - make_interval(secs => ?0), next_at = next_at - make_interval(secs => ?0),
		delivered_at = delivered_at - make_interval(secs => ?0)`, d.Seconds()).Exec(f.t.Context())
	require.NoError(f.t, err)
}

func (f *fixture) waiting() int {
	f.t.Helper()
	stats, err := f.db.AlertStats(f.t.Context())
	require.NoError(f.t, err)
	return stats.Waiting
}

func (f *fixture) count(where string) (n int) {
	f.t.Helper()
	require.NoError(f.t, f.db.NewRaw(`SELECT count(*) FROM alerts WHERE `+where).Scan(f.t.Context(), &n))
	return n
}

func (d *Deliverer) told(result string) float64 {
	return testutil.ToFloat64(d.metrics.deliveries.WithLabelValues(result))
}

func TestAnUnknownFaultIsToldOnce(t *testing.T) {
	f := newFixture(t)
	j := f.fault()
	for range 2 {
		require.NoError(t, f.deliverer().Pass(t.Context()))
	}
	require.Len(t, f.got(), 1)
	got := f.got()[0]
	run := fmt.Sprintf("https://ci.example/%s/actions/runs/%d", f.repo.FullName(), j.RunID)
	require.Equal(t, message{
		ID: got.ID, Kind: "job", At: got.At, Detail: "it broke", Repository: f.repo.FullName(), RunID: j.RunID, RunNumber: 1, Attempt: 1,
		JobID: j.ID, Job: "build", HTMLURL: run, JobHTMLURL: fmt.Sprintf("%s/jobs/%d", run, j.ID),
	}, got.message)
	require.WithinDuration(t, time.Now(), got.At, time.Minute)
	require.Zero(t, f.waiting())
}

// A run whose workflow failed has no job, and one that is gone has no names.
func TestWhatIsNotKnownIsLeftOut(t *testing.T) {
	f := newFixture(t)
	run, attempt := dbtest.Run(t, f.db, f.repo, dbtest.Job("build"))
	require.NoError(t, f.db.AlertFailedRun(t.Context(), attempt.ID, "it failed"))
	_, err := f.db.NewRaw(`INSERT INTO alerts (kind, run_id, detail) VALUES ('run', 999, 'gone')`).Exec(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.deliverer().Pass(t.Context()))
	require.Len(t, f.got(), 2)
	require.Contains(t, f.got()[0].HTMLURL, fmt.Sprintf("/actions/runs/%d", run.ID))
	require.NotContains(t, string(f.got()[0].body), "job_")
	require.NotContains(t, string(f.got()[1].body), "url")

	f.fault()
	require.NoError(t, f.deliverer(func(c *Config) { c.RootURL = "" }).Pass(t.Context()))
	require.NotContains(t, string(f.got()[2].body), "url")
}

func TestSignature(t *testing.T) {
	f := newFixture(t)
	f.fault()
	f.fault()
	d := f.deliverer(func(c *Config) { c.Secret = "It's a Secret to Everybody" })
	require.NoError(t, d.Pass(t.Context()))
	got := f.got()[0]
	require.Equal(t, "application/json", got.header.Get("Content-Type"))
	signature := sign("It's a Secret to Everybody", got.body)
	require.Equal(t, signature, got.header.Get("X-Gitea-Signature"))
	require.Equal(t, "sha256="+signature, got.header.Get("X-Hub-Signature-256"))
	// The example of GitHub's manual.
	require.Equal(t, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17", sign("It's a Secret to Everybody", []byte("Hello, World!")))

	f.fault()
	require.NoError(t, f.deliverer(func(c *Config) { c.Secret = "" }).Pass(t.Context()))
	require.Empty(t, f.got()[2].header.Values("X-Gitea-Signature"))
	require.Empty(t, f.got()[2].header.Values("X-Hub-Signature-256"))
}

func TestWhatTheWebhookRefusesComesAgain(t *testing.T) {
	f := newFixture(t)
	f.fault()
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of ink", http.StatusInternalServerError)
	})
	d := f.deliverer()
	require.ErrorContains(t, d.Pass(t.Context()), "out of ink")
	require.NoError(t, d.Pass(t.Context()))
	f.passes(9 * time.Second)
	require.NoError(t, d.Pass(t.Context()))
	require.Len(t, f.got(), 1, "it is put off")
	f.passes(time.Second)
	require.Error(t, d.Pass(t.Context()))
	f.passes(19 * time.Second)
	require.NoError(t, d.Pass(t.Context()))
	require.Len(t, f.got(), 2, "for twice as long")
	require.Equal(t, 1.0, testutil.ToFloat64(d.metrics.waiting))
	require.Greater(t, testutil.ToFloat64(d.metrics.oldest), 28.0)

	f.passes(time.Second)
	f.answers(status(http.StatusOK))
	restarted := f.deliverer()
	require.NoError(t, restarted.Pass(t.Context()), "another process goes on with it")
	require.Len(t, f.got(), 3)
	require.Zero(t, f.waiting())
	require.Equal(t, []float64{2, 1}, []float64{d.told(resultRefused), restarted.told(resultOK)})
	require.Zero(t, testutil.ToFloat64(restarted.metrics.oldest))
}

func TestAWebhookThatHangsIsGivenUp(t *testing.T) {
	f := newFixture(t)
	f.fault()
	f.fault()
	gone := make(chan struct{}, 1)
	f.answers(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done(); gone <- struct{}{} })
	d := f.deliverer(func(c *Config) { c.Timeout = 20 * time.Millisecond })
	require.ErrorContains(t, d.Pass(t.Context()), "cannot be reached")
	<-gone
	require.Len(t, f.got(), 1, "the other alert waits for the next pass")
	require.Equal(t, 1.0, d.told(resultUnreachable))

	f.answers(status(http.StatusOK))
	f.passes(firstPause)
	require.NoError(t, f.deliverer().Pass(t.Context()))
	require.Len(t, f.got(), 3)
	require.Zero(t, f.waiting())
}

// The body of an answer may be endless.
func TestAnAnswerIsNotReadToItsEnd(t *testing.T) {
	f := newFixture(t)
	for _, code := range []int{http.StatusOK, http.StatusBadGateway} {
		f.fault()
		f.answers(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(code)
			for r.Context().Err() == nil {
				if _, err := io.WriteString(w, strings.Repeat("more ", 1000)); err != nil {
					return
				}
			}
		})
		err := f.deliverer().Pass(t.Context())
		if code == http.StatusOK {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, "502")
		require.Less(t, len(err.Error()), 2*maxAnswer)
	}
	require.Equal(t, 1, f.waiting())
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	f, elsewhere := newFixture(t), newHook(t)
	f.fault()
	f.answers(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect).ServeHTTP)
	require.ErrorContains(t, f.deliverer().Pass(t.Context()), "307")
	require.Empty(t, elsewhere.got())
	require.Equal(t, 1, f.waiting())
}

// The address of a webhook is a secret as often as not.
func TestTheAddressIsNotLogged(t *testing.T) {
	f := newFixture(t)
	f.fault()
	f.Close()
	d := f.deliverer(func(c *Config) { c.URL = f.URL + "/T0K3N?key=K3Y" })
	err := d.Pass(t.Context())
	require.Error(t, err)
	require.NotContains(t, err.Error(), "T0K3N")
	_, err = New(Config{URL: "http://x/\x00T0K3N", Registerer: prometheus.NewRegistry()})
	require.Error(t, err)
	require.NotContains(t, err.Error(), "T0K3N")
}

// A process stopped, or died, while the webhook thought about its answer.
func TestADeliveryThatWasCutShortIsDoneByTheNextProcess(t *testing.T) {
	f := newFixture(t)
	f.fault()
	ctx, stop := context.WithCancel(t.Context())
	gone := make(chan struct{})
	f.answers(func(_ http.ResponseWriter, r *http.Request) { stop(); <-r.Context().Done(); close(gone) })
	stopped := f.deliverer()
	require.Error(t, stopped.Pass(ctx))
	<-gone
	require.Zero(t, stopped.told(resultUnreachable), "the webhook is not to blame")

	f.answers(status(http.StatusOK))
	restarted := f.deliverer()
	require.NoError(t, restarted.Pass(t.Context()))
	require.Len(t, f.got(), 1, "the one before may still be at it")
	f.passes(restarted.lease())
	require.NoError(t, restarted.Pass(t.Context()))
	require.Len(t, f.got(), 2)
	require.Zero(t, f.waiting())
}

func TestTwoProcessesDeliverOnce(t *testing.T) {
	f := newFixture(t)
	f.fault()
	first, second := f.deliverer(), f.deliverer()
	f.answers(func(w http.ResponseWriter, _ *http.Request) {
		f.answers(status(http.StatusOK))
		if err := second.Pass(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		w.WriteHeader(http.StatusOK)
	})
	require.NoError(t, first.Pass(t.Context()))
	require.Len(t, f.got(), 1, "the other found nothing to do meanwhile")

	for range 2 * batch {
		f.fault()
	}
	var group sync.WaitGroup
	for _, d := range []*Deliverer{first, second} {
		group.Go(func() {
			for range 2 {
				if err := d.Pass(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	seen := map[int64]int{}
	for _, got := range f.got() {
		seen[got.ID]++
	}
	require.Len(t, seen, 1+2*batch)
	require.Len(t, f.got(), 1+2*batch, "each once")
	require.Zero(t, f.waiting())
}

func TestAPassIsBounded(t *testing.T) {
	f := newFixture(t)
	for range batch + 1 {
		f.fault()
	}
	d := f.deliverer()
	require.NoError(t, d.Pass(t.Context()))
	require.Len(t, f.got(), batch)
	require.Equal(t, 1.0, testutil.ToFloat64(d.metrics.waiting))
}

func TestWithoutAWebhookAlertsAreLoggedOnceAndKept(t *testing.T) {
	f := newFixture(t)
	f.fault()
	d := f.deliverer(withoutWebhook)
	for range 3 {
		require.NoError(t, d.Pass(t.Context()))
		f.passes(2 * time.Hour)
	}
	require.NoError(t, f.deliverer(withoutWebhook).Pass(t.Context()))
	require.Equal(t, 1, strings.Count(f.log.String(), "it broke"))
	require.Equal(t, 1.0, d.told(resultLogged))
	require.Zero(t, testutil.ToFloat64(d.metrics.waiting), "nobody is to be told that they wait")
	require.Empty(t, f.got())

	f.answers(status(http.StatusInternalServerError))
	require.Error(t, f.deliverer().Pass(t.Context()), "now there is a webhook")
	require.Equal(t, 1, f.waiting(), "it is no longer only kept")
	f.answers(status(http.StatusOK))
	f.passes(firstPause)
	require.NoError(t, f.deliverer().Pass(t.Context()))
	require.Len(t, f.got(), 2)
	require.Equal(t, 1, f.count("delivered_at IS NOT NULL"))
}

func TestOldAlertsAreForgotten(t *testing.T) {
	f := newFixture(t)
	d := f.deliverer()
	f.fault()
	require.NoError(t, d.Pass(t.Context()))
	f.passes(keepFor - time.Minute)
	require.NoError(t, d.Pass(t.Context()))
	require.Equal(t, 1, f.count("true"))
	f.passes(2 * time.Minute)
	require.NoError(t, d.Pass(t.Context()))
	require.Equal(t, 1, f.count("true"), "it is looked for once in a while only")
	f.passes(sweepEvery)
	require.NoError(t, d.Pass(t.Context()))
	require.Zero(t, f.count("true"))
}

func TestRunDeliversUntilItIsStopped(t *testing.T) {
	f := newFixture(t)
	f.fault()
	ctx, stop := context.WithCancel(t.Context())
	f.answers(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK); stop() })
	f.deliverer(func(c *Config) { c.Every = time.Millisecond }).Run(ctx)
	require.Len(t, f.got(), 1)
}

func TestPausesDouble(t *testing.T) {
	for tries, want := range map[int]time.Duration{
		1: 10 * time.Second, 2: 20 * time.Second, 3: 40 * time.Second, 9: 2560 * time.Second, 10: time.Hour, 1e6: time.Hour,
	} {
		require.Equal(t, want, pauseAfter(tries), tries)
	}
}

func TestAddresses(t *testing.T) {
	for address, good := range map[string]bool{
		"": true, "http://hooks.internal:8080/x?y=z": true, "https://user:word@hooks.example": true,
		"hooks.example/x": false, "ftp://hooks.example": false, "https:///x": false, "http://[::1": false,
	} {
		d, err := New(Config{URL: address, Registerer: prometheus.NewRegistry()})
		require.Equal(t, good, err == nil, address)
		require.Equal(t, good, d != nil, address)
	}
}

func TestMetricsAreInTheTable(t *testing.T) {
	registry := prometheus.NewRegistry()
	_, err := New(Config{Registerer: registry})
	require.NoError(t, err)
	require.NoError(t, observability.CheckNames(registry))
	families, err := registry.Gather()
	require.NoError(t, err)
	require.Len(t, families, 3)
	_, err = New(Config{Registerer: registry})
	require.Error(t, err, "twice in one process")
}
