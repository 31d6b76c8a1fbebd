package main

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/devstack"
	"github.com/pawl-ci/pawl/internal/token"
)

// stackParts makes Pawl's own parts of a stack. Server and worker in one process share their connections.
type stackParts struct {
	flags  stackFlags
	logger *slog.Logger

	mu     sync.Mutex
	shared *backends
	users  int
}

func (p *stackParts) devstack() devstack.Parts {
	return devstack.Parts{
		Migrate:     func(ctx context.Context, c devstack.Config) error { return db.MigrateURL(ctx, c.DatabaseURL) },
		Bootstrap:   bootstrap,
		StartServer: p.startServer,
		StartWorker: p.startWorker,
		ServerChild: p.serverChild,
		WorkerChild: p.workerChild,
	}
}

// backendsOf is how the parts of a stack reach Postgres and Temporal.
func (p *stackParts) backendsOf(c devstack.Config) backendConfig {
	return backendConfig{
		DatabaseURL: c.DatabaseURL, DatabaseConns: 16, TemporalAddress: c.TemporalAddress,
		TemporalNamespace: c.TemporalNamespace, LostAfter: p.flags.LostAfter, CallEventName: p.flags.CallEventName, ProfileAddr: p.flags.ProfileAddr,
	}
}

// acquire opens the connections with the first part and closes them with the last.
func (p *stackParts) acquire(ctx context.Context, c devstack.Config) (*backends, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shared == nil {
		b, err := openBackends(ctx, p.backendsOf(c), p.logger)
		if err != nil {
			return nil, err
		}
		p.shared = b
	}
	p.users++
	return p.shared, nil
}

func (p *stackParts) release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.users--; p.users == 0 {
		p.shared.close()
		p.shared = nil
	}
}

// secretKeyFile is where a stack keeps its secret key.
func secretKeyFile(dataDir string) string { return filepath.Join(dataDir, "secret.key") }

// devSecret makes the secret key of a stack with its first start.
func devSecret(dataDir string) (secretConfig, error) {
	path := secretKeyFile(dataDir)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if os.IsExist(err) {
		return secretConfig{SecretKeyFile: path}, nil
	}
	if err != nil {
		return secretConfig{}, err
	}
	defer f.Close()
	_, err = f.WriteString(token.New() + "\n")
	return secretConfig{SecretKeyFile: path}, err
}

func gitDir(c devstack.Config) string { return filepath.Join(c.DataDir, "git") }

func (p *stackParts) startServer(ctx context.Context, c devstack.Config) (devstack.Part, error) {
	secret, err := devSecret(c.DataDir)
	if err != nil {
		return nil, err
	}
	b, err := p.acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	config := defaultServerConfig()
	config.HTTPAddr, config.DataDir, config.TemporalUIURL = c.HTTPAddress, gitDir(c), c.TemporalUIURL
	server, err := startServer(ctx, b, config, secret)
	if err != nil {
		p.release()
		return nil, err
	}
	return &innerPart{stop: server.stop, failed: server.failed, release: p.release}, nil
}

func (p *stackParts) startWorker(ctx context.Context, c devstack.Config) (devstack.Part, error) {
	b, err := p.acquire(ctx, c)
	if err != nil {
		return nil, err
	}
	w, err := startWorker(ctx, b, defaultWorkerConfig())
	if err != nil {
		p.release()
		return nil, err
	}
	stop := func(context.Context) error { w.stop(); return nil }
	return &innerPart{stop: stop, failed: w.worker.Failed(), release: p.release}, nil
}

// innerPart is a part that shares this process.
type innerPart struct {
	stop    func(context.Context) error
	failed  <-chan error
	release func()
	once    sync.Once
}

// Stop implements devstack.Part.
func (p *innerPart) Stop(ctx context.Context) error {
	err := p.stop(ctx)
	p.once.Do(p.release)
	return err
}

// Failed implements devstack.Part.
func (p *innerPart) Failed() <-chan error { return p.failed }

// childEnv gives a process of its own what it must not get by arguments.
func (p *stackParts) childEnv(c devstack.Config) []string {
	return []string{
		"PAWL_DATABASE_URL=" + c.DatabaseURL,
		"PAWL_TEMPORAL_ADDRESS=" + c.TemporalAddress,
		"PAWL_TEMPORAL_NAMESPACE=" + c.TemporalNamespace,
		"PAWL_LOST_AFTER=" + p.flags.LostAfter.String(),
		"PAWL_CALL_EVENT_NAME=" + p.flags.CallEventName,
	}
}

func (p *stackParts) serverChild(c devstack.Config) devstack.Child {
	if _, err := devSecret(c.DataDir); err != nil {
		p.logger.Error("secret key", "error", err)
	}
	return devstack.Child{
		Args: []string{
			"server", "--http-addr", c.HTTPAddress, "--data-dir", gitDir(c), "--temporal-ui-url", c.TemporalUIURL,
			"--secret-key-file", secretKeyFile(c.DataDir),
		},
		Env:      p.childEnv(c),
		ReadyURL: c.URL + "/readyz",
	}
}

func (p *stackParts) workerChild(c devstack.Config) devstack.Child {
	return devstack.Child{
		Args:     []string{"worker", "--metrics-addr", c.WorkerAddress},
		Env:      p.childEnv(c),
		ReadyURL: "http://" + c.WorkerAddress + "/readyz",
	}
}
