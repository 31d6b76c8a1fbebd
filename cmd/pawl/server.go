package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/pawl-ci/pawl/apiserver"
	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/accounts"
	"github.com/pawl-ci/pawl/internal/alert"
	"github.com/pawl-ci/pawl/internal/audit"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/hook"
	"github.com/pawl-ci/pawl/internal/logchunk"
	"github.com/pawl-ci/pawl/internal/loghub"
	"github.com/pawl-ci/pawl/internal/peer"
	"github.com/pawl-ci/pawl/internal/reconcile"
	"github.com/pawl-ci/pawl/internal/secretbox"
	"github.com/pawl-ci/pawl/internal/token"
	"github.com/pawl-ci/pawl/internal/trigger"
	"github.com/pawl-ci/pawl/internal/vault"
	"github.com/pawl-ci/pawl/runnergw"
)

type serverCommand struct {
	backendConfig
	serverConfig
	secretConfig
}

// Run serves until it is told to stop, and then drains.
func (c *serverCommand) Run(ctx context.Context, logger *slog.Logger) error {
	b, err := openBackends(ctx, c.backendConfig, logger)
	if err != nil {
		return err
	}
	defer b.close()
	part, err := startServer(ctx, b, c.serverConfig, c.secretConfig)
	if err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		logger.Info("draining")
	case err = <-part.failed:
	}
	stopCtx, cancel := context.WithTimeout(context.Background(), c.DrainTimeout)
	defer cancel()
	return errors.Join(err, part.stop(stopCtx))
}

// serverPart is a running server: REST, git, runners, metrics and health on one address.
type serverPart struct {
	http    *http.Server
	api     *apiserver.Server
	gateway *runnergw.Gateway
	store   *git.Store
	base    *backends
	failed  chan error
	// endLoops ends what goes on beside the requests.
	endLoops context.CancelFunc
	loops    chan struct{}
}

func startServer(ctx context.Context, b *backends, c serverConfig, secret secretConfig) (*serverPart, error) {
	if err := engine.EnsureSearchAttributes(ctx, b.temporal, b.config.TemporalNamespace); err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", c.HTTPAddr)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	p, err := assembleServer(ctx, b, c, secret, listener.Addr())
	if err != nil {
		_ = listener.Close()
		return nil, err
	}
	go func() {
		if err := p.http.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			p.failed <- fmt.Errorf("serve: %w", err)
		}
	}()
	b.logger.InfoContext(ctx, "listening", "address", listener.Addr().String())
	return p, nil
}

// assembleServer puts the parts of a server together and starts what goes on beside its requests.
func assembleServer(ctx context.Context, b *backends, c serverConfig, secret secretConfig, addr net.Addr) (*serverPart, error) {
	keys, err := deriveKeys(secret)
	if err != nil {
		return nil, err
	}
	if err := keys.vault(b.db).SealOld(ctx); err != nil {
		return nil, err
	}
	p := &serverPart{base: b, failed: make(chan error, 1)}
	mirror, err := c.mirror()
	if err != nil {
		return nil, err
	}
	guard, err := c.guard()
	if err != nil {
		return nil, err
	}
	if p.store, err = git.Open(ctx, git.Options{Root: c.DataDir, Logger: b.logger, Mirror: mirror}); err != nil {
		return nil, err
	}
	temporal := engine.New(b.temporal, b.config.TemporalNamespace)
	runs, err := trigger.New(trigger.Config{
		DB: b.db, Git: p.store, Engine: temporal, Logger: b.logger, RootURL: linkURL(c, addr),
	})
	if err != nil {
		return nil, err
	}
	hub := loghub.New()
	proxies, err := c.proxies()
	if err != nil {
		return nil, err
	}
	if err := p.newGateway(b, c, keys, temporal, hub, proxies); err != nil {
		return nil, err
	}
	p.api, err = apiserver.New(apiserver.Config{
		DB: b.db, Tokens: keys.tokens, Keys: keys.seals, Passwords: accounts.NewPasswords(accounts.PasswordOptions{}), Repositories: p.store,
		CheckCloneURL: func(url string) error { return git.CheckMirrorURL(url, mirror) },
		Trigger:       runs, Git: git.NewHandler(p.store, git.HandlerOptions{OnPush: apiserver.PushHook(b.db, runs)}), Hub: hub,
		CheckHookURL: guard.CheckURL,
		RootURL:      c.RootURL, LinkURL: linkURL(c, addr), TemporalUIURL: c.TemporalUIURL, TemporalNamespace: b.config.TemporalNamespace,
		Version: version, Registerer: b.registry, Logger: b.logger, Limits: c.limits(), TrustedProxies: proxies,
	})
	if err != nil {
		return nil, err
	}
	p.http = newHTTPServer(p.routes(), b.logger)
	alerts, err := newAlerts(b, c)
	if err != nil {
		return nil, err
	}
	hooks, err := hook.NewFanout(hook.Config{
		DB: b.db, Payloads: p.api, Starter: temporal, Holder: uuid.NewString(), Logger: b.logger.With("component", "webhooks"),
		Registerer: b.registry,
	})
	if err != nil {
		return nil, err
	}
	if err := p.gateway.Start(ctx); err != nil {
		return nil, err
	}
	sweeper := &audit.Sweeper{DB: b.db, Log: b.logger.With("component", "audit"), Keep: c.auditKeep()}
	p.startLoops(b, temporal, runs, alerts.Run, hooks.Run, sweeper.Run)
	return p, nil
}

// mirror says where outside repositories may be fetched from. A name is checked with each fetch.
func (c serverConfig) mirror() (git.MirrorOptions, error) {
	guard, err := newGuard(c.CloneAllowedHosts)
	if err != nil || c.CloneAllowedHosts == "*" {
		return git.MirrorOptions{}, err
	}
	return git.MirrorOptions{AllowURL: func(u *url.URL) error { return guard.CheckResolved(context.Background(), u) }}, nil
}

func newAlerts(b *backends, c serverConfig) (*alert.Deliverer, error) {
	secret, err := c.alertConfig.secret()
	if err != nil {
		return nil, err
	}
	return alert.New(alert.Config{
		DB: b.db, URL: c.AlertURL, Secret: secret, RootURL: c.RootURL, Logger: b.logger.With("component", "alerts"),
		Registerer: b.registry,
	})
}

// keys are what is derived from the secret key of an installation.
type keys struct {
	tokens  *token.Hasher
	seals   *secretbox.Keyring
	runtime []byte
}

func deriveKeys(secret secretConfig) (keys, error) {
	raw, err := secret.key()
	if err != nil {
		return keys{}, err
	}
	older, err := secret.oldKeys()
	if err != nil {
		return keys{}, err
	}
	var k keys
	if k.tokens, err = newHasher(raw, older...); err != nil {
		return keys{}, err
	}
	if k.seals, err = secretbox.New(raw, older...); err != nil {
		return keys{}, err
	}
	k.runtime, err = token.Derive(raw, "runtime")
	return k, err
}

// vault keeps what is sealed in the database.
func (k keys) vault(d *db.DB) *vault.Vault {
	return &vault.Vault{DB: d, Keys: k.seals, Tokens: k.tokens}
}

// linkURL is the address in event payloads, which no request can tell: that of the listener, unless it listens on all.
func linkURL(c serverConfig, addr net.Addr) string {
	if c.RootURL != "" {
		return strings.TrimRight(c.RootURL, "/")
	}
	host, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		return "http://localhost"
	}
	if ip := net.ParseIP(host); ip == nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

func (p *serverPart) newGateway(b *backends, c serverConfig, k keys, tasks engine.Tasks, hub *loghub.Hub, proxies peer.Proxies) error {
	chunks, err := logchunk.NewCodec()
	if err != nil {
		return err
	}
	p.gateway, err = runnergw.New(runnergw.Deps{
		DB: b.db, Tasks: tasks, Tokens: k.tokens, Keys: k.seals, RuntimeKey: k.runtime, Logs: hub, Chunks: chunks,
		Log: b.logger.With("component", "gateway"), Metrics: b.registry,
	}, runnergw.Options{
		RootURL: c.RootURL, ActionsURL: c.DefaultActionsURL, LostAfter: b.config.LostAfter, ConfirmWithin: c.ConfirmAfter,
		CallEventName: b.config.CallEventName, TrustedProxies: proxies, MaxLogBytes: c.MaxLogBytes,
	})
	return err
}

func (p *serverPart) routes() http.Handler {
	mux := http.NewServeMux()
	p.base.mountOperations(mux)
	mux.Handle(runnergw.Prefix+"/", p.gateway.Handler())
	mux.Handle(runnergw.Prefix, http.NotFoundHandler()) // else it is redirected to the path that is tidied to it
	mux.Handle("/", p.api.Handler())
	return apiserver.TidyPaths(mux)
}

// startLoops starts what goes on beside the requests.
func (p *serverPart) startLoops(b *backends, temporal *engine.Temporal, runs *trigger.Service, others ...func(context.Context)) {
	ctx, cancel := context.WithCancel(context.Background())
	p.endLoops, p.loops = cancel, make(chan struct{})
	r := reconcile.New(reconcile.Config{
		DB: b.db, Engine: temporal, Pusher: runs, Logger: b.logger.With("component", "reconciler"), Registerer: b.registry,
	})
	var loops sync.WaitGroup
	loops.Go(func() { r.Run(ctx) })
	for _, run := range others {
		loops.Go(func() { run(ctx) })
	}
	go func() {
		defer close(p.loops)
		loops.Wait()
	}()
}

// stop drains: probes see it first, held polls and followed logs are answered, requests end, and then the rest.
func (p *serverPart) stop(ctx context.Context) error {
	p.base.health.Drain()
	p.gateway.Drain()
	p.api.Drain()
	err := p.http.Shutdown(ctx)
	if err != nil {
		err = errors.Join(fmt.Errorf("requests did not end in time: %w", err), p.http.Close())
	}
	p.endLoops()
	<-p.loops
	p.gateway.Stop()
	return errors.Join(err, p.store.Close())
}
