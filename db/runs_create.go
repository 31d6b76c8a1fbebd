package db

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
		attempt, err = insertRun(ctx, tx, n)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("create run: %w", err)
	}
	return attempt, nil
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

func insertAttempt(ctx context.Context, tx bun.Tx, run *Run, attempt *Attempt, jobs []*Job) error {
	if _, err := tx.NewInsert().Model(attempt).Returning("id, created_at").Exec(ctx); err != nil {
		return err
	}
	if len(jobs) == 0 {
		return nil
	}
	sets, err := labelSetsOf(ctx, tx, jobs)
	if err != nil {
		return fmt.Errorf("label sets: %w", err)
	}
	for i, j := range jobs {
		j.RunID, j.AttemptID, j.Attempt = run.ID, attempt.ID, attempt.Number
		j.RepoID, j.OwnerID, j.Cell = run.RepoID, run.OwnerID, i
		j.LabelSetID = sets[labelKey(j.RunsOn)]
	}
	_, err = tx.NewInsert().Model(&jobs).Returning("id, created_at, updated_at").Exec(ctx)
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

// normalLabels sorts labels and drops repetitions, so that equal demands make one queue.
func normalLabels(labels []string) []string {
	out := slices.Clone(labels)
	slices.Sort(out)
	return slices.Compact(out)
}

func labelKey(labels []string) string { return fmt.Sprintf("%q", normalLabels(labels)) }

// labelSetsOf returns the ids of the label sets of the jobs by labelKey, making those that are new.
func labelSetsOf(ctx context.Context, tx bun.Tx, jobs []*Job) (map[string]int64, error) {
	ids := map[string]int64{}
	for _, j := range jobs {
		key := labelKey(j.RunsOn)
		if _, known := ids[key]; known {
			continue
		}
		id, err := labelSetID(ctx, tx, normalLabels(j.RunsOn))
		if err != nil {
			return nil, err
		}
		ids[key] = id
	}
	return ids, nil
}

func labelSetID(ctx context.Context, tx bun.Tx, labels []string) (int64, error) {
	var id int64
	err := tx.NewRaw(`WITH made AS (
			INSERT INTO label_sets (labels) SELECT ?0::text[] WHERE NOT EXISTS (SELECT 1 FROM label_sets WHERE labels = ?0::text[])
			ON CONFLICT DO NOTHING RETURNING id
		)
		SELECT id FROM made UNION ALL SELECT id FROM label_sets WHERE labels = ?0::text[] LIMIT 1`,
		textArray(labels)).Scan(ctx, &id)
	if err == nil {
		return id, nil
	}
	// Another transaction made it after this statement began to look.
	var second int64
	if err2 := tx.NewRaw(`SELECT id FROM label_sets WHERE labels = ?::text[]`, textArray(labels)).Scan(ctx, &second); err2 != nil {
		return 0, errors.Join(err, err2)
	}
	return second, nil
}
