package main

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
)

func parse(t *testing.T, args ...string) (*commands, error) {
	t.Helper()
	var c commands
	parser, err := kong.New(&c, kong.Name("pawl"), kong.Exit(func(int) { t.Fatal("exit") }), kong.Configuration(strictJSON))
	require.NoError(t, err)
	_, err = parser.Parse(args)
	return &c, err
}

func settingsFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.json")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

// TestSettingsOfProductionHaveEveryWay checks that what an operator may set has a flag, a variable and a line of help.
func TestSettingsOfProductionHaveEveryWay(t *testing.T) {
	app, err := kong.New(&commands{})
	require.NoError(t, err)
	for _, n := range app.Model.Children {
		if n.Name != "server" && n.Name != "worker" && n.Name != "migrate" {
			continue
		}
		for _, f := range n.Flags {
			require.NotEmpty(t, f.Envs, "%s --%s has no variable", n.Name, f.Name)
			require.NotEmpty(t, f.Help, "%s --%s has no help", n.Name, f.Name)
		}
	}
}

func TestAFlagWinsOverTheEnvironmentAndThatOverTheFile(t *testing.T) {
	file := settingsFile(t, `{"database-url": "postgres://file", "queue-timeout": "1h", "max-tries": 9, "sticky-cache": 7}`)
	t.Setenv("PAWL_QUEUE_TIMEOUT", "2h")
	t.Setenv("PAWL_MAX_TRIES", "8")
	c, err := parse(t, "--config", file, "worker", "--max-tries", "3")
	require.NoError(t, err)
	require.Equal(t, "postgres://file", c.Worker.DatabaseURL)
	require.Equal(t, 3, c.Worker.MaxTries)
	require.Equal(t, 2*time.Hour, c.Worker.QueueTimeout)
	require.Equal(t, 7, c.Worker.StickyCache)
	require.Equal(t, 5*time.Minute, c.Worker.CancelGrace, "the default")
}

func TestUnknownSettingsAreRefused(t *testing.T) {
	_, err := parse(t, "--config", settingsFile(t, `{"databse-url": "x"}`), "worker")
	require.ErrorContains(t, err, `there is no setting "databse-url"`)
	_, err = parse(t, "--config", settingsFile(t, `not json`), "worker")
	require.Error(t, err)
	_, err = parse(t, "worker", "--nonsense")
	require.Error(t, err)
}

func TestDefaultsComeFromTheTags(t *testing.T) {
	require.Equal(t, 24*time.Hour, defaultWorkerConfig().QueueTimeout)
	require.Equal(t, ":3000", defaultServerConfig().HTTPAddr)
}

func TestSecretKey(t *testing.T) {
	_, err := secretConfig{}.key()
	require.Error(t, err)
	file := settingsFile(t, "0123456789abcdef\n")
	key, err := secretConfig{SecretKeyFile: file}.key()
	require.NoError(t, err)
	require.Equal(t, "0123456789abcdef", string(key))
	_, err = deriveKeys(secretConfig{SecretKey: "short"})
	require.Error(t, err)
}

func TestOldSecretKeys(t *testing.T) {
	for _, c := range []struct {
		config secretConfig
		want   [][]byte
	}{
		{secretConfig{}, nil},
		{secretConfig{OldSecretKeys: " one, two,, "}, [][]byte{[]byte("one"), []byte("two")}},
		{secretConfig{OldSecretKeysFile: settingsFile(t, "one\n\ntwo\n")}, [][]byte{[]byte("one"), []byte("two")}},
	} {
		got, err := c.config.oldKeys()
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	_, err := secretConfig{OldSecretKeysFile: "/gone"}.oldKeys()
	require.Error(t, err)
	_, err = deriveKeys(secretConfig{SecretKey: "0123456789abcdef", OldSecretKeys: "short"})
	require.Error(t, err)
	keys, err := deriveKeys(secretConfig{SecretKey: "0123456789abcdef", OldSecretKeys: "fedcba9876543210"})
	require.NoError(t, err)
	require.Len(t, keys.tokens.Hashes("x"), 2)
}

func TestAlertWebhook(t *testing.T) {
	t.Setenv("PAWL_ALERT_WEBHOOK_URL", "https://hooks.example")
	file := settingsFile(t, "s3cret\n")
	c, err := parse(t, "server", "--database-url", "postgres://x", "--alert-webhook-secret-file", file)
	require.NoError(t, err)
	require.Equal(t, "https://hooks.example", c.Server.AlertURL)
	for _, o := range []struct {
		config alertConfig
		want   string
		fails  bool
	}{
		{config: c.Server.alertConfig, want: "s3cret"},
		{config: alertConfig{AlertSecret: "word"}, want: "word"},
		{config: alertConfig{}},
		{config: alertConfig{AlertSecretFile: settingsFile(t, "\n")}, fails: true},
		{config: alertConfig{AlertSecretFile: file + ".gone"}, fails: true},
	} {
		got, err := o.config.secret()
		require.Equal(t, o.fails, err != nil, "%+v", o.config)
		require.Equal(t, o.want, got)
	}
	require.Equal(t, "https://hooks.example", defaultServerConfig().AlertURL, "dev reads it too")
}

func TestDevSecretIsMadeOnceAndKeptPrivate(t *testing.T) {
	dir := t.TempDir()
	first, err := devSecret(dir)
	require.NoError(t, err)
	one, err := first.key()
	require.NoError(t, err)
	second, err := devSecret(dir)
	require.NoError(t, err)
	two, err := second.key()
	require.NoError(t, err)
	require.Equal(t, one, two)
	info, err := os.Stat(secretKeyFile(dir))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func TestLinksLeadToWhereTheServerListens(t *testing.T) {
	for listens, want := range map[string]string{
		"127.0.0.1:3000": "http://127.0.0.1:3000", "[::1]:3000": "http://[::1]:3000", "0.0.0.0:3000": "http://localhost:3000",
		"[::]:3000": "http://localhost:3000",
	} {
		addr, err := net.ResolveTCPAddr("tcp", listens)
		require.NoError(t, err)
		require.Equal(t, want, linkURL(serverConfig{}, addr))
		require.Equal(t, "https://pawl.example", linkURL(serverConfig{RootURL: "https://pawl.example/"}, addr))
	}
}
