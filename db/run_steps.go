package db

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/pawl-ci/pawl/internal/ci"
)

func textArray(s []string) any { return pgdialect.Array(s) }

func int64Array(ids []int64) any { return pgdialect.Array(ids) }

// JobEnd is the end of a job for RecordStep.
type JobEnd struct {
	JobID  int64
	Status ci.Status
	Reason string
	Class  ci.ErrorClass
	// FailFast: it was cancelled because another cell of its matrix failed.
	FailFast bool
}

// TimelineEvent is one thing that a run's workflow decided or heard of.
type TimelineEvent struct {
	// N counts the events of an attempt from 1, JobID is 0 for the run as a whole.
	N      int
	At     time.Time
	JobID  int64
	Event  string
	Detail string
}

// RunStep is one move of a run.
type RunStep struct {
	RunID, AttemptID int64
	// Ended are jobs that are over.
	Ended []JobEnd
	// Offered are jobs whose first offer is to be made.
	Offered []int64
	// Held are jobs that are to run and wait for something else than a runner.
	Held []int64
	// Begun: the run waits for nothing any more before its first job.
	Begun bool
	// CancelSeen: the workflow has heard of the cancel.
	CancelSeen bool
	// Release: some of what ended may be in a gate, which is free then.
	Release bool
	// Status is terminal when the attempt is over, else StatusUnknown; Reason says why it ended so.
	Status ci.Status
	Reason string
	Events []TimelineEvent
}

// RecordStep writes one move of a run in one transaction, and in one round trip unless gates are involved. It may be
// repeated. The runs that it returns have news: their workflows are to be woken. ErrNotFound: the run was deleted.
func (d *DB) RecordStep(ctx context.Context, s RunStep) (wake []RunRef, err error) {
	var left leftBehind
	if s.Release {
		err = d.inTx(ctx, func(tx pgx.Tx) error {
			granted, err := releaseGates(ctx, tx, s.AttemptID, s.endedJobs(), s.Status.Terminal())
			if err != nil {
				return err
			}
			return tx.SendBatch(ctx, s.batch(granted, &left, &wake)).Close()
		})
	} else {
		err = d.sendBatch(ctx, func() *pgx.Batch { return s.batch(nil, &left, &wake) })
	}
	if err == nil {
		err = d.endLeftTasks(ctx, left)
	}
	if isForeignKeyViolation(err) {
		err = ErrNotFound // the run was deleted, and this is a repetition of its last step
	}
	if err != nil {
		return nil, fmt.Errorf("record step of run %d: %w", s.RunID, err)
	}
	return wake, nil
}

func (s RunStep) endedJobs() []int64 {
	ids := make([]int64, len(s.Ended))
	for i, e := range s.Ended {
		ids[i] = e.JobID
	}
	return ids
}

// queueLocks begins a batch with what the step will lock of the attempt anyway, if only because its timeline refers to it,
// and of its repository, in whose name offers are made, since these come first (transaction.go).
func (s RunStep) queueLocks(batch *pgx.Batch) {
	switch {
	case len(s.Offered) > 0:
		batch.Queue(`SELECT 1 FROM attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repo_id
			WHERE a.id = $1 FOR KEY SHARE OF p, a`, s.AttemptID)
	case len(s.Ended) > 0, len(s.Held) > 0, s.Status.Terminal():
		batch.Queue(`SELECT 1 FROM attempts WHERE id = $1 FOR KEY SHARE`, s.AttemptID)
	}
}

// batch has the statements of the step. left and wake are set by what they find.
func (s RunStep) batch(granted []int64, left *leftBehind, wake *[]RunRef) *pgx.Batch {
	batch := &pgx.Batch{}
	s.queueLocks(batch)
	s.queueLeftOffers(batch, left)
	s.queue(batch)
	s.queueNews(batch, granted, wake)
	return batch
}

func (s RunStep) queue(batch *pgx.Batch) {
	if len(s.Ended) > 0 {
		queueEnds(batch, s)
	}
	if len(s.Held) > 0 {
		batch.Queue(`UPDATE jobs SET status = 'blocked', updated_at = now()
			WHERE id = ANY($1) AND attempt_id = $2 AND status = 'waiting' AND task_id IS NULL`, s.Held, s.AttemptID)
	}
	if len(s.Offered) > 0 {
		queueOffers(batch, s.Offered, 1)
	}
	if s.CancelSeen {
		batch.Queue(`UPDATE attempts SET cancel_seen_at = now() WHERE id = $1`, s.AttemptID)
	}
	if len(s.Events) > 0 {
		queueEvents(batch, s)
	}
	if s.Begun {
		batch.Queue(`UPDATE attempts SET status = 'waiting' WHERE id = $1 AND status = 'blocked'`, s.AttemptID)
		batch.Queue(`UPDATE runs SET status = 'waiting', updated_at = now() FROM attempts a
			WHERE runs.id = $1 AND a.id = $2 AND runs.attempt = a.number AND runs.status = 'blocked'`, s.RunID, s.AttemptID)
	}
	if s.Status.Terminal() {
		queueLeftJobs(batch, s.AttemptID)
		queueAttemptEnd(batch, s)
	}
}

func queueEnds(batch *pgx.Batch, s RunStep) {
	n := len(s.Ended)
	statuses, reasons, classes, failFast := make([]string, n), make([]string, n), make([]string, n), make([]bool, n)
	unknown := false
	for i, e := range s.Ended {
		statuses[i], reasons[i], classes[i], failFast[i] = e.Status.String(), cleanText(e.Reason), string(e.Class), e.FailFast
		unknown = unknown || e.Class == ci.ErrorUnknown
	}
	batch.Queue(`UPDATE jobs SET status = e.status, reason = e.reason, class = e.class, by_fail_fast = e.fail_fast,
			stopped_at = now(), updated_at = now()
		FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::boolean[]) AS e (id, status, reason, class, fail_fast)
		WHERE jobs.id = e.id AND jobs.attempt_id = $6 AND jobs.stopped_at IS NULL`,
		s.endedJobs(), statuses, reasons, classes, failFast, s.AttemptID)
	if unknown {
		queueAlerts(batch, s.AttemptID)
	}
}

// queueAlerts has administrators told of jobs that ended by a fault that nobody foresaw, once each.
func queueAlerts(batch *pgx.Batch, attempt int64) {
	batch.Queue(`INSERT INTO alerts (kind, repo_id, run_id, attempt_id, job_id, detail)
		SELECT 'job', repo_id, run_id, attempt_id, id, reason FROM jobs WHERE attempt_id = $1 AND class = 'unknown'
		ON CONFLICT DO NOTHING`, attempt)
}

// queueNews ends a batch with news for the attempts that were granted a gate, and for those that follow the jobs which
// ended with the step. wake is set to them.
func (s RunStep) queueNews(batch *pgx.Batch, granted []int64, wake *[]RunRef) {
	var ended string
	var arg any
	switch {
	case s.Status.Terminal():
		ended, arg = `SELECT id FROM jobs WHERE attempt_id = $2`, s.AttemptID
	case len(s.Ended) > 0 || len(granted) > 0:
		ended, arg = `SELECT unnest($2::bigint[])`, s.endedJobs()
	default:
		return
	}
	batch.Queue(giveNews(`SELECT unnest($1::bigint[]) UNION
			SELECT attempt_id FROM jobs WHERE follows_id IN (`+ended+`) AND follows_id <> 0 AND stopped_at IS NULL`), granted, arg).
		Query(func(rows pgx.Rows) (err error) {
			*wake, err = pgx.CollectRows(rows, pgx.RowToStructByPos[RunRef])
			return err
		})
}

func queueEvents(batch *pgx.Batch, s RunStep) {
	n := len(s.Events)
	ns, at, jobs := make([]int, n), make([]time.Time, n), make([]int64, n)
	events, details := make([]string, n), make([]string, n)
	for i, e := range s.Events {
		ns[i], at[i], jobs[i], events[i], details[i] = e.N, e.At, e.JobID, e.Event, cleanText(e.Detail)
	}
	batch.Queue(`INSERT INTO timeline (attempt_id, n, at, job_id, event, detail)
		SELECT $1, * FROM unnest($2::integer[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[])
		ON CONFLICT DO NOTHING`, s.AttemptID, ns, at, jobs, events, details)
}

// cleanText leaves out what Postgres cannot hold.
func cleanText(s string) string { return strings.ReplaceAll(s, "\x00", "") }

func queueAttemptEnd(batch *pgx.Batch, s RunStep) {
	batch.Queue(`UPDATE attempts SET status = $2, reason = $3, stopped_at = now()
		WHERE id = $1 AND stopped_at IS NULL`, s.AttemptID, s.Status.String(), cleanText(s.Reason))
	batch.Queue(`UPDATE runs SET status = $3, stopped_at = now(), updated_at = now()
		FROM attempts a WHERE runs.id = $1 AND a.id = $2 AND runs.attempt = a.number AND runs.stopped_at IS NULL`,
		s.RunID, s.AttemptID, s.Status.String())
}
