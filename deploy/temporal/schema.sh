#!/bin/sh
# Brings both databases of Temporal to the schema of this version of the tools. Running it again changes nothing.
# Environment: SQL_PLUGIN, SQL_HOST, SQL_PORT, SQL_USER and SQL_PASSWORD, as temporal-sql-tool reads them.
set -eu

schemas=${TEMPORAL_SCHEMAS:-/etc/temporal/schema}/postgresql/v12

# upgrade DATABASE SCHEMA
upgrade() {
	temporal-sql-tool --database "$1" setup-schema --version 0.0
	temporal-sql-tool --database "$1" update-schema --schema-dir "$schemas/$2/versioned"
}

upgrade temporal temporal
upgrade temporal_visibility visibility
