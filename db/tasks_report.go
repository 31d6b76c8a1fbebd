package db

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Limits of the outputs of one task. Each output has those of package ci.
const (
	// MaxTaskOutputs is how many outputs a task may have. Later ones are not stored and not acknowledged.
	MaxTaskOutputs = 1000
	// MaxTaskOutputBytes is the size of all values together above which no more is stored.
	MaxTaskOutputBytes = 16 << 20
)

// TaskFacts are what never changes of a task.
type TaskFacts struct {
	TaskID, JobID, RunnerID int64
	// Steps is how many the job has.
	Steps     int
	ClaimedAt time.Time

	// Origin has the version of the secrets at the claim, or when the facts were read.
	Origin TaskOrigin
}

// TaskFacts returns the facts of a task. ErrNotFound if there is none.
func (d *DB) TaskFacts(ctx context.Context, task int64) (TaskFacts, error) {
	f := TaskFacts{TaskID: task}
	o := &f.Origin
	err := d.Pool.QueryRow(ctx, `SELECT t.job_id, t.runner_id, cardinality(j.step_names), t.claimed_at, t.run_id,
			t.attempt_id, t.repo_id, t.owner_id, j.attempt, `+secretsVersion("t")+`
		FROM tasks t JOIN jobs j ON j.id = t.job_id WHERE t.id = $1`, prepared, task).
		Scan(&f.JobID, &f.RunnerID, &f.Steps, &f.ClaimedAt, &o.RunID, &o.AttemptID, &o.RepoID, &o.OwnerID, &o.Attempt, &o.SecretsVersion)
	return f, wrapTask(err, task)
}

// Report is what a runner says of a task.
type Report struct {
	TaskID int64
	// Steps are ordered by index, each at most once; those that are missing keep what was reported before.
	Steps []Step
	// Complete says that Steps are all steps of the job.
	Complete bool
	// StartedAt and StoppedAt are by the runner's clock, brought between the claim and now; zero if it did not say.
	StartedAt, StoppedAt time.Time
	// Outputs are stored unless their key is there already: the first value wins.
	Outputs map[string]string
	// Final is the result that ends the task, or empty while it runs.
	Final TaskStatus
}

// TaskState is what a runner and the job's workflow need to know of a task.
type TaskState struct {
	TaskID, JobID int64
	Status        TaskStatus
	Reason        string
	// CancelRequested: whatever the result, the task counts as cancelled.
	CancelRequested bool
	Attached        bool
	Supervised      bool
	// SentOutputs are the keys of all outputs that are stored, sorted.
	SentOutputs []string
	// Ended: it was this call that ended the task.
	Ended bool
}

// reportTask changes nothing when the task has ended. Nobody has to be told of an end while the job's workflow
// knows nothing of the task: it reads the row when it attaches.
const reportTask = `WITH task AS (
		UPDATE tasks SET
			steps = coalesce($2, steps),
			started_at = CASE WHEN $3::timestamptz IS NULL THEN started_at
				ELSE coalesce(started_at, least(greatest($3, claimed_at), now())) END,
			confirmed_at = coalesce(confirmed_at, now()),
			heartbeat_at = now(),
			status = CASE WHEN $4 = '' THEN status
				WHEN status = 'cancelling' OR cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE $4 END,
			stopped_at = CASE WHEN $4 <> '' THEN least(greatest(coalesce($5, now()), claimed_at), now()) END,
			delivered_at = CASE WHEN $4 <> '' AND NOT attached AND NOT supervised THEN now() END
		WHERE id = $1 AND stopped_at IS NULL
		RETURNING id, job_id, runner_id, status, reason, cancel_requested_at, attached, supervised
	), output AS (
		INSERT INTO task_outputs (task_id, key, value) SELECT task.id, o.key, o.value
		FROM task, unnest($6::text[], $7::text[]) AS o (key, value)
		WHERE (SELECT count(*) + cardinality($6) <= $8 AND coalesce(sum(octet_length(value)), 0) <= $9
			FROM task_outputs WHERE task_id = $1)
		ON CONFLICT DO NOTHING RETURNING key
	), gone AS (
		UPDATE runners SET removed_at = now() FROM task
		WHERE $4 <> '' AND runners.id = task.runner_id AND is_ephemeral AND removed_at IS NULL RETURNING uuid
	)
	SELECT job_id, status, reason, cancel_requested_at IS NOT NULL, attached, supervised, ARRAY(
			SELECT key FROM task_outputs WHERE task_id = $1 UNION SELECT key FROM output ORDER BY 1),
		(SELECT count(pg_notify('pawl_runners', uuid::text)) FROM gone)
	FROM task`

// ReportTask stores a report and answers with the state of the task after it. A report of a task that has ended
// changes nothing and is answered with that end. The end of an ephemeral runner's task removes the runner.
func (d *DB) ReportTask(ctx context.Context, r Report) (TaskState, error) {
	s, err := d.reportOnce(ctx, r)
	if errors.Is(err, pgx.ErrNoRows) {
		return d.TaskState(ctx, r.TaskID)
	}
	return s, wrapTask(err, r.TaskID)
}

func (d *DB) reportOnce(ctx context.Context, r Report) (s TaskState, err error) {
	if r.Complete || (len(r.Steps) == 0 && r.Final == "") {
		return report(ctx, d.Pool, r)
	}
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		merged := r
		if merged.Steps, err = mergedSteps(ctx, tx, r); err != nil {
			return err
		}
		s, err = report(ctx, tx, merged)
		return err
	})
	return s, err
}

// mergedSteps locks the task and lays the reported steps over those it has.
func mergedSteps(ctx context.Context, tx pgx.Tx, r Report) ([]Step, error) {
	var old []Step
	err := tx.QueryRow(ctx, `SELECT steps FROM tasks WHERE id = $1 AND stopped_at IS NULL FOR UPDATE`, prepared, r.TaskID).Scan(&old)
	return mergeSteps(old, r.Steps), err
}

// mergeSteps lays changed over old by index. Both are ordered.
func mergeSteps(old, changed []Step) []Step {
	merged := slices.Clone(changed)
	for _, s := range old {
		at, found := slices.BinarySearchFunc(merged, s.Index, func(s Step, i int) int { return s.Index - i })
		if !found {
			merged = slices.Insert(merged, at, s)
		}
	}
	return merged
}

func report(ctx context.Context, q queryRower, r Report) (TaskState, error) {
	steps, err := encodeSteps(r)
	if err != nil {
		return TaskState{}, err
	}
	keys, values := outputColumns(r.Outputs)
	s := TaskState{TaskID: r.TaskID, Ended: r.Final != ""}
	err = q.QueryRow(ctx, reportTask, prepared, r.TaskID, steps, timeOrNull(r.StartedAt), string(r.Final),
		timeOrNull(r.StoppedAt), keys, values, MaxTaskOutputs, MaxTaskOutputBytes).
		Scan(&s.JobID, &s.Status, &s.Reason, &s.CancelRequested, &s.Attached, &s.Supervised, &s.SentOutputs, new(int64))
	return s, err
}

// encodeSteps is nil when the report has no steps. The steps of a final report are all closed.
func encodeSteps(r Report) ([]byte, error) {
	if len(r.Steps) == 0 {
		return nil, nil
	}
	raw, err := json.Marshal(r.Steps)
	if err != nil || r.Final == "" {
		return raw, err
	}
	status, err := ci.ParseStatus(string(r.Final))
	if err != nil {
		return nil, err
	}
	return closeSteps(raw, status)
}

// outputColumns never returns nil: the size of a NULL array is not a number.
func outputColumns(outputs map[string]string) (keys, values []string) {
	keys, values = make([]string, 0, len(outputs)), make([]string, 0, len(outputs))
	for k, v := range outputs {
		keys, values = append(keys, k), append(values, v)
	}
	return keys, values
}

func timeOrNull(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// TaskState reads the state of a task. ErrNotFound if there is none.
func (d *DB) TaskState(ctx context.Context, task int64) (TaskState, error) {
	s := TaskState{TaskID: task}
	err := d.Pool.QueryRow(ctx, `SELECT job_id, status, reason, cancel_requested_at IS NOT NULL, attached, supervised,
			ARRAY(SELECT key FROM task_outputs WHERE task_id = $1 ORDER BY key)
		FROM tasks WHERE id = $1`, prepared, task).
		Scan(&s.JobID, &s.Status, &s.Reason, &s.CancelRequested, &s.Attached, &s.Supervised, &s.SentOutputs)
	return s, wrapTask(err, task)
}

// TouchTask notes that the runner of a task is alive and has the task, and tells whether the task is supervised.
// A task that has ended is left alone.
func (d *DB) TouchTask(ctx context.Context, task int64) (supervised bool, err error) {
	err = d.Pool.QueryRow(ctx, `UPDATE tasks SET heartbeat_at = now(), confirmed_at = coalesce(confirmed_at, now())
		WHERE id = $1 AND stopped_at IS NULL RETURNING supervised`, prepared, task).Scan(&supervised)
	if errors.Is(err, pgx.ErrNoRows) {
		return false, nil
	}
	return supervised, wrapTask(err, task)
}

func wrapTask(err error, task int64) error {
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("task %d: %w", task, err)
	}
	return nil
}
