package db

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// NewRun is a run to be stored with its first attempt and jobs.
type NewRun struct {
	Run *Run
	// Jobs lack the ids of what they belong to; Cell is set in the order given.
	Jobs []*Job
}

// PrepareRun takes the next run number of a repository and an id, so that both can be used in expressions of the
// workflow file before the run is stored (known-problems.md A6).
//
// A number whose run is not stored in the end is never used again.
func (d *DB) PrepareRun(ctx context.Context, run *Run) error {
	err := d.NewRaw(`UPDATE repositories SET run_counter = run_counter + 1, updated_at = now() WHERE id = ?
		RETURNING run_counter, nextval(pg_get_serial_sequence('runs', 'id'))`, run.RepoID).Scan(ctx, &run.RunNumber, &run.ID)
	if err != nil {
		return fmt.Errorf("number a run of repository %d: %w", run.RepoID, err)
	}
	return nil
}

// CreateRun stores a run, its first attempt and its jobs in one transaction, and returns the attempt.
func (d *DB) CreateRun(ctx context.Context, n NewRun) (attempt *Attempt, err error) {
	err = d.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		attempts, err := insertRuns(ctx, tx, []NewRun{n})
		if err == nil {
			attempt = attempts[0]
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	return attempt, nil
}

// insertRuns makes the label sets of all runs first, so that a transaction makes them in one order.
func insertRuns(ctx context.Context, tx bun.Tx, runs []NewRun) ([]*Attempt, error) {
	var jobs []*Job
	for _, n := range runs {
		jobs = append(jobs, n.Jobs...)
	}
	if err := setLabelSets(ctx, tx, jobs); err != nil {
		return nil, err
	}
	attempts := make([]*Attempt, len(runs))
	for i, n := range runs {
		var err error
		if attempts[i], err = insertRun(ctx, tx, n); err != nil {
			return nil, err
		}
	}
	return attempts, nil
}

func insertRun(ctx context.Context, tx bun.Tx, n NewRun) (*Attempt, error) {
	n.Run.Attempt = 1
	if _, err := tx.NewInsert().Model(n.Run).Returning("created_at, updated_at").Exec(ctx); err != nil {
		return nil, err
	}
	attempt := &Attempt{
		RunID: n.Run.ID, Number: 1, TriggerUserID: n.Run.ActorID,
		Status: n.Run.Status, StartedAt: n.Run.StartedAt, StoppedAt: n.Run.StoppedAt,
	}
	return attempt, insertAttempt(ctx, tx, n.Run, attempt, n.Jobs)
}

// CreateAttempt stores the next attempt of a finished run with the given jobs. ErrConflict means that somebody else
// has just made it.
func (d *DB) CreateAttempt(ctx context.Context, run *Run, attempt *Attempt, jobs []*Job) error {
	err := d.RunInTx(ctx, nil, func(ctx context.Context, tx bun.Tx) error {
		res, err := tx.NewUpdate().Model(run).
			Set("attempt = ?", attempt.Number).Set("status = ?", attempt.Status).
			Set("started_at = NULL").Set("stopped_at = NULL").Set("updated_at = now()").
			Where("id = ?", run.ID).Where("attempt = ?", attempt.Number-1).Where("stopped_at IS NOT NULL").
			Returning("*").Exec(ctx)
		if err != nil {
			return err
		}
		if n, _ := res.RowsAffected(); n == 0 {
			return ErrConflict
		}
		if err := setLabelSets(ctx, tx, jobs); err != nil {
			return err
		}
		return insertAttempt(ctx, tx, run, attempt, jobs)
	})
	if isUniqueViolation(err) {
		err = ErrConflict
	}
	if err != nil {
		return fmt.Errorf("create attempt %d of run %d: %w", attempt.Number, run.ID, err)
	}
	return nil
}

// insertAttempt stores an attempt and its jobs, which have their label sets.
func insertAttempt(ctx context.Context, tx bun.Tx, run *Run, attempt *Attempt, jobs []*Job) error {
	if _, err := tx.NewInsert().Model(attempt).Returning("id, created_at").Exec(ctx); err != nil {
		return err
	}
	if len(jobs) == 0 {
		return nil
	}
	for i, j := range jobs {
		j.RunID, j.AttemptID, j.Attempt = run.ID, attempt.ID, attempt.Number
		j.RepoID, j.OwnerID, j.Cell = run.RepoID, run.OwnerID, i
	}
	_, err := tx.NewInsert().Model(&jobs).Returning("id, created_at, updated_at").Exec(ctx)
	return err
}

// JobsOfAttempt returns the whole job rows of one attempt, in order, to clone them into the next.
func (d *DB) JobsOfAttempt(ctx context.Context, run int64, attempt int) ([]*Job, error) {
	var jobs []*Job
	err := d.NewSelect().Model(&jobs).Where("run_id = ?", run).Where("attempt = ?", attempt).Order("cell").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("jobs of attempt %d of run %d: %w", attempt, run, err)
	}
	return jobs, nil
}

// InitialJobStatus is the status of a job before the run's workflow has looked at it.
func InitialJobStatus(needs []string) ci.Status {
	if len(needs) > 0 {
		return ci.StatusBlocked
	}
	return ci.StatusWaiting
}
