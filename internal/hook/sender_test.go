package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/egress"
	"github.com/pawl-ci/pawl/internal/secretbox"
)

// receiver is what a webhook leads to.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	got    []received
}

type received struct {
	header http.Header
	body   string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{answer: func(http.ResponseWriter, *http.Request) {}}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		r.mu.Lock()
		r.got = append(r.got, received{header: req.Header, body: string(body)})
		answer := r.answer
		r.mu.Unlock()
		answer(w, req)
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *receiver) answers(f http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *receiver) last(t *testing.T) received {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	require.NotEmpty(t, r.got)
	return r.got[len(r.got)-1]
}

func keyring(t *testing.T) *secretbox.Keyring {
	t.Helper()
	keys, err := secretbox.New([]byte("a secret key of this test"))
	require.NoError(t, err)
	return keys
}

type senderRig struct {
	*Sender
	metrics *Metrics
}

func newSender(t *testing.T, list string, timeout time.Duration) senderRig {
	t.Helper()
	policy, err := egress.ParseList(list)
	require.NoError(t, err)
	metrics, err := NewMetrics(prometheus.NewRegistry())
	require.NoError(t, err)
	s := NewSender(keyring(t), egress.New(policy), timeout, metrics)
	t.Cleanup(s.Close)
	return senderRig{Sender: s, metrics: metrics}
}

func delivery(t *testing.T, address string, secrets Secrets) *db.HookDelivery {
	t.Helper()
	h := &db.Hook{ID: 4, RepoID: 2, Type: "gitea", URL: address, ContentType: "json", IsActive: true}
	require.NoError(t, secrets.Seal(keyring(t), h))
	return &db.HookDelivery{ID: 9, HookID: 4, EventID: 1, GUID: uuid.New(), Event: EventJob, Action: "queued", Payload: `{"action":"queued","x":"ä&="}`, Tries: 2, Hook: h}
}

func (s senderRig) send(t *testing.T, d *db.HookDelivery) Result {
	t.Helper()
	r, err := s.Send(t.Context(), d)
	require.NoError(t, err)
	require.Equal(t, int64(9), r.Try.DeliveryID)
	require.Equal(t, 3, r.Try.Number)
	return r
}

func signature(secret, body string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	return hex.EncodeToString(mac.Sum(nil))
}

func TestADeliveryIsSignedAndNamed(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	d := delivery(t, r.URL+"/hook?x=1", Secrets{Secret: "s3cret", Authorization: "Bearer t0ken"})
	result := s.send(t, d)
	got := r.last(t)
	require.Equal(t, d.Payload, got.body)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Gitea-Event": "workflow_job", "X-GitHub-Event": "workflow_job", "X-Gogs-Event": "workflow_job",
		"X-Gitea-Delivery": d.GUID.String(), "X-GitHub-Delivery": d.GUID.String(), "X-Gitea-Signature": signature("s3cret", d.Payload),
		"X-Hub-Signature-256": "sha256=" + signature("s3cret", d.Payload), "Authorization": "Bearer t0ken", "X-GitHub-Hook-ID": "4",
	} {
		require.Equal(t, value, got.header.Get(name), name)
	}
	require.Equal(t, db.DeliveryDelivered, result.Try.State)
	require.Equal(t, http.StatusOK, result.Try.StatusCode)
	require.Equal(t, "********", result.Try.RequestHeaders["Authorization"], "what is kept holds no secret")
	require.Equal(t, signature("s3cret", d.Payload), result.Try.RequestHeaders["X-Gitea-Signature"])

	d.Hook.ContentType = "form"
	s.send(t, d)
	got = r.last(t)
	form, err := url.ParseQuery(got.body)
	require.NoError(t, err)
	require.Equal(t, d.Payload, form.Get("payload"))
	require.Equal(t, signature("s3cret", d.Payload), got.header.Get("X-Gitea-Signature"))
	require.Equal(t, "sha256="+signature("s3cret", d.Payload), got.header.Get("X-Hub-Signature-256"))
	d.Hook.Type = TypeGitHub
	s.send(t, d)
	require.Equal(t, "sha256="+signature("s3cret", r.last(t).body), r.last(t).header.Get("X-Hub-Signature-256"))

	s.send(t, delivery(t, r.URL, Secrets{}))
	require.Empty(t, r.last(t).header.Get("X-Gitea-Signature"))
	require.Empty(t, r.last(t).header.Get("X-Hub-Signature-256"))
}

func TestWhatIsTriedAgain(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	s.now = func() time.Time { return time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		status    int
		after     string
		permanent bool
		wait      time.Duration
	}{
		{status: 500}, {status: 503, after: "600", wait: 10 * time.Minute}, {status: 408}, {status: 425},
		{status: 429, after: "Wed, 25 Nov 2026 12:05:00 GMT", wait: 5 * time.Minute}, {status: 503, after: "30"}, {status: 503, after: "0"},
		{status: 503, after: "99999999999"}, {status: 503, after: "999999", wait: time.Hour},
		{status: 503, after: "-5"}, {status: 503, after: "soon"}, {status: 503, after: "Wed, 25 Nov 2020 12:01:00 GMT"},
		{status: 400, permanent: true}, {status: 401, permanent: true}, {status: 404, permanent: true}, {status: 410, permanent: true},
		{status: 302, permanent: true}, {status: 304, permanent: true},
	} {
		r.answers(func(w http.ResponseWriter, _ *http.Request) {
			if test.after != "" {
				w.Header().Set("Retry-After", test.after)
			}
			w.Header().Set("Location", "http://127.0.0.1:1/")
			w.WriteHeader(test.status)
		})
		result := s.send(t, delivery(t, r.URL, Secrets{}))
		require.Equal(t, test.permanent, result.Permanent, "%+v", test)
		require.Equal(t, map[bool]db.DeliveryState{true: db.DeliveryFailed, false: db.DeliveryPending}[test.permanent], result.Try.State)
		if test.wait == 0 && !test.permanent {
			test.wait = 160 * time.Second // its own pause after the third try
		}
		if test.after != "99999999999" { // too large for a number of any platform, or an hour
			require.Equal(t, test.wait, result.Pause, "%+v", test)
		}
		require.LessOrEqual(t, result.Pause, time.Hour)
		require.Contains(t, result.Try.Error, "answered")
	}
	require.Equal(t, 18.0, testutil.ToFloat64(s.metrics.tries.WithLabelValues(resultRefused)))
}

func TestAReceiverThatIsNotThere(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	r.Close()
	result := s.send(t, delivery(t, r.URL+"/T0KEN", Secrets{}))
	require.False(t, result.Permanent)
	require.Equal(t, db.DeliveryPending, result.Try.State)
	require.Contains(t, result.Try.Error, "no answer")
	require.NotContains(t, result.Try.Error, "T0KEN")
	require.Zero(t, result.Try.StatusCode)
}

// A name that is not there tells nothing of the network of this installation, such as the address of its resolver.
func TestAReceiverWithoutAnAddress(t *testing.T) {
	s := newSender(t, "external", time.Minute)
	result := s.send(t, delivery(t, "http://receiver.invalid/T0KEN", Secrets{}))
	require.Equal(t, "no answer: the host of the webhook cannot be resolved", result.Try.Error)
	require.Equal(t, db.DeliveryPending, result.Try.State)
}

func TestAReceiverThatHangs(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", 50*time.Millisecond)
	r.answers(func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
	result := s.send(t, delivery(t, r.URL, Secrets{}))
	require.False(t, result.Permanent)
	require.Equal(t, 1.0, testutil.ToFloat64(s.metrics.tries.WithLabelValues(resultUnreachable)))
	// It answers, and then does not end.
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-req.Context().Done()
	})
	require.Equal(t, db.DeliveryDelivered, s.send(t, delivery(t, r.URL, Secrets{})).Try.State)
}

func TestAnAnswerIsBounded(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	r.answers(func(w http.ResponseWriter, req *http.Request) {
		for range 200 {
			w.Header().Add("X-"+uuid.NewString(), strings.Repeat("y", 20))
		}
		w.Header().Set("Set-Cookie", "a=b")
		for req.Context().Err() == nil {
			if _, err := io.WriteString(w, strings.Repeat("more\x00\xff", 1000)); err != nil {
				return
			}
		}
	})
	result := s.send(t, delivery(t, r.URL, Secrets{}))
	require.Len(t, result.Try.ResponseBody, MaxAnswer)
	require.LessOrEqual(t, len(result.Try.ResponseHeaders), maxAnswerHeaders)
	require.NotContains(t, result.Try.ResponseHeaders, "Set-Cookie")

	r.answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Large", strings.Repeat("y", 128<<10)) })
	require.Equal(t, db.DeliveryPending, s.send(t, delivery(t, r.URL, Secrets{})).Try.State, "such headers are no answer")
}

func TestARefusedAddressIsNotTriedAgain(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "external", time.Minute)
	result := s.send(t, delivery(t, r.URL, Secrets{}))
	require.True(t, result.Permanent)
	require.Equal(t, textForbidden, result.Try.Error)
	require.NotContains(t, result.Try.Error, "127.0.0.1")
	require.Empty(t, r.got)
	require.Equal(t, 1.0, testutil.ToFloat64(s.metrics.tries.WithLabelValues(resultForbidden)))
}

func TestAHookThatWasSwitchedOff(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	d := delivery(t, r.URL, Secrets{})
	d.Hook.IsActive = false
	require.True(t, s.send(t, d).Permanent)
	require.Empty(t, r.got)
	d.EventID = 0 // a test, or a redelivery
	require.Equal(t, db.DeliveryDelivered, s.send(t, d).Try.State)
}

func TestSecretsOfAnotherKey(t *testing.T) {
	r, s := newReceiver(t), newSender(t, "loopback", time.Minute)
	d := delivery(t, r.URL, Secrets{Secret: "s3cret"})
	d.Hook.RepoID = 3 // it was copied to another row
	_, err := s.Send(context.Background(), d)
	require.ErrorIs(t, err, secretbox.ErrSealed)
	require.Empty(t, r.got)
}
