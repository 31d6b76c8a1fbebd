#!/bin/sh
# Runs once, when the database directory is empty: an account and its databases for each of Pawl and Temporal, so that
# neither can read the other's and neither is the superuser.
set -eu

# The passwords reach psql by its environment and are quoted by format(), never by the shell.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv pawl_password PAWL_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD
SELECT format('CREATE ROLE pawl LOGIN PASSWORD %L', :'pawl_password') \gexec
SELECT format('CREATE ROLE temporal LOGIN PASSWORD %L', :'temporal_password') \gexec
CREATE DATABASE pawl OWNER pawl;
CREATE DATABASE temporal OWNER temporal;
CREATE DATABASE temporal_visibility OWNER temporal;
REVOKE CONNECT ON DATABASE pawl, temporal, temporal_visibility FROM PUBLIC;
SQL
