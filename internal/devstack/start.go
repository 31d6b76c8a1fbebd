package devstack

import (
	"context"
	"fmt"
	"net/netip"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/internal/devstack/temporald"
	"github.com/pawl-ci/pawl/internal/postgres"
)

const (
	databaseName = "pawl"
	// foreignMaxConns keeps Temporal modest on a PostgreSQL that is not ours: about 44
	// of the 100 connections that one allows by default.
	foreignMaxConns = 7
)

// executables are the paths of the programs that become children.
type executables struct{ temporald, runner string }

// findPrograms fails before anything is started.
func (s *Stack) findPrograms() (found executables, err error) {
	if found.temporald, err = findBinary("temporald", s.opt.Temporald); err != nil || s.opt.NoRunner {
		return found, err
	}
	found.runner, err = findBinary("gitea-runner", s.opt.Runner.Binary)
	return found, err
}

func (s *Stack) startGuard(context.Context, executables) error {
	guard, err := startGuard(s.mark())
	if err == nil {
		s.started(guard)
	}
	return err
}

// startPostgres chooses all ports and starts an own cluster, unless there is another.
func (s *Stack) startPostgres(ctx context.Context, _ executables) error {
	if err := s.state.choosePorts(s.opt); err != nil {
		return err
	}
	s.config = s.baseConfig()
	s.config.DatabaseURL = s.opt.DatabaseURL
	if s.opt.DatabaseURL == "" {
		cluster, err := s.startCluster(ctx)
		if err != nil {
			return err
		}
		s.state.Ports.Postgres = cluster.Port()
		s.config.DatabaseURL = cluster.URL(databaseName)
	}
	return s.saveState()
}

func (s *Stack) startCluster(ctx context.Context) (*postgres.Cluster, error) {
	output, err := s.openLog("postgres")
	if err != nil {
		return nil, err
	}
	cluster, err := postgres.New(postgres.Options{
		Dir:      s.path("postgres"),
		Port:     s.opt.Ports.Postgres,
		LastPort: s.state.Ports.Postgres,
		Output:   output,
		OnChange: s.board.pid(func(p *PIDs) *int { return &p.Postgres }),
		Logger:   s.opt.Logger,
	})
	if err != nil {
		return nil, err
	}
	s.started(cluster)
	return cluster, cluster.Start(ctx)
}

func (s *Stack) baseConfig() Config {
	host, _, _ := splitAddress(s.opt.HTTP) // checked by New
	config := Config{
		DataDir:           s.opt.DataDir,
		HTTPAddress:       joinAddress(host, s.state.HTTP),
		URL:               "http://" + joinAddress(reachable(host), s.state.HTTP),
		TemporalAddress:   joinAddress(loopback, s.state.Ports.Temporal),
		TemporalNamespace: s.opt.Namespace,
		TemporalUIURL:     "http://" + joinAddress(loopback, s.state.Ports.TemporalUI),
	}
	if s.opt.Split {
		config.WorkerAddress = joinAddress(loopback, s.state.Ports.Worker)
	}
	return config
}

// reachable replaces an address that means all of them by one to connect to.
func reachable(host string) string {
	ip, err := netip.ParseAddr(host)
	if host == "" || (err == nil && ip.IsUnspecified()) {
		return loopback
	}
	return host
}

// startEngine starts Temporal while the database is brought up to date.
func (s *Stack) startEngine(ctx context.Context, found executables) error {
	server, err := s.newTemporal(found.temporald)
	if err != nil {
		return err
	}
	s.started(server)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return server.Start(ctx) })
	group.Go(func() error { return s.prepareDatabase(ctx) })
	return group.Wait()
}

func (s *Stack) newTemporal(binary string) (*temporald.Server, error) {
	output, err := s.openLog("temporald")
	if err != nil {
		return nil, err
	}
	prefix, maxConns, err := s.temporalShare()
	if err != nil {
		return nil, err
	}
	return temporald.New(temporald.Options{
		Binary:         binary,
		Dir:            s.path("temporal"),
		DatabaseURL:    s.config.DatabaseURL,
		DatabasePrefix: prefix,
		MaxConns:       maxConns,
		Namespace:      s.opt.Namespace,
		Port:           s.state.Ports.Temporal,
		UIPort:         s.state.Ports.TemporalUI,
		MetricsPort:    s.state.Ports.TemporalMetrics,
		Output:         output,
		OnChange:       s.board.pid(func(p *PIDs) *int { return &p.Temporal }),
		Logger:         s.opt.Logger,
	})
}

// temporalShare is what Temporal takes of the PostgreSQL server. On one that is not
// ours its databases are named after our own, so that several stacks can share it.
func (s *Stack) temporalShare() (prefix string, maxConns int, err error) {
	if s.opt.DatabaseURL == "" {
		return "", 0, nil
	}
	config, err := pgx.ParseConfig(s.opt.DatabaseURL)
	if err != nil {
		return "", 0, fmt.Errorf("database URL: %w", err)
	}
	return config.Database + "_", foreignMaxConns, nil
}

func (s *Stack) prepareDatabase(ctx context.Context) error {
	if err := postgres.EnsureDatabase(ctx, s.config.DatabaseURL); err != nil {
		return err
	}
	if err := s.parts.Migrate(ctx, s.config); err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	credentials, err := s.parts.Bootstrap(ctx, s.config, s.state.Credentials)
	if err != nil {
		return fmt.Errorf("bootstrap: %w", err)
	}
	s.state.Credentials = credentials
	return s.saveState()
}

// startApp starts server and worker side by side.
func (s *Stack) startApp(ctx context.Context, _ executables) error {
	s.describe()
	var server, worker stopper
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		server, err = s.startPart(groupCtx, "server", s.parts.StartServer, s.parts.ServerChild,
			s.board.pid(func(p *PIDs) *int { return &p.Server }))
		return err
	})
	group.Go(func() (err error) {
		worker, err = s.startPart(groupCtx, "worker", s.parts.StartWorker, s.parts.WorkerChild,
			s.board.pid(func(p *PIDs) *int { return &p.Worker }))
		return err
	})
	err := group.Wait()
	s.started(server, worker)
	return err
}

// describe fills dev.json with what does not change any more.
func (s *Stack) describe() {
	s.board.change(func(i *Info) {
		i.URL = s.config.URL
		i.Credentials = s.state.Credentials
		i.TemporalAddress = s.config.TemporalAddress
		i.TemporalNamespace = s.config.TemporalNamespace
		i.TemporalUIURL = s.config.TemporalUIURL
		i.MetricsURL = s.config.URL + "/metrics"
		i.DatabaseURL = s.config.DatabaseURL
		i.TemporalMetricsURL = "http://" + joinAddress(loopback, s.state.Ports.TemporalMetrics) + "/metrics"
		i.LogDir = s.logDir()
		if s.opt.Split {
			i.WorkerMetricsURL = "http://" + s.config.WorkerAddress + "/metrics"
		}
		if !s.opt.NoRunner {
			i.RunnerMetricsURL = "http://" + joinAddress(loopback, s.state.Ports.Runner) + "/metrics"
		}
	})
}

func (s *Stack) startRunner(ctx context.Context, found executables) error {
	if s.opt.NoRunner {
		return nil
	}
	output, err := s.openLog("runner")
	if err != nil {
		return err
	}
	r := &runner{
		opt:      s.opt.Runner,
		binary:   found.runner,
		dir:      s.path("runner"),
		port:     s.state.Ports.Runner,
		url:      s.config.URL,
		token:    s.state.Credentials.RunnerRegistrationToken,
		mark:     s.mark(),
		output:   output,
		onChange: s.board.pid(func(p *PIDs) *int { return &p.Runner }),
		logger:   s.opt.Logger,
	}
	s.started(r)
	return r.Start(ctx)
}
