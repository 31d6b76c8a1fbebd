package main

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pawl-ci/pawl/workflows"
)

// backendConfig is how a process reaches what all of them share.
type backendConfig struct {
	DatabaseURL       string        `name:"database-url" env:"PAWL_DATABASE_URL" required:"" help:"URL of the Postgres database, postgres://user:password@host:port/name."`
	DatabaseConns     int32         `name:"database-conns" env:"PAWL_DATABASE_CONNS" default:"16" help:"Most connections to the database, in each of the two pools of a process; at least 4."`
	TemporalAddress   string        `name:"temporal-address" env:"PAWL_TEMPORAL_ADDRESS" default:"127.0.0.1:7233" help:"Address of the Temporal frontend, host:port."`
	TemporalNamespace string        `name:"temporal-namespace" env:"PAWL_TEMPORAL_NAMESPACE" default:"pawl" help:"Temporal namespace of this installation."`
	ProfileAddr       string        `name:"profile-addr" env:"PAWL_PROFILE_ADDR" help:"Address to serve Go profiles on (/debug/pprof); keep it private. Unset: none."`
	LostAfter         time.Duration `name:"lost-after" env:"PAWL_LOST_AFTER" default:"60s" help:"How long a runner may be silent before its task is given up and the job is offered again."`
	CallEventName     string        `name:"call-event-name" env:"PAWL_CALL_EVENT_NAME" enum:"caller,workflow_call" default:"caller" help:"Event that jobs of called workflows see: that of the caller, as on GitHub, or workflow_call, as on Gitea."`
}

// secretConfig holds the key under which tokens are hashed and secrets are sealed. All server processes of an installation
// share it.
type secretConfig struct {
	SecretKey         string `name:"secret-key" env:"PAWL_SECRET_KEY" help:"Secret key of the installation, at least 16 characters; give it by environment or file, not on the command line."`
	SecretKeyFile     string `name:"secret-key-file" env:"PAWL_SECRET_KEY_FILE" help:"File that holds the secret key."`
	OldSecretKeys     string `name:"old-secret-keys" env:"PAWL_OLD_SECRET_KEYS" help:"Keys that were the secret key before, separated by commas; give them by environment or file. What was sealed or hashed with them is still known."`
	OldSecretKeysFile string `name:"old-secret-keys-file" env:"PAWL_OLD_SECRET_KEYS_FILE" help:"File that holds these keys, one on each line."`
}

// oldKeys are the keys that were the secret key before.
func (c secretConfig) oldKeys() ([][]byte, error) {
	text, err := secretOf(c.OldSecretKeys, c.OldSecretKeysFile)
	if err != nil {
		return nil, fmt.Errorf("old secret keys: %w", err)
	}
	var keys [][]byte
	for _, key := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '\n' }) {
		if key = strings.TrimSpace(key); key != "" {
			keys = append(keys, []byte(key))
		}
	}
	return keys, nil
}

func (c secretConfig) key() ([]byte, error) {
	key, err := secretOf(c.SecretKey, c.SecretKeyFile)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	if key == "" && c.SecretKeyFile == "" {
		return nil, errors.New("a secret key is needed: --secret-key-file or PAWL_SECRET_KEY")
	}
	return []byte(key), nil
}

// secretOf is what a file holds, if one is named, or else the value.
func secretOf(value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	raw, err := os.ReadFile(file)
	return strings.TrimSpace(string(raw)), err
}

// alertConfig is how administrators are told of faults that nobody foresaw.
type alertConfig struct {
	AlertURL        string `name:"alert-webhook-url" env:"PAWL_ALERT_WEBHOOK_URL" help:"Webhook of the administrators, to which faults are posted that nobody foresaw. Unset: they are logged, and kept for 30 days."`
	AlertSecret     string `name:"alert-webhook-secret" env:"PAWL_ALERT_WEBHOOK_SECRET" help:"Key that signs what is posted to it; give it by environment or file, not on the command line."`
	AlertSecretFile string `name:"alert-webhook-secret-file" env:"PAWL_ALERT_WEBHOOK_SECRET_FILE" help:"File that holds this key."`
}

func (c alertConfig) secret() (string, error) {
	secret, err := secretOf(c.AlertSecret, c.AlertSecretFile)
	switch {
	case err != nil:
		return "", fmt.Errorf("alert webhook secret: %w", err)
	case secret == "" && c.AlertSecretFile != "":
		return "", errors.New("alert webhook secret: the file is empty")
	}
	return secret, nil
}

// serverConfig configures the API server and the runner gateway.
type serverConfig struct {
	alertConfig
	HTTPAddr          string        `name:"http-addr" env:"PAWL_HTTP_ADDR" default:":3000" help:"Address to listen on for REST, git, runners, metrics and health."`
	RootURL           string        `name:"root-url" env:"PAWL_ROOT_URL" help:"Address that clients use, without a slash at the end. Unset: the address of each request."`
	DataDir           string        `name:"data-dir" env:"PAWL_DATA_DIR" default:"data" type:"path" help:"Directory of the git repositories. Several servers share one."`
	TemporalUIURL     string        `name:"temporal-ui-url" env:"PAWL_TEMPORAL_UI_URL" help:"Address of the Temporal UI, for links to the history of a run."`
	DefaultActionsURL string        `name:"default-actions-url" env:"PAWL_DEFAULT_ACTIONS_URL" help:"Host of actions that are named owner/repo@ref. Unset: this server."`
	ConfirmAfter      time.Duration `name:"confirm-after" env:"PAWL_CONFIRM_AFTER" default:"30s" help:"How long a runner that took a task may take to report first, before the job is offered again."`
	DrainTimeout      time.Duration `name:"drain-timeout" env:"PAWL_DRAIN_TIMEOUT" default:"15s" help:"How long requests may take to finish when the server is told to stop."`
}

// workerConfig configures the worker. Its limits reach jobs that start after a change.
type workerConfig struct {
	QueueTimeout time.Duration `name:"queue-timeout" env:"PAWL_QUEUE_TIMEOUT" default:"24h" help:"How long a job waits for a runner before it is cancelled."`
	CancelGrace  time.Duration `name:"cancel-grace" env:"PAWL_CANCEL_GRACE" default:"5m" help:"How long a runner that can may run post steps after a cancel before the job is ended by force."`
	MaxTries     int           `name:"max-tries" env:"PAWL_MAX_TRIES" default:"4" help:"How many runners may be lost over a job before it fails; 1: it is never offered again."`
	StickyCache  int           `name:"sticky-cache" env:"PAWL_STICKY_CACHE" default:"4000" help:"Open workflows kept in memory."`
}

func (c workerConfig) settings(lostAfter time.Duration) workflows.Settings {
	return workflows.Settings{Job: workflows.JobSettings{
		QueueTimeout: c.QueueTimeout, LostAfter: lostAfter, CancelGrace: c.CancelGrace, MaxTries: c.MaxTries,
	}}
}

// defaultServerConfig is what the tags of serverConfig say, for a server that no command line configures.
func defaultServerConfig() serverConfig { return parsedDefaults[serverConfig]() }

// defaultWorkerConfig is what the tags of workerConfig say.
func defaultWorkerConfig() workerConfig { return parsedDefaults[workerConfig]() }

// parsedDefaults fills a config from its tags and the environment.
func parsedDefaults[T any]() T {
	var c struct {
		Config T `embed:""`
	}
	_, err := kong.Must(&c).Parse(nil)
	if err != nil {
		panic(err) // the tags are part of the program
	}
	return c.Config
}
