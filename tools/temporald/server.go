package main

import (
	"fmt"
	"time"

	"go.temporal.io/server/common/authorization"
	"go.temporal.io/server/common/cluster"
	serverconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/membership/static"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/primitives"
	"go.temporal.io/server/temporal"
)

const (
	// clusterName is stored with the namespaces; changing it orphans them.
	clusterName = "active"
	// archivalDisabled is Temporal's word for it.
	archivalDisabled = "disabled"
)

// newServer assembles the four services; they share the process and find each other
// by fixed addresses instead of a membership protocol.
func newServer(cfg config, p ports, stores serverconfig.Persistence, handler metrics.Handler, lg log.Logger) (temporal.Server, error) {
	authorizer, err := authorization.GetAuthorizerFromConfig(&serverconfig.Authorization{})
	if err != nil {
		return nil, fmt.Errorf("create authorizer: %w", err)
	}
	claims, err := authorization.GetClaimMapperFromConfig(&serverconfig.Authorization{}, lg)
	if err != nil {
		return nil, fmt.Errorf("create claim mapper: %w", err)
	}
	server, err := temporal.NewServer(
		temporal.WithConfig(serverConfig(cfg, p, stores)),
		temporal.ForServices(temporal.DefaultServices),
		temporal.WithStaticHosts(staticHosts(cfg, p)),
		temporal.WithLogger(lg),
		temporal.WithAuthorizer(authorizer),
		temporal.WithClaimMapper(func(*serverconfig.Config) authorization.ClaimMapper { return claims }),
		temporal.WithDynamicConfigClient(tuning()),
		temporal.WithCustomMetricsHandler(handler),
	)
	if err != nil {
		return nil, fmt.Errorf("create server: %w", err)
	}
	return server, nil
}

func serverConfig(cfg config, p ports, stores serverconfig.Persistence) *serverconfig.Config {
	frontend := hostPort(cfg.Bind, p.frontend)
	c := &serverconfig.Config{
		Persistence:         stores,
		ClusterMetadata:     clusterConfig(frontend),
		DCRedirectionPolicy: serverconfig.DCRedirectionPolicy{Policy: "noop"},
		PublicClient:        serverconfig.PublicClient{HostPort: frontend},
		Services:            map[string]serverconfig.Service{},
	}
	for name, port := range p.services() {
		c.Services[string(name)] = serverconfig.Service{RPC: serverconfig.RPC{GRPCPort: port, BindOnIP: cfg.Bind}}
	}
	c.Global.Membership.MaxJoinDuration = 30 * time.Second
	c.Global.Membership.BroadcastAddress = cfg.Bind
	c.Archival.History.State = archivalDisabled
	c.Archival.Visibility.State = archivalDisabled
	c.NamespaceDefaults.Archival.History.State = archivalDisabled
	c.NamespaceDefaults.Archival.Visibility.State = archivalDisabled
	return c
}

// clusterConfig names this process as the only cluster. The address is written to the
// database at every start, so that it may change.
func clusterConfig(frontend string) *cluster.Config {
	return &cluster.Config{
		FailoverVersionIncrement: 10,
		MasterClusterName:        clusterName,
		CurrentClusterName:       clusterName,
		ClusterInformation: map[string]cluster.ClusterInformation{
			clusterName: {Enabled: true, InitialFailoverVersion: 1, RPCAddress: frontend},
		},
	}
}

func staticHosts(cfg config, p ports) map[primitives.ServiceName]static.Hosts {
	hosts := map[primitives.ServiceName]static.Hosts{}
	for name, port := range p.services() {
		hosts[name] = static.SingleLocalHost(hostPort(cfg.Bind, port))
	}
	return hosts
}

func (p ports) services() map[primitives.ServiceName]int {
	return map[primitives.ServiceName]int{
		primitives.FrontendService: p.frontend,
		primitives.HistoryService:  p.history,
		primitives.MatchingService: p.matching,
		primitives.WorkerService:   p.worker,
	}
}
