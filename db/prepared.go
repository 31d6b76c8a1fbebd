package db

import (
	"context"
	"database/sql"
)

// given are the arguments of a query of bun that is worth preparing: its text is fixed, and has them as $1, $2, … Postgres then
// plans it once for each connection, and not each time.
type given struct {
	db   *sql.DB
	args []any
}

// given is for the Conn of a query.
func (d *DB) given(args ...any) given {
	return given{db: d.DB.DB, args: append([]any{prepared}, args...)}
}

// QueryContext runs a query; bun passes no arguments. It is part of bun.IConn, as are the others.
func (g given) QueryContext(ctx context.Context, query string, _ ...any) (*sql.Rows, error) {
	return g.db.QueryContext(ctx, query, g.args...)
}

// ExecContext runs a statement.
func (g given) ExecContext(ctx context.Context, query string, _ ...any) (sql.Result, error) {
	return g.db.ExecContext(ctx, query, g.args...)
}

// QueryRowContext runs a query for one row.
func (g given) QueryRowContext(ctx context.Context, query string, _ ...any) *sql.Row {
	return g.db.QueryRowContext(ctx, query, g.args...)
}
