package db

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// RunState is where a run stands, for who follows its changes.
type RunState struct {
	ID, RunNumber int64
	Attempt       int
	Status        ci.Status
	UpdatedAt     time.Time
}

// JobState is where a job stands.
type JobState struct {
	ID        int64
	Attempt   int
	Name      string
	Status    ci.Status
	UpdatedAt time.Time
}

// StatusSnapshot is where runs stand, and which events have led there.
type StatusSnapshot struct {
	Runs []RunState
	// Jobs are those of the latest attempt; only of a single run.
	Jobs []JobState
	Seen EventsSeen
}

// RunSnapshot reads where a run of a repository and its jobs stand. ErrNotFound if there is none.
func (d *DB) RunSnapshot(ctx context.Context, repo, run int64) (StatusSnapshot, error) {
	return d.statusSnapshot(ctx, func(tx pgx.Tx, s *StatusSnapshot) error {
		var err error
		if s.Runs, err = runStates(ctx, tx, `WHERE id = $1 AND repo_id = $2`, run, repo); err != nil {
			return err
		}
		if len(s.Runs) == 0 {
			return ErrNotFound
		}
		rows, err := tx.Query(ctx, `SELECT id, attempt, name, status, updated_at FROM jobs
			WHERE run_id = $1 AND attempt = $2 AND NOT is_hidden ORDER BY id`, run, s.Runs[0].Attempt)
		if err != nil {
			return err
		}
		s.Jobs, err = pgx.CollectRows(rows, pgx.RowToStructByPos[JobState])
		return err
	})
}

// OpenRunsSnapshot reads where the runs of a repository stand that have not ended, the newest first; at most limit.
func (d *DB) OpenRunsSnapshot(ctx context.Context, repo int64, limit int) (StatusSnapshot, error) {
	return d.statusSnapshot(ctx, func(tx pgx.Tx, s *StatusSnapshot) (err error) {
		s.Runs, err = runStates(ctx, tx, `WHERE repo_id = $1 AND status IN ('waiting', 'blocked', 'running', 'cancelling')
			ORDER BY run_number DESC LIMIT $2`, repo, limit)
		return err
	})
}

// statusSnapshot reads everything as of one moment, so that an event is either among its causes or still to come.
func (d *DB) statusSnapshot(ctx context.Context, read func(pgx.Tx, *StatusSnapshot) error) (s StatusSnapshot, err error) {
	options := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err = pgx.BeginTxFunc(ctx, d.Pool, options, func(tx pgx.Tx) error {
		if s.Seen, err = d.eventsSeen(ctx, tx); err != nil {
			return err
		}
		return read(tx, &s)
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("snapshot of runs: %w", err)
	}
	return s, err
}

func runStates(ctx context.Context, tx pgx.Tx, where string, args ...any) ([]RunState, error) {
	rows, err := tx.Query(ctx, `SELECT id, run_number, attempt, status, updated_at FROM runs `+where, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[RunState])
}
