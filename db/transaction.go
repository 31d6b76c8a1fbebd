package db

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
)

// A transaction locks rows in this order, each kind by id: gates, repositories, attempts, offers, limits, tasks, jobs, runs,
// news. A row that is inserted locks those that its foreign keys refer to. Two that keep to it do not wait for each other in
// a circle; TestNobodyWaitsInACircle has everybody try.

// maxDeadlocks is of how many deadlocks in a row a transaction may be the victim.
const maxDeadlocks = 3

// inTx runs fn in one transaction on a connection of the pool. It runs it again after a deadlock: what fn leaves outside
// of the database it sets, and does not add to.
func (d *DB) inTx(ctx context.Context, fn func(pgx.Tx) error) error {
	return d.repeat(func() error { return pgx.BeginFunc(ctx, d.Pool, fn) })
}

// inBunTx is inTx for bun.
func (d *DB) inBunTx(ctx context.Context, fn func(context.Context, bun.Tx) error) error {
	return d.repeat(func() error { return d.RunInTx(ctx, nil, fn) })
}

// sendBatch is inTx for a batch, which is one transaction without a BEGIN, and takes one round trip. An empty one takes
// none.
func (d *DB) sendBatch(ctx context.Context, batch func() *pgx.Batch) error {
	return d.repeat(func() error {
		b := batch()
		if b.Len() == 0 {
			return nil
		}
		return d.Pool.SendBatch(ctx, b).Close()
	})
}

// repeat begins a transaction again that Postgres has ended because it waited in a circle; nothing of it has happened.
// The order does not help where a row is being updated: who locks it for itself and who locks it together with others may
// each get one version of it, and then wait for the other one.
func (d *DB) repeat(run func() error) error {
	err := run()
	for n := 0; n < maxDeadlocks && isDeadlock(err); n++ {
		if d.onDeadlock != nil {
			d.onDeadlock(err)
		}
		err = run()
	}
	return err
}

// isDeadlock tells whether err is Postgres ending a transaction because it waited in a circle.
func isDeadlock(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "40P01"
}

// isLockTimeout tells whether a statement waited for a lock for longer than it was to.
func isLockTimeout(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.Code == "55P03"
}

// isContention tells whether a transaction gave way to others.
func isContention(err error) bool { return isLockTimeout(err) || isDeadlock(err) }
