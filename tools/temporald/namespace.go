package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/google/uuid"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	persistencespb "go.temporal.io/server/api/persistence/v1"
	"go.temporal.io/server/common"
	serverconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/headers"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/common/metrics"
	"go.temporal.io/server/common/persistence"
	persistenceclient "go.temporal.io/server/common/persistence/client"
	"go.temporal.io/server/common/persistence/serialization"
	"go.temporal.io/server/common/resolver"
	"go.temporal.io/server/common/telemetry"
	"google.golang.org/protobuf/types/known/durationpb"
)

// ensureNamespace creates the namespace, or brings its retention and search attributes
// up to date, and returns the aliases in force. It goes straight to persistence before
// the server runs: through the API a new namespace or attribute is usable only after
// caches have refreshed, some ten seconds later.
func ensureNamespace(ctx context.Context, stores *serverconfig.Persistence, name string, retention time.Duration, lg log.Logger) (map[string]string, error) {
	metadata, closeStore, err := openMetadata(stores, lg)
	if err != nil {
		return nil, err
	}
	defer closeStore()

	ctx = headers.SetCallerInfo(ctx, headers.SystemOperatorCallerInfo)
	found, err := metadata.GetNamespace(ctx, &persistence.GetNamespaceRequest{Name: name})
	var missing *serviceerror.NamespaceNotFound
	switch {
	case errors.As(err, &missing):
		return createNamespace(ctx, metadata, name, retention)
	case err != nil:
		return nil, fmt.Errorf("read namespace %s: %w", name, err)
	default:
		return updateNamespace(ctx, metadata, found, retention)
	}
}

func openMetadata(stores *serverconfig.Persistence, lg log.Logger) (persistence.MetadataManager, func(), error) {
	serializer := serialization.NewSerializer()
	factory := persistenceclient.FactoryProvider(persistenceclient.NewFactoryParams{
		DataStoreFactory: persistenceclient.DataStoreFactoryProvider(clusterName, resolver.NewNoopResolver(), stores,
			nil, lg, metrics.NoopMetricsHandler, telemetry.NoopTracerProvider, serializer),
		Cfg:            stores,
		ClusterName:    clusterName,
		MetricsHandler: metrics.NoopMetricsHandler,
		Logger:         lg,
		Serializer:     serializer,
	})
	manager, err := factory.NewMetadataManager()
	if err != nil {
		factory.Close()
		return nil, nil, fmt.Errorf("open namespace store: %w", err)
	}
	return manager, func() { manager.Close(); factory.Close() }, nil
}

func createNamespace(ctx context.Context, metadata persistence.MetadataManager, name string, retention time.Duration) (map[string]string, error) {
	aliases, err := mapAttributes(nil)
	if err != nil {
		return nil, err
	}
	_, err = metadata.CreateNamespace(ctx, &persistence.CreateNamespaceRequest{
		Namespace: newNamespace(name, retention, aliases),
	})
	if err != nil {
		return nil, fmt.Errorf("create namespace %s: %w", name, err)
	}
	return aliases, nil
}

func newNamespace(name string, retention time.Duration, aliases map[string]string) *persistencespb.NamespaceDetail {
	return &persistencespb.NamespaceDetail{
		Info: &persistencespb.NamespaceInfo{
			Id:          uuid.NewString(),
			Name:        name,
			State:       enumspb.NAMESPACE_STATE_REGISTERED,
			Description: "Runs and jobs of Pawl",
		},
		Config: &persistencespb.NamespaceConfig{
			Retention:                    durationpb.New(retention),
			HistoryArchivalState:         enumspb.ARCHIVAL_STATE_DISABLED,
			VisibilityArchivalState:      enumspb.ARCHIVAL_STATE_DISABLED,
			CustomSearchAttributeAliases: aliases,
		},
		ReplicationConfig: &persistencespb.NamespaceReplicationConfig{
			ActiveClusterName: clusterName,
			Clusters:          []string{clusterName},
		},
		FailoverVersion:             common.EmptyVersion,
		FailoverNotificationVersion: -1,
	}
}

func updateNamespace(ctx context.Context, metadata persistence.MetadataManager, found *persistence.GetNamespaceResponse, retention time.Duration) (map[string]string, error) {
	config := found.Namespace.GetConfig()
	aliases, err := mapAttributes(config.GetCustomSearchAttributeAliases())
	if err != nil {
		return nil, err
	}
	if config.GetRetention().AsDuration() == retention && maps.Equal(aliases, config.GetCustomSearchAttributeAliases()) {
		return aliases, nil
	}
	config.Retention = durationpb.New(retention)
	config.CustomSearchAttributeAliases = aliases
	found.Namespace.ConfigVersion++
	return aliases, saveNamespace(ctx, metadata, found)
}

func saveNamespace(ctx context.Context, metadata persistence.MetadataManager, changed *persistence.GetNamespaceResponse) error {
	name := changed.Namespace.GetInfo().GetName()
	current, err := metadata.GetMetadata(ctx)
	if err != nil {
		return fmt.Errorf("read namespace version: %w", err)
	}
	err = metadata.UpdateNamespace(ctx, &persistence.UpdateNamespaceRequest{
		Namespace:           changed.Namespace,
		IsGlobalNamespace:   changed.IsGlobalNamespace,
		NotificationVersion: current.NotificationVersion,
	})
	if err != nil {
		return fmt.Errorf("update namespace %s: %w", name, err)
	}
	return nil
}
