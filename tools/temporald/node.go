package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	uiserver "github.com/temporalio/ui-server/v2/server"
	serverconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/temporal"
	"golang.org/x/sync/errgroup"
)

// node is everything that runs in this process.
type node struct {
	cfg     config
	ports   ports
	server  temporal.Server
	ui      *uiserver.Server
	metrics *http.Server
	failed  chan error // a part that ended by itself; the process ends with it
}

// startNode prepares the databases and starts all parts. On an error nothing is left
// running.
func startNode(ctx context.Context, cfg config) (_ *node, err error) {
	lg := log.NewZapLogger(log.BuildZapLogger(log.Config{Level: cfg.LogLevel, Format: "json"}))
	n := &node{cfg: cfg, failed: make(chan error, 1)}
	n.withdraw() // a killed predecessor left its file
	defer func() {
		if err != nil {
			n.Stop()
		}
	}()
	if n.ports, err = pickPorts(cfg); err != nil {
		return nil, err
	}
	stores := persistenceConfig(cfg)
	if err := prepareDatabases(ctx, cfg, stores, lg); err != nil {
		return nil, err
	}
	registry, handler, err := newMetrics(lg)
	if err != nil {
		return nil, err
	}
	if n.ports.metrics >= 0 {
		if n.metrics, err = serveMetrics(hostPort(cfg.Bind, n.ports.metrics), registry, n.failed); err != nil {
			return nil, err
		}
	}
	return n, n.startServer(stores, handler, lg)
}

// startServer starts the services, which listen when it returns, and then the UI.
func (n *node) startServer(stores serverconfig.Persistence, handler metrics.Handler, lg log.Logger) error {
	server, err := newServer(n.cfg, n.ports, stores, handler, lg)
	if err != nil {
		return err
	}
	n.server = server
	if err := server.Start(); err != nil {
		return fmt.Errorf("start server: %w", err)
	}
	if n.ports.ui >= 0 {
		n.ui = startUI(n.cfg, n.ports)
	}
	return nil
}

// prepareDatabases brings both databases to the state in which a server can start.
func prepareDatabases(ctx context.Context, cfg config, stores serverconfig.Persistence, lg log.Logger) error {
	main, visibility := stores.DataStores[defaultStore].SQL, stores.DataStores[visibilityStore].SQL
	var group errgroup.Group
	group.Go(func() error { return ensureSchema(main, mainSchema, lg) })
	group.Go(func() error { return ensureSchema(visibility, visibilitySchema, lg) })
	if err := group.Wait(); err != nil {
		return err
	}
	aliases, err := ensureNamespace(ctx, &stores, cfg.Namespace, cfg.Retention, lg)
	if err != nil {
		return err
	}
	return slimVisibility(visibility, aliases, lg)
}

// announce waits until a client can use the server and tells it through the ready file.
func (n *node) announce(ctx context.Context) error {
	if err := waitUsable(ctx, hostPort(n.cfg.Bind, n.ports.frontend), n.cfg.Namespace); err != nil {
		return err
	}
	if n.cfg.ReadyFile == "" {
		return nil
	}
	return writeReadyFile(n.cfg.ReadyFile, n.endpoints())
}

// withdraw removes the ready file, so that nobody takes a starting or stopping server
// for a ready one.
func (n *node) withdraw() {
	if n.cfg.ReadyFile != "" {
		_ = os.Remove(n.cfg.ReadyFile)
	}
}

func (n *node) endpoints() endpoints {
	e := endpoints{GRPCAddress: hostPort(n.cfg.Bind, n.ports.frontend), Namespace: n.cfg.Namespace}
	if n.ports.ui >= 0 {
		e.UIURL = fmt.Sprintf("http://%s", hostPort(n.cfg.Bind, n.ports.ui))
	}
	if n.ports.metrics >= 0 {
		e.MetricsURL = fmt.Sprintf("http://%s/metrics", hostPort(n.cfg.Bind, n.ports.metrics))
	}
	return e
}

// Stop ends all parts, the outermost first. It may take some seconds.
func (n *node) Stop() {
	if n.ui != nil {
		n.ui.Stop()
	}
	if n.server != nil {
		_ = n.server.Stop()
	}
	if n.metrics != nil {
		_ = n.metrics.Close()
	}
}
