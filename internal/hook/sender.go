package hook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/egress"
	"github.com/pawl-ci/pawl/internal/secretbox"
)

const (
	// MaxAnswer is how much of the body of an answer is kept, in bytes.
	MaxAnswer = 64 << 10
	// maxAnswerHeaders bounds the headers that are kept: their number, and the length of each.
	maxAnswerHeaders = 100
	maxHeaderValue   = 1024
	// mostRetryAfter bounds what a receiver may ask for.
	mostRetryAfter = time.Hour
)

// Sender sends deliveries. It is safe for concurrent use.
type Sender struct {
	keys    *secretbox.Keyring
	client  *http.Client
	metrics *Metrics
	now     func() time.Time
	turns   turns
}

// NewSender makes a Sender. A delivery has timeout from the first to the last byte.
func NewSender(keys *secretbox.Keyring, guard *egress.Guard, timeout time.Duration, m *Metrics) *Sender {
	return &Sender{
		keys: keys, client: guard.Client(timeout), metrics: m, now: time.Now, turns: turns{at: map[string]*queue{}},
	}
}

// Turn takes a place among what is sent to the receiver of a delivery, until leave is called. When there is none, it says
// after which time to ask again; leave is nil then.
func (s *Sender) Turn(d *db.HookDelivery) (leave func(), wait time.Duration) {
	return s.turns.enter(receiverOf(d.Hook), s.now)
}

// Close gives idle connections back.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Result is what came of one try. Its error texts name no address: often the address holds a token.
type Result struct {
	Try db.DeliveryTry
	// Permanent: another try would end the same.
	Permanent bool
	// Pause is how long to wait before the next try, of a delivery that is still pending.
	Pause time.Duration
}

// Send tries once to deliver; after the last try that there is, the delivery has failed. The error is one of ours, such as
// a key that is missing; what the receiver did is in the result.
func (s *Sender) Send(ctx context.Context, d *db.HookDelivery) (Result, error) {
	out := Result{Try: db.DeliveryTry{DeliveryID: d.ID, Number: d.Tries + 1, State: db.DeliveryPending}}
	if !d.Hook.IsActive && d.EventID != 0 {
		return out.give("the webhook was switched off"), nil
	}
	secrets, err := OpenSecrets(s.keys, d.Hook)
	if err != nil {
		return out, err
	}
	req, err := request(ctx, d, secrets)
	if err != nil {
		return out.give(err.Error()), nil
	}
	out.Try.RequestHeaders = sentHeaders(req, secrets)
	began := s.now()
	resp, err := s.client.Do(req)
	if err == nil {
		out.answer(resp, s.now())
	}
	out.Try.Duration = s.now().Sub(began)
	if err != nil {
		out = out.failed(err)
	}
	s.metrics.tried(out.result())
	out.plan()
	return out, nil
}

// give ends a delivery that was not sent, and will not be.
func (r Result) give(reason string) Result {
	r.Permanent, r.Try.State, r.Try.Error = true, db.DeliveryFailed, reason
	return r
}

// failed is a try without an answer.
func (r Result) failed(err error) Result {
	if egress.Refused(err) {
		return r.give(textForbidden)
	}
	var unresolved *net.DNSError
	if errors.As(err, &unresolved) {
		err = errUnresolved // without the address of the resolver
	}
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // without the address
	}
	r.Try.Error = "no answer: " + err.Error()
	return r
}

var errUnresolved = errors.New("the host of the webhook cannot be resolved")

const textForbidden = "this installation does not connect to the address of the webhook"

func (r Result) result() string {
	switch {
	case r.Try.State == db.DeliveryDelivered:
		return resultOK
	case r.Try.StatusCode != 0:
		return resultRefused
	case r.Permanent:
		return resultForbidden
	default:
		return resultUnreachable
	}
}

// answer reads what the receiver said. Whether it took the message is said by the status alone.
func (r *Result) answer(resp *http.Response, now time.Time) {
	defer resp.Body.Close()
	r.Try.StatusCode = resp.StatusCode
	r.Try.ResponseHeaders = receivedHeaders(resp.Header)
	r.Try.ResponseBody, _ = io.ReadAll(io.LimitReader(resp.Body, MaxAnswer))
	switch {
	case resp.StatusCode/100 == 2:
		r.Try.State = db.DeliveryDelivered
		return
	case !mayChange(resp.StatusCode):
		r.Permanent, r.Try.State = true, db.DeliveryFailed
	default:
		r.Pause = retryAfter(resp.Header.Get("Retry-After"), now)
	}
	r.Try.Error = fmt.Sprintf("the receiver answered %d", resp.StatusCode)
}

// mayChange tells whether the same message may be answered otherwise later. Redirects are not followed.
func mayChange(status int) bool {
	return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout || status == http.StatusTooEarly
}

// retryAfter reads seconds, or a date.
func retryAfter(value string, now time.Time) time.Duration {
	var wait time.Duration
	if seconds, err := strconv.Atoi(value); err == nil {
		wait = time.Duration(min(max(seconds, 0), int(mostRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(value); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), mostRetryAfter)
}

// request is the message as Gitea sends it, with the headers of GitHub and Gogs beside its own.
func request(ctx context.Context, d *db.HookDelivery, s Secrets) (*http.Request, error) {
	body, kind := []byte(d.Payload), "application/json"
	if d.Hook.ContentType == "form" {
		body, kind = []byte(url.Values{"payload": {d.Payload}}.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.Hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the address of the webhook is malformed")
	}
	h := req.Header
	h.Set("Content-Type", kind)
	h.Set("User-Agent", "Pawl-Hook")
	for _, prefix := range []string{"X-Gitea-", "X-Gogs-", "X-Github-"} {
		h.Set(prefix+"Event", d.Event)
		h.Set(prefix+"Event-Type", d.Event)
		h.Set(prefix+"Delivery", d.GUID.String())
	}
	h.Set("X-GitHub-Hook-ID", strconv.FormatInt(d.HookID, 10))
	if s.Secret != "" {
		signHeaders(h, d, s.Secret, body)
	}
	if s.Authorization != "" {
		h.Set("Authorization", s.Authorization)
	}
	return req, nil
}

// signHeaders signs the JSON, as Gitea does in both encodings; hooks of the type github have the body signed, as there.
func signHeaders(h http.Header, d *db.HookDelivery, secret string, body []byte) {
	gitea, hub := []byte(d.Payload), []byte(d.Payload)
	if d.Hook.Type == TypeGitHub {
		hub = body
	}
	h.Set("X-Gitea-Signature", sign(sha256.New, secret, gitea))
	h.Set("X-Gogs-Signature", sign(sha256.New, secret, gitea))
	h.Set("X-Hub-Signature-256", "sha256="+sign(sha256.New, secret, hub))
	h.Set("X-Hub-Signature", "sha1="+sign(sha1.New, secret, hub))
}

// TypeGitHub is the type of hooks whose receivers expect what GitHub sends.
const TypeGitHub = "github"

func sign(algorithm func() hash.Hash, secret string, text []byte) string {
	mac := hmac.New(algorithm, []byte(secret))
	mac.Write(text)
	return hex.EncodeToString(mac.Sum(nil))
}

// sentHeaders are the headers as they are kept: without what is secret.
func sentHeaders(req *http.Request, s Secrets) map[string]string {
	out := make(map[string]string, len(req.Header))
	for name := range req.Header {
		out[name] = req.Header.Get(name)
	}
	if s.Authorization != "" {
		out["Authorization"] = "********"
	}
	return out
}

// receivedHeaders are the headers of an answer as they are kept: without cookies, and not too much of them.
func receivedHeaders(h http.Header) map[string]string {
	out := map[string]string{}
	for name, values := range h {
		if name == "Set-Cookie" || len(out) == maxAnswerHeaders {
			continue
		}
		value := strings.Join(values, ", ")
		out[cleanHeader(name)] = cleanHeader(value[:min(len(value), maxHeaderValue)])
	}
	return out
}

// cleanHeader leaves out what Postgres cannot hold in JSON.
func cleanHeader(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "?")
	}
	return strings.ReplaceAll(text, "\x00", "")
}
