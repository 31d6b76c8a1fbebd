package apiserver

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/ratelimit"
)

// Limits bound how often clients may ask. The zero value of each limits nothing.
type Limits struct {
	// Caller is for each access token, task and user with a password.
	Caller ratelimit.Rate
	// Anonymous is for each address: calls without credentials, and those whose credentials are not right.
	Anonymous ratelimit.Rate
	// Login is for each address: passwords that are computed, which costs some 30 ms of CPU each. Git is bound by it too.
	Login ratelimit.Rate
}

// The kinds of limits, which are labels.
const (
	limitCaller    = "caller"
	limitAnonymous = "anonymous"
	limitLogin     = "login"
)

// limiter keeps the buckets of all clients of this process.
type limiter struct {
	callers, anonymous, logins *ratelimit.Buckets
	// proven are hashes of credentials that were right, so that somebody else's wrong ones from the same address, that of
	// a proxy perhaps, do not keep them out.
	proven  *lru.Cache[string, struct{}]
	refused *prometheus.CounterVec
}

const maxProven = 50_000

func newLimiter(l Limits, now func() time.Time, r prometheus.Registerer) (*limiter, error) {
	proven, err := lru.New[string, struct{}](maxProven)
	if err != nil {
		return nil, fmt.Errorf("rate limit: %w", err)
	}
	out := &limiter{proven: proven}
	for rate, buckets := range map[*ratelimit.Rate]**ratelimit.Buckets{
		&l.Caller: &out.callers, &l.Anonymous: &out.anonymous, &l.Login: &out.logins,
	} {
		if *buckets, err = ratelimit.New(*rate, now); err != nil {
			return nil, err
		}
	}
	out.refused, err = newLimitCounter(r)
	return out, err
}

// newLimitCounter registers pawl_http_rate_limited_total, or finds the one that is registered.
func newLimitCounter(r prometheus.Registerer) (*prometheus.CounterVec, error) {
	counter := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "pawl_http_rate_limited_total", Help: "HTTP requests that were answered 429, by the limit that they were above.",
	}, []string{"limit"})
	err := r.Register(counter)
	var taken prometheus.AlreadyRegisteredError
	if errors.As(err, &taken) {
		if existing, ok := taken.ExistingCollector.(*prometheus.CounterVec); ok {
			return existing, nil
		}
	}
	for _, limit := range []string{limitCaller, limitAnonymous, limitLogin} {
		counter.WithLabelValues(limit)
	}
	return counter, err
}

// address is where the call comes from.
func (c *call) address() string { return peer.Key(c.server.TrustedProxies.Address(c.r)) }

// spendAnonymous takes a token for a call without credentials.
func (c *call) spendAnonymous() error {
	if c.route.unlimited {
		return nil
	}
	state, ok := c.server.limiter.anonymous.Take(c.address())
	return c.limited(limitAnonymous, state, ok)
}

// spendCaller takes a token of the caller that was found.
func (c *call) spendCaller() error {
	if c.route.unlimited {
		return nil
	}
	state, ok := c.server.limiter.callers.Take(c.caller.key)
	return c.limited(limitCaller, state, ok)
}

// mayProve lets credentials be looked up: those that were right before, and others unless too many from the same address were
// wrong.
func (c *call) mayProve(credentials string) error {
	if c.route.unlimited || c.server.limiter.proven.Contains(credentials) {
		return nil
	}
	state, ok := c.server.limiter.anonymous.Look(c.address())
	if ok {
		return nil
	}
	return c.limited(limitAnonymous, state, false)
}

// proved remembers what came of credentials. A token that was taken back is bounded from then on like any wrong one.
func (c *call) proved(credentials string, err error) {
	if err == nil {
		c.server.limiter.proven.Add(credentials, struct{}{})
		return
	}
	if !fault.Has(err, fault.CodeUnauthenticated) {
		return
	}
	c.server.limiter.proven.Remove(credentials)
	if !c.route.unlimited {
		state, _ := c.server.limiter.anonymous.Take(c.address())
		c.tellLimit(state)
	}
}

// spendLogin takes a token for a password that has to be computed.
func (c *call) spendLogin() error {
	state, ok := c.server.limiter.logins.Take(c.address())
	if ok {
		return nil // what the client is told is the limit of its calls
	}
	return c.limited(limitLogin, state, ok)
}

// limited tells the client how it stands, and is the fault if there was no token.
func (c *call) limited(limit string, state ratelimit.State, ok bool) error {
	c.tellLimit(state)
	if ok {
		return nil
	}
	c.server.limiter.refused.WithLabelValues(limit).Inc()
	c.w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(state.Wait.Seconds()))))
	return fault.TooManyRequests("rate limit exceeded, try again in %s", state.Wait.Round(time.Millisecond))
}

// tellLimit sets the headers; there are none without a limit. Reset is the second of the Unix epoch at which everything is
// there again, as on GitHub.
func (c *call) tellLimit(state ratelimit.State) {
	if state.Limit == 0 {
		return
	}
	h := c.w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(state.Limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(state.Remaining))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(state.Full.Add(time.Second-1).Unix(), 10))
}

// retrySoon is for a 429 that says nothing better: of a server that has enough to do.
func retrySoon(h http.Header) {
	if h.Get("Retry-After") == "" {
		h.Set("Retry-After", "1")
	}
}
