package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// NewAttempt asks for the next attempt of a run.
type NewAttempt struct {
	// Run as it was read: its attempt is the one that is run again.
	Run           *Run
	TriggerUserID int64
	Concurrency   *ci.Concurrency
	// Files are the workflow files of the attempt; nil takes over those of the one before.
	Files []*AttemptFile
	// Early lets the attempt begin while the one before goes on.
	Early bool
	// Clone makes the jobs of the attempt out of those of the one before, which it must not change. New jobs have the id
	// of the job that they are made of, and name parent and origin by such ids. It may be called again.
	Clone func(jobs []*Job) ([]*Job, error)
}

// maxLockTries is how often an early rerun tries to lock jobs that others are changing.
const maxLockTries = 10

// CreateRerun stores the next attempt of a run and brings n.Run up to date. ErrConflict means that somebody else has just
// made it, that others hold rows of the run for longer than one can wait, or, unless it is early, that it has not ended. Errors of Clone are passed on.
func (d *DB) CreateRerun(ctx context.Context, n NewAttempt) (*Attempt, error) {
	attempt, err := d.createRerun(ctx, n)
	for tries := 1; isLockTimeout(err) && tries < maxLockTries; tries++ {
		attempt, err = d.createRerun(ctx, n)
	}
	if isUniqueViolation(err) || isContention(err) {
		err = ErrConflict
	}
	if err != nil {
		return nil, fmt.Errorf("rerun of run %d: %w", n.Run.ID, err)
	}
	return attempt, nil
}

func (d *DB) createRerun(ctx context.Context, n NewAttempt) (attempt *Attempt, err error) {
	run := *n.Run
	err = d.inBunTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		jobs, err := jobsToClone(ctx, tx, n)
		if err != nil {
			return err
		}
		clones, err := n.Clone(jobs)
		if err != nil {
			return err
		}
		if attempt, err = nextAttempt(ctx, tx, n, &run); err != nil {
			return err
		}
		if err := insertClones(ctx, tx, &run, attempt, clones); err != nil {
			return err
		}
		if n.Files == nil && len(jobs) > 0 {
			return copyFiles(ctx, tx, jobs[0].AttemptID, attempt.ID)
		}
		return insertFiles(ctx, tx, attempt.ID, n.Files)
	})
	if err == nil {
		*n.Run = run
	}
	return attempt, err
}

// jobsToClone reads the jobs of the attempt before, in order. It locks them before anybody locks the run, as whoever
// ends jobs does.
func jobsToClone(ctx context.Context, tx bun.Tx, n NewAttempt) (jobs []*Job, err error) {
	if n.Early {
		if err := lockOpenJobs(ctx, tx, n.Run.ID, n.Run.Attempt); err != nil {
			return nil, err
		}
	}
	err = tx.NewSelect().Model(&jobs).Where("run_id = ?", n.Run.ID).Where("attempt = ?", n.Run.Attempt).Order("cell").Scan(ctx)
	if err != nil {
		return nil, err
	}
	return jobs, takeFollowedEnds(ctx, tx, jobs)
}

// lockOpenJobs keeps the open jobs of an attempt, and those that they follow, from ending before jobs that follow them
// are there to be told: whoever ends one waits, and then finds its new followers. Others lock several jobs in whatever
// order; rather than that one of the two is ended as the victim of a deadlock, which takes a second, this one gives way.
func lockOpenJobs(ctx context.Context, tx bun.Tx, run int64, attempt int) error {
	if _, err := tx.NewRaw(`SET LOCAL lock_timeout = '300ms'`).Exec(ctx); err != nil {
		return err
	}
	_, err := tx.NewRaw(`SELECT 1 FROM jobs WHERE id IN (
			SELECT unnest(ARRAY[id, follows_id]) FROM jobs WHERE run_id = ? AND attempt = ? AND stopped_at IS NULL
		) ORDER BY id FOR SHARE`, run, attempt).Exec(ctx)
	if err != nil {
		return err
	}
	_, err = tx.NewRaw(`SET LOCAL lock_timeout = DEFAULT`).Exec(ctx)
	return err
}

// takeFollowedEnds gives the jobs that follow others the ends of those, where their own workflow has not heard of them.
func takeFollowedEnds(ctx context.Context, tx bun.Tx, jobs []*Job) error {
	followers := map[int64]*Job{}
	var ids []int64
	for _, j := range jobs {
		if j.FollowsID != 0 && j.StoppedAt.IsZero() {
			followers[j.FollowsID] = j
			ids = append(ids, j.FollowsID)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var ended []*Job
	err := tx.NewSelect().Model(&ended).ExcludeColumn("payload").
		Where("id = ANY(?)", int64Array(ids)).Where("stopped_at IS NOT NULL").Scan(ctx)
	for _, from := range ended {
		followers[from.ID].takeEnd(from)
	}
	return err
}

// takeEnd makes the end of another job this one's.
func (j *Job) takeEnd(from *Job) {
	j.Status, j.Reason, j.Class, j.ByFailFast = from.Status, from.Reason, from.Class, from.ByFailFast
	j.StartedAt, j.StoppedAt, j.TaskID, j.Outputs = from.StartedAt, from.StoppedAt, from.TaskID, from.Outputs
}

// nextAttempt compares and swaps the attempt of the run. A run that nobody has approved yet waits in its new attempt too.
func nextAttempt(ctx context.Context, tx bun.Tx, n NewAttempt, run *Run) (*Attempt, error) {
	q := tx.NewUpdate().Model(run).
		Set("attempt = attempt + 1").Set("started_at = NULL").Set("stopped_at = NULL").Set("logs_expired_at = NULL").Set("updated_at = now()").
		Set("status = CASE WHEN approval = 'needed' THEN 'blocked' ELSE 'waiting' END").
		Where("id = ?", n.Run.ID).Where("attempt = ?", n.Run.Attempt)
	if !n.Early {
		q = q.Where("stopped_at IS NOT NULL")
	}
	res, err := q.Returning("*").Exec(ctx)
	if err != nil {
		return nil, err
	}
	if changed, _ := res.RowsAffected(); changed == 0 {
		return nil, ErrConflict
	}
	attempt := &Attempt{
		RunID: run.ID, Number: run.Attempt, TriggerUserID: n.TriggerUserID, Status: run.Status, Concurrency: n.Concurrency,
	}
	return attempt, insertAttempt(ctx, tx, attempt)
}

// insertClones stores the jobs of an attempt that were made of those of another one.
func insertClones(ctx context.Context, tx bun.Tx, run *Run, attempt *Attempt, clones []*Job) error {
	if err := renumber(ctx, tx, clones); err != nil {
		return err
	}
	if attempt.Status == ci.StatusBlocked {
		blockJobs(clones)
	}
	if err := setLabelSets(ctx, tx, clones); err != nil {
		return err
	}
	return insertJobs(ctx, tx, run, attempt, clones)
}

func blockJobs(jobs []*Job) {
	for _, j := range jobs {
		if j.Status == ci.StatusWaiting {
			j.Status = ci.StatusBlocked
		}
	}
}

// renumber gives jobs ids of their own, also where they name each other.
func renumber(ctx context.Context, tx bun.Tx, jobs []*Job) error {
	var fresh []int64
	err := tx.NewRaw(`SELECT nextval(pg_get_serial_sequence('jobs', 'id')) FROM generate_series(1, ?)`, len(jobs)).Scan(ctx, &fresh)
	if err != nil {
		return err
	}
	ids := map[int64]int64{0: 0}
	for i, j := range jobs {
		ids[j.ID] = fresh[i]
	}
	for _, j := range jobs {
		parent, hasParent := ids[j.ParentID]
		origin, hasOrigin := ids[j.OriginID]
		if !hasParent || !hasOrigin {
			return fmt.Errorf("job %d (%s) is cloned without its caller or origin", j.ID, j.Key)
		}
		j.ID, j.ParentID, j.OriginID = ids[j.ID], parent, origin
	}
	return nil
}

// Attempt returns one attempt of a run. ErrNotFound if there is none.
func (d *DB) Attempt(ctx context.Context, run int64, number int) (*Attempt, error) {
	a := &Attempt{}
	err := d.NewSelect().Model(a).Where("run_id = ?", run).Where("number = ?", number).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("attempt %d of run %d: %w", number, run, err)
	}
	return a, nil
}

// OpenAttemptNumbers returns the attempts of a run that have not ended, the oldest first. After an early rerun there are
// several.
func (d *DB) OpenAttemptNumbers(ctx context.Context, run int64) ([]int, error) {
	var numbers []int
	err := d.NewSelect().Model((*Attempt)(nil)).Column("number").Where("run_id = ?", run).Where("stopped_at IS NULL").
		Order("number").Scan(ctx, &numbers)
	if err != nil {
		return nil, fmt.Errorf("open attempts of run %d: %w", run, err)
	}
	return numbers, nil
}

// HasFailed tells whether a job of an attempt failed or was cancelled.
func (d *DB) HasFailed(ctx context.Context, run int64, attempt int) (bool, error) {
	found, err := d.NewSelect().Model((*Job)(nil)).Where("run_id = ?", run).Where("attempt = ?", attempt).
		Where("status IN ('failure', 'cancelled')").Where("NOT is_hidden").Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("failed jobs of run %d: %w", run, err)
	}
	return found, nil
}
