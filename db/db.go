package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// ErrNotFound is returned when the one row that was asked for is not there.
var ErrNotFound = errors.New("not found")

// ErrConflict is returned when a row with the same unique name exists already.
var ErrConflict = errors.New("already exists")

// DB is one database, reached by two pools of connections: bun's, and one for hot statements.
type DB struct {
	*bun.DB
	// Pool prepares what it runs, which pays for statements of fixed text that every job needs; it also serves
	// LISTEN. bun writes its arguments into the text, so that preparing would only fill the cache.
	Pool *pgxpool.Pool

	onDeadlock func(error)
}

// prepared says of a statement that it is worth preparing: its text is fixed. It is the pool's default.
const prepared = pgx.QueryExecModeCacheStatement

// planned says of a statement that it has to be planned each time, because the right index depends on the values in its text.
const planned = pgx.QueryExecModeSimpleProtocol

// Options bound the use of one database by one process.
type Options struct {
	// MaxConns is the most connections of each pool, at least MinConns; 0 means 16.
	MaxConns int32
	// OnDeadlock hears of each transaction that is done again because it was the victim of a deadlock; nil is nobody.
	OnDeadlock func(error)
	// ConnectTimeout bounds the first connection; 0 means 10 s.
	ConnectTimeout time.Duration
}

// MinConns is the fewest connections that a pool can do with: the reconciler's lock, the gateway's and LISTEN hold one
// each for long, and what is done under a lock needs another.
const MinConns = 4

// Open connects to the database that url names (postgres://...) and checks that it answers.
func Open(ctx context.Context, url string, o Options) (*DB, error) {
	if o.MaxConns != 0 && o.MaxConns < MinConns {
		return nil, fmt.Errorf("%d database connections are too few, at least %d are needed", o.MaxConns, MinConns)
	}
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("database url: %w", err)
	}
	cfg.MaxConns = cmp.Or(o.MaxConns, 16)
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("database pool: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(o.ConnectTimeout, 10*time.Second))
	defer cancel()
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("connect to database: %w", err)
	}
	return &DB{DB: openBun(cfg), Pool: pool, onDeadlock: o.OnDeadlock}, nil
}

func openBun(cfg *pgxpool.Config) *bun.DB {
	conn := cfg.ConnConfig.Copy()
	conn.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	sqlDB := stdlib.OpenDB(*conn)
	sqlDB.SetMaxOpenConns(int(cfg.MaxConns))
	sqlDB.SetMaxIdleConns(int(cfg.MaxConns))
	sqlDB.SetConnMaxIdleTime(5 * time.Minute)
	return bun.NewDB(sqlDB, pgdialect.New())
}

// Close waits for running queries and closes all connections.
func (d *DB) Close() error {
	err := d.DB.Close()
	d.Pool.Close()
	return err
}

// isUniqueViolation tells whether err is Postgres refusing a second row with the same key.
func isUniqueViolation(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "23505"
}
