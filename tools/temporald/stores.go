package main

import (
	"strconv"
	"strings"
	"time"

	serverconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/postgresql"
)

const (
	defaultStore    = "default"
	visibilityStore = "visibility"

	// historyShards cannot be changed once a database exists. Throughput did not differ
	// between 4, 16 and 64; one shard was four times slower.
	historyShards = 16
)

// sqlConfig describes one database. The limits are per service and per database: four
// services open at most 4*maxConns to the main one, and about half of that to visibility.
func sqlConfig(cfg config, database string, maxConns int) *serverconfig.SQL {
	sql := &serverconfig.SQL{
		PluginName:        postgresql.PluginNamePGX,
		ConnectProtocol:   "tcp",
		ConnectAddr:       hostPort(cfg.PostgresHost, cfg.PostgresPort),
		User:              cfg.PostgresUser,
		Password:          cfg.PostgresPassword,
		DatabaseName:      database,
		ConnectAttributes: map[string]string{"sslmode": cfg.PostgresSSLMode},
		MaxConns:          maxConns,
		MaxIdleConns:      maxConns,
		MaxConnLifetime:   time.Hour,
	}
	if strings.HasPrefix(cfg.PostgresHost, "/") {
		// The host of a unix socket cannot stand in the authority of a URL; as
		// parameters, host and port override what stands there.
		sql.ConnectAddr = hostPort("localhost", cfg.PostgresPort)
		sql.ConnectAttributes["host"] = cfg.PostgresHost
		sql.ConnectAttributes["port"] = strconv.Itoa(cfg.PostgresPort)
	}
	return sql
}

func persistenceConfig(cfg config) serverconfig.Persistence {
	main := sqlConfig(cfg, cfg.Database, cfg.MaxConns)
	visibility := sqlConfig(cfg, cfg.VisibilityDatabase, (cfg.MaxConns+1)/2)
	return serverconfig.Persistence{
		NumHistoryShards: historyShards,
		DefaultStore:     defaultStore,
		VisibilityStore:  visibilityStore,
		DataStores: map[string]serverconfig.DataStore{
			defaultStore:    {SQL: main},
			visibilityStore: {SQL: visibility},
		},
	}
}
