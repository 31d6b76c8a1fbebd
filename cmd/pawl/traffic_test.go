package main

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/ratelimit"
)

func TestTrafficSettings(t *testing.T) {
	t.Setenv("PAWL_TRUSTED_PROXIES", "10.0.0.0/8,127.0.0.1")
	c, err := parse(t, "server", "--database-url", "postgres://x", "--rate-limit-login", "off", "--audit-days", "7")
	require.NoError(t, err)
	limits := c.Server.limits()
	require.Equal(t, ratelimit.Rate{PerSecond: 50, Burst: 500}, limits.Caller)
	require.Equal(t, ratelimit.Rate{PerSecond: 10, Burst: 100}, limits.Anonymous)
	require.True(t, limits.Login.Off())
	require.Equal(t, 7*24*time.Hour, c.Server.auditKeep())
	proxies, err := c.Server.proxies()
	require.NoError(t, err)
	require.Equal(t, peer.Proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("127.0.0.1/32")}, proxies)

	_, err = parse(t, "server", "--database-url", "postgres://x", "--rate-limit", "fast")
	require.ErrorContains(t, err, "50:500")
	file := settingsFile(t, `{"database-url": "x", "rate-limit": "5:6", "trusted-proxies": "nonsense"}`)
	t.Setenv("PAWL_TRUSTED_PROXIES", "")
	c, err = parse(t, "--config", file, "server")
	require.NoError(t, err)
	require.Equal(t, "5:6", c.Server.RateLimit.String())
	require.Zero(t, (&trafficConfig{AuditDays: -1}).auditKeep())
	require.Positive(t, (&trafficConfig{AuditDays: 1 << 40}).auditKeep())
}

// On one machine nothing is limited unless it is asked for, in one process or in two.
func TestDevLimitsNothingUnlessAsked(t *testing.T) {
	c, err := parse(t, "dev")
	require.NoError(t, err)
	config := defaultServerConfig().trafficConfig
	require.False(t, config.RateLimit.Off())
	c.Dev.apply(&config)
	require.Zero(t, config.limits())
	require.Equal(t, []string{"--rate-limit", "off", "--rate-limit-anonymous", "off", "--rate-limit-login", "off"}, c.Dev.args())
	t.Setenv("PAWL_RATE_LIMIT", "5:6")
	c, err = parse(t, "dev")
	require.NoError(t, err)
	require.Equal(t, "5:6", c.Dev.args()[1])
}

func TestCommandsAreRecorded(t *testing.T) {
	d := dbtest.Open(t)
	require.NoError(t, recordCommand(t.Context(), d, db.AuditEntry{Action: "command.user.create", Owner: "anna"}, nil))
	broken := errors.New("broken")
	require.Equal(t, broken, recordCommand(t.Context(), d, db.AuditEntry{Action: "command.org.create"}, broken))
	entries, err := d.AuditLog(t.Context(), db.AuditFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, entries, 2)
	require.Equal(t, []any{audit.Command, db.AuditFailed, "broken"}, []any{entries[0].Credential, entries[0].Result, entries[0].Error})
	require.Equal(t, []any{"anna", db.AuditOK}, []any{entries[1].Owner, entries[1].Result})
	require.NotEmpty(t, entries[1].CredentialName)
}
