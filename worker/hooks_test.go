package worker_test

import (
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/egress"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/internal/secretbox"
)

// hooks sends webhooks to this machine.
func (in *installation) hooks(t *testing.T) *activities.Hooks {
	keys, err := secretbox.New([]byte("a secret key of this test"))
	require.NoError(t, err)
	policy, err := egress.ParseList("loopback")
	require.NoError(t, err)
	metrics, err := hook.NewMetrics(in.registry)
	require.NoError(t, err)
	sender := hook.NewSender(keys, egress.New(policy), time.Minute, metrics)
	t.Cleanup(sender.Close)
	return activities.NewHooks(in.DB, sender, metrics)
}

// testHooks has webhooks sent by a real worker.
func (in *installation) testHooks(t *testing.T) {
	got := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("X-Gitea-Delivery") }))
	defer receiver.Close()
	h := &db.Hook{RepoID: in.repo.ID, Type: "gitea", URL: receiver.URL, ContentType: "json", Events: []string{}, IsActive: true}
	require.NoError(t, in.CreateHook(t.Context(), h, func(*db.Hook) error { return nil }))
	d := &db.HookDelivery{HookID: h.ID, GUID: uuid.New(), Event: hook.EventPing, Payload: "{}"}
	require.NoError(t, in.AddDelivery(t.Context(), d))
	for range 2 { // a second start does nothing
		require.NoError(t, in.engine.StartDelivery(t.Context(), d.ID))
	}
	in.eventually(t, func() bool {
		row, err := in.HookDelivery(t.Context(), d.ID)
		require.NoError(t, err)
		return row.State == db.DeliveryDelivered
	}, "the delivery is noted")
	require.NoError(t, in.engine.StartDelivery(t.Context(), d.ID), "not after its end either")
	require.Equal(t, d.GUID.String(), <-got)
	require.Empty(t, got)
}

// testHangingReceiver: more messages than a worker sends at once wait for a receiver that hangs, and those of another go on.
func (in *installation) testHangingReceiver(t *testing.T) {
	const many = 140 // more than a worker sends at once
	var now, most atomic.Int64
	release := make(chan struct{})
	hanging := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		for n := now.Add(1); n > most.Load(); {
			most.Store(n)
		}
		defer now.Add(-1)
		select {
		case <-release:
		case <-r.Context().Done():
		}
	}))
	defer hanging.Close()
	let := sync.OnceFunc(func() { close(release) })
	defer let()
	prompt := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer prompt.Close()
	for range many {
		in.deliver(t, hanging.URL)
	}
	in.eventually(t, func() bool { return now.Load() == hook.EachReceiver }, "the receiver has as many as it gets at once")
	d := in.deliver(t, prompt.URL)
	in.eventually(t, func() bool { return in.delivery(t, d).State == db.DeliveryDelivered }, "the other receiver does not wait")
	require.Equal(t, int64(hook.EachReceiver), most.Load())
	let()
	var delivered, tries int
	in.eventually(t, func() bool {
		err := in.NewRaw(`SELECT count(*), coalesce(max(d.tries), 0) FROM hook_deliveries d JOIN hooks h ON h.id = d.hook_id
			WHERE h.url = ? AND d.state = 'delivered'`, hanging.URL).Scan(t.Context(), &delivered, &tries)
		require.NoError(t, err)
		return delivered > 2*hook.EachReceiver
	}, "those that waited have their turns")
	require.Equal(t, 1, tries, "to wait for a turn is no try")
	require.Equal(t, int64(hook.EachReceiver), most.Load())
}

// deliver has a message sent to a hook of its own.
func (in *installation) deliver(t *testing.T, address string) int64 {
	t.Helper()
	h := &db.Hook{OwnerID: dbtest.Owner(t, in.DB).ID, Type: "gitea", URL: address, ContentType: "json", Events: []string{}, IsActive: true}
	require.NoError(t, in.CreateHook(t.Context(), h, func(*db.Hook) error { return nil }))
	d := &db.HookDelivery{HookID: h.ID, GUID: uuid.New(), Event: hook.EventPing, Payload: "{}"}
	require.NoError(t, in.AddDelivery(t.Context(), d))
	require.NoError(t, in.engine.StartDelivery(t.Context(), d.ID))
	return d.ID
}

func (in *installation) delivery(t *testing.T, id int64) *db.HookDelivery {
	t.Helper()
	d, err := in.HookDelivery(t.Context(), id)
	require.NoError(t, err)
	return d
}
