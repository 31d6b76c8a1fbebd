package worker_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/activities"
	"github.com/pawl-ci/pawl/db"
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
