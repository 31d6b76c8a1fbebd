package main

import (
	"time"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/ratelimit"
)

// trafficConfig bounds what clients may ask, and says what is remembered of it.
type trafficConfig struct {
	RateLimit          ratelimit.Rate `name:"rate-limit" env:"PAWL_RATE_LIMIT" default:"50:500" help:"Requests a second and burst of each access token, task and user with a password, 50:500; off: no limit."`
	RateLimitAnonymous ratelimit.Rate `name:"rate-limit-anonymous" env:"PAWL_RATE_LIMIT_ANONYMOUS" default:"10:100" help:"The same for each address, of requests without credentials or with wrong ones."`
	RateLimitLogin     ratelimit.Rate `name:"rate-limit-login" env:"PAWL_RATE_LIMIT_LOGIN" default:"1:20" help:"The same for each address, of passwords that are checked; git is bound by it too."`
	TrustedProxies     []string       `name:"trusted-proxies" env:"PAWL_TRUSTED_PROXIES" help:"Addresses and networks of proxies whose X-Forwarded-For is believed, 10.0.0.0/8. Unset: none."`
	AuditDays          int            `name:"audit-days" env:"PAWL_AUDIT_DAYS" default:"365" help:"Days that entries of the audit log are kept; 0: for ever."`
}

func (c trafficConfig) limits() apiserver.Limits {
	return apiserver.Limits{Caller: c.RateLimit, Anonymous: c.RateLimitAnonymous, Login: c.RateLimitLogin}
}

func (c trafficConfig) proxies() (peer.Proxies, error) { return peer.ParseProxies(c.TrustedProxies) }

func (c trafficConfig) auditKeep() time.Duration {
	return time.Duration(min(max(c.AuditDays, 0), 36_500)) * 24 * time.Hour
}

// devLimits are off unless they are asked for: on one machine, load tools and tests share one token.
type devLimits struct {
	RateLimit          ratelimit.Rate `name:"rate-limit" env:"PAWL_RATE_LIMIT" default:"off" help:"Requests a second and burst of each caller, 50:500."`
	RateLimitAnonymous ratelimit.Rate `name:"rate-limit-anonymous" env:"PAWL_RATE_LIMIT_ANONYMOUS" default:"off" help:"The same for each address, without credentials."`
	RateLimitLogin     ratelimit.Rate `name:"rate-limit-login" env:"PAWL_RATE_LIMIT_LOGIN" default:"off" help:"The same for each address, of passwords."`
}

// apply sets them for a server in this process.
func (l devLimits) apply(c *trafficConfig) {
	c.RateLimit, c.RateLimitAnonymous, c.RateLimitLogin = l.RateLimit, l.RateLimitAnonymous, l.RateLimitLogin
}

// args set them for a server in a process of its own.
func (l devLimits) args() []string {
	return []string{
		"--rate-limit", l.RateLimit.String(), "--rate-limit-anonymous", l.RateLimitAnonymous.String(),
		"--rate-limit-login", l.RateLimitLogin.String(),
	}
}
