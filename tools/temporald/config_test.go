package main

import (
	"flag"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, env map[string]string, args ...string) (config, error) {
	t.Helper()
	return parseConfig(args, func(name string) string { return env[name] }, io.Discard)
}

func TestConfigDefaults(t *testing.T) {
	c, err := parse(t, nil)
	require.NoError(t, err)
	require.Equal(t, "pawl", c.Namespace)
	require.Equal(t, 72*time.Hour, c.Retention)
	require.Equal(t, "127.0.0.1", c.Bind)
	require.Equal(t, "temporal", c.Database)
	require.Equal(t, "temporal_visibility", c.VisibilityDatabase)
}

func TestConfigFlagBeatsEnvironment(t *testing.T) {
	env := map[string]string{
		"TEMPORALD_PORT":              "1111",
		"TEMPORALD_UI_PORT":           "2222",
		"TEMPORALD_POSTGRES_PASSWORD": "secret",
	}
	c, err := parse(t, env, "--port", "3333")
	require.NoError(t, err)
	require.Equal(t, 3333, c.Port)
	require.Equal(t, 2222, c.UIPort)
	require.Equal(t, "secret", c.PostgresPassword)
}

func TestConfigRefusals(t *testing.T) {
	for _, args := range [][]string{
		{"--no-such-flag"}, {"stray"}, {"--bind", "localhost"}, {"--postgres-port", "0"}, {"--port", "70000"},
		{"--ui-port", "-2"}, {"--retention", "5m"}, {"--namespace", ""}, {"--database", "x", "--visibility-database", "x"},
		{"--max-conns", "1"}, {"--postgres-user", ""},
	} {
		_, err := parse(t, nil, args...)
		require.ErrorIs(t, err, errUsage, "%v", args)
	}
	_, err := parse(t, map[string]string{"TEMPORALD_PORT": "x"})
	require.ErrorIs(t, err, errUsage)
	_, err = parse(t, nil, "--help")
	require.ErrorIs(t, err, flag.ErrHelp)
}

func TestSocketDirectoryBecomesParameters(t *testing.T) {
	c, err := parse(t, nil, "--postgres-host", "/run/pg", "--postgres-port", "5433")
	require.NoError(t, err)
	sql := sqlConfig(c, "temporal", 4)
	require.Equal(t, map[string]string{"host": "/run/pg", "port": "5433", "sslmode": "disable"}, sql.ConnectAttributes)
}

func TestConnectionsFitIntoTwoHundred(t *testing.T) {
	c, err := parse(t, nil)
	require.NoError(t, err)
	stores := persistenceConfig(c).DataStores
	perService := stores[defaultStore].SQL.MaxConns + stores[visibilityStore].SQL.MaxConns
	require.LessOrEqual(t, 4*perService, 100, "half of max_connections is left to the rest of the stack")
}
