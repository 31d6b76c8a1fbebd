// Package db holds Pawl's data in Postgres: bun models, embedded migrations, and the queries, one file per
// table family.
//
// Postgres owns data; Temporal owns decisions (docs/architecture.md). Every change of more than one row is one
// transaction here, and every method is safe to repeat: activities and redeliveries call them again.
//
// Most queries go through bun. What every job pays for (hand-out, reports, log rows) and every list (selection, seek) are
// prepared statements on the pgx pool, because preparing saves Postgres the planning.
package db
