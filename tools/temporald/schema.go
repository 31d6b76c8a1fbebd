package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	serverconfig "go.temporal.io/server/common/config"
	"go.temporal.io/server/common/log"
	"go.temporal.io/server/tools/common/schema"
	toolsql "go.temporal.io/server/tools/sql"
)

const (
	mainSchema       = "postgresql/v12/temporal"
	visibilitySchema = "postgresql/v12/visibility"
	// maintenanceDatabase is connected to while our own do not exist yet.
	maintenanceDatabase = "postgres"
)

// ensureSchema creates the database when missing and brings it to the newest schema
// of this server version. Doing it again changes nothing.
func ensureSchema(cfg *serverconfig.SQL, schemaName string, lg log.Logger) error {
	// DoCreateDatabase changes the configuration it is given.
	server := *cfg
	if err := toolsql.DoCreateDatabase(&server, maintenanceDatabase, lg); err != nil {
		return fmt.Errorf("create database %s: %w", cfg.DatabaseName, err)
	}
	conn, err := toolsql.NewConnection(cfg, lg)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", cfg.DatabaseName, err)
	}
	defer conn.Close()
	if err := ensureVersionTables(conn, lg); err != nil {
		return fmt.Errorf("prepare schema of %s: %w", cfg.DatabaseName, err)
	}
	update := &schema.UpdateConfig{DBName: cfg.DatabaseName, SchemaName: schemaName}
	if err := schema.NewUpdateSchemaTask(conn, update, lg).Run(); err != nil {
		return fmt.Errorf("update schema of %s: %w", cfg.DatabaseName, err)
	}
	return nil
}

func ensureVersionTables(conn *toolsql.Connection, lg log.Logger) error {
	if _, err := conn.ReadSchemaVersion(); err == nil {
		return nil
	}
	return schema.NewSetupSchemaTask(conn, &schema.SetupConfig{InitialVersion: "0.0"}, lg).Run()
}

// keptIndexes serve the workflow list of the UI and lookups by id. The other seventy
// cost 60 % of the bytes and three quarters of the WAL of each workflow, for columns
// that nobody filters by; without an index such a filter reads the namespace's rows,
// which retention keeps few.
var keptIndexes = []string{
	"executions_visibility_pkey", "default_idx", "by_workflow_id", "by_status", "by_workflow_type",
}

// slimVisibility drops the indexes that are not kept and indexes the mapped custom
// columns partially: only run workflows fill them, so their many children cost nothing.
// It must run while no server uses the database. A later Temporal version whose
// migration drops one of the missing indexes by name has to be preceded by restoring it.
func slimVisibility(cfg *serverconfig.SQL, aliases map[string]string, lg log.Logger) error {
	conn, err := toolsql.NewConnection(cfg, lg)
	if err != nil {
		return fmt.Errorf("connect to database %s: %w", cfg.DatabaseName, err)
	}
	defer conn.Close()
	for _, statement := range slimStatements(aliases) {
		if err := conn.Exec(statement); err != nil {
			return fmt.Errorf("slim visibility indexes: %w", err)
		}
	}
	return nil
}

func slimStatements(aliases map[string]string) []string {
	columns := slices.Sorted(maps.Keys(aliases))
	kept := slices.Clone(keptIndexes)
	var create []string
	for _, column := range columns {
		column = strings.ToLower(column)
		kept = append(kept, "pawl_"+column)
		create = append(create, fmt.Sprintf(`CREATE INDEX IF NOT EXISTS pawl_%[1]s ON executions_visibility
			(namespace_id, %[1]s, (COALESCE(close_time, '9999-12-31 23:59:59')) DESC, start_time DESC, run_id)
			WHERE %[1]s IS NOT NULL`, column))
	}
	drop := fmt.Sprintf(`DO $$ DECLARE name text; BEGIN
		FOR name IN SELECT indexname FROM pg_indexes
			WHERE schemaname = current_schema() AND tablename = 'executions_visibility'
			AND indexname NOT IN ('%s')
		LOOP EXECUTE format('DROP INDEX %%I', name); END LOOP;
	END $$`, strings.Join(kept, "', '"))
	return append([]string{drop}, create...)
}
