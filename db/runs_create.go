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
	// Files are the workflow files that the attempt reads while it runs, its own first; most runs need none.
	Files []*AttemptFile
	// Concurrency is the gate of the whole attempt; nil when it has none.
	Concurrency *ci.Concurrency
	// Key is what the client calls the dispatch that made the run; nil when it has no name for it.
	Key *DispatchKey
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

// CreateRun stores a run, its first attempt and its jobs in one transaction, and returns the attempt. ErrConflict: its
// key has been used for another run.
func (d *DB) CreateRun(ctx context.Context, n NewRun) (attempt *Attempt, err error) {
	if err := setLabelSets(ctx, d.DB, n.Jobs); err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	err = d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if err := takeDispatchKey(ctx, tx, n); err != nil {
			return err
		}
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

func insertRuns(ctx context.Context, tx bun.Tx, runs []NewRun) ([]*Attempt, error) {
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
		RunID: n.Run.ID, Number: 1, TriggerUserID: n.Run.ActorID, Concurrency: n.Concurrency,
		Status: n.Run.Status, StartedAt: n.Run.StartedAt, StoppedAt: n.Run.StoppedAt,
	}
	if err := insertAttempt(ctx, tx, attempt); err != nil {
		return nil, err
	}
	for i, j := range n.Jobs {
		j.Cell = i
	}
	if err := insertJobs(ctx, tx, n.Run, attempt, n.Jobs); err != nil {
		return nil, err
	}
	return attempt, insertFiles(ctx, tx, attempt.ID, n.Files)
}

func insertAttempt(ctx context.Context, tx bun.Tx, attempt *Attempt) error {
	_, err := tx.NewInsert().Model(attempt).Returning("id, created_at").Exec(ctx)
	return err
}

// insertJobs stores the jobs of an attempt, which have their cells and label sets.
func insertJobs(ctx context.Context, tx bun.Tx, run *Run, attempt *Attempt, jobs []*Job) error {
	if len(jobs) == 0 {
		return nil
	}
	for _, j := range jobs {
		j.RunID, j.AttemptID, j.Attempt = run.ID, attempt.ID, attempt.Number
		j.RepoID, j.OwnerID = run.RepoID, run.OwnerID
	}
	_, err := tx.NewInsert().Model(&jobs).Returning("id, created_at, updated_at").Exec(ctx)
	return err
}

// BlockAttempt shows that an attempt waits for its gate, if it still does, with all its jobs that nothing else holds
// back. Its workflow takes that back when its turn has come.
func (d *DB) BlockAttempt(ctx context.Context, attempt int64) error {
	_, err := d.NewRaw(`WITH held AS (
			UPDATE attempts SET status = 'blocked' WHERE id = ?0 AND status = 'waiting' AND EXISTS (
				SELECT 1 FROM gate_entries WHERE attempt_id = ?0 AND job_id = 0 AND state = 'pending')
			RETURNING id, run_id, number
		), run AS (
			UPDATE runs SET status = 'blocked', updated_at = now()
			FROM held WHERE runs.id = held.run_id AND runs.attempt = held.number
		)
		UPDATE jobs SET status = 'blocked', updated_at = now()
		FROM held WHERE jobs.attempt_id = held.id AND jobs.status = 'waiting' AND jobs.follows_id = 0`, attempt).Exec(ctx)
	if err != nil {
		return fmt.Errorf("block attempt %d: %w", attempt, err)
	}
	return nil
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

// InitialStatus is the status of a job before the run's workflow has looked at it: cells that have to wait for others of
// their matrix are blocked like jobs with needs, until they are offered.
func (j *Job) InitialStatus() ci.Status {
	if len(j.Needs) > 0 || j.MaxParallel > 0 && j.JobIndex >= j.MaxParallel {
		return ci.StatusBlocked
	}
	return ci.StatusWaiting
}
