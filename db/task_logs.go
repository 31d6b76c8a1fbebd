package db

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// LogChunk is a piece of a task's log: consecutive rows, compressed by package logchunk.
type LogChunk struct {
	FirstRow int64
	RowCount int
	Data     []byte
}

// LogAppend is what is to be added to the log of a task.
type LogAppend struct {
	TaskID int64
	// Expected is the number of rows that the log must have; if it has another, nothing is added.
	Expected int64
	// Rows is how many are added. Chunks may hold fewer of them when the log is over its limit.
	Rows int64
	// Bytes is the size of the chunks' text.
	Bytes  int64
	Chunks []LogChunk
	Seal   bool
	// Truncate says that the log has reached its limit.
	Truncate bool
}

// appendLog locks one row for the length of one statement. The row is narrow and its update touches no index.
const appendLog = `WITH log AS (
		UPDATE task_logs SET row_count = row_count + $3, byte_count = byte_count + $4, is_sealed = $5,
			is_truncated = is_truncated OR $9
		WHERE task_id = $1 AND row_count = $2 AND NOT is_sealed RETURNING task_id
	), chunk AS (
		INSERT INTO log_chunks (task_id, first_row, row_count, data)
		SELECT task_id, c.first_row, c.row_count, c.data
		FROM log, unnest($6::bigint[], $7::int[], $8::bytea[]) AS c (first_row, row_count, data)
	)
	SELECT task_id FROM log`

// AppendLog adds rows to the log of a task, seals it, or both. ok is false when the log is sealed or has another
// number of rows than expected.
func (d *DB) AppendLog(ctx context.Context, a LogAppend) (ok bool, err error) {
	first, rows, data := make([]int64, len(a.Chunks)), make([]int32, len(a.Chunks)), make([][]byte, len(a.Chunks))
	for i, c := range a.Chunks {
		first[i], rows[i], data[i] = c.FirstRow, int32(c.RowCount), c.Data
	}
	tag, err := d.Pool.Exec(ctx, appendLog, prepared, a.TaskID, a.Expected, a.Rows, a.Bytes, a.Seal, first, rows, data, a.Truncate)
	if err != nil {
		return false, fmt.Errorf("append log of task %d: %w", a.TaskID, err)
	}
	return tag.RowsAffected() == 1, nil
}

// TaskLog returns the counts of a task's log. ErrNotFound if there is no such task.
func (d *DB) TaskLog(ctx context.Context, task int64) (*TaskLog, error) {
	l := &TaskLog{TaskID: task}
	err := d.Pool.QueryRow(ctx, `SELECT row_count, byte_count, is_sealed, coalesce(expired_at, '0001-01-01 00:00:00Z'), is_truncated
		FROM task_logs WHERE task_id = $1`, prepared, task).Scan(&l.RowCount, &l.ByteCount, &l.IsSealed, &l.ExpiredAt, &l.IsTruncated)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("log of task %d: %w", task, err)
	}
	return l, nil
}

// LogState is how far the log of a task is, and the job or task that makes it grow.
type LogState struct {
	// Status is that of the job, or of the task when one was asked for.
	Status ci.Status
	// SinceEnd is how long ago that ended, by the clock of the database; 0 when it has not.
	SinceEnd time.Duration
	TaskID   int64 // 0 when there is none
	RowCount int64
	IsSealed bool
	Expired  bool
	// Reason is why the task ended, if its runner cannot have said so, and StoppedAt when.
	Reason    string
	StoppedAt time.Time
}

// JobLogState reads what a follower of a job's log needs to know: of the job's latest task, or of the given one if task
// is not 0. ErrNotFound if there is no such job.
func (d *DB) JobLogState(ctx context.Context, job, task int64) (LogState, error) {
	var s LogState
	var seconds float64
	var word TaskStatus
	var stopped *time.Time
	err := d.Pool.QueryRow(ctx, `SELECT j.status, coalesce(t.status, ''),
			coalesce(extract(epoch FROM now() - CASE WHEN $2::bigint = 0 THEN j.stopped_at ELSE t.stopped_at END), 0)::float8,
			coalesce(t.id, 0), coalesce(l.row_count, 0), coalesce(l.is_sealed, false), l.expired_at IS NOT NULL,
			coalesce(t.reason, ''), t.stopped_at
		FROM jobs j LEFT JOIN tasks t ON t.id = CASE WHEN $2 = 0 THEN j.task_id ELSE $2 END
		LEFT JOIN task_logs l ON l.task_id = t.id WHERE j.id = $1`, prepared, job, task).
		Scan(&s.Status, &word, &seconds, &s.TaskID, &s.RowCount, &s.IsSealed, &s.Expired, &s.Reason, &stopped)
	if errors.Is(err, pgx.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return s, fmt.Errorf("log state of job %d: %w", job, err)
	}
	if task != 0 {
		s.Status = word.Status()
	}
	if stopped != nil {
		s.StoppedAt = *stopped
	}
	s.SinceEnd = time.Duration(seconds * float64(time.Second))
	return s, nil
}

// Status is the state of a task in the words of jobs: a lost task is a failed one.
func (s TaskStatus) Status() ci.Status {
	if s == TaskLost {
		return ci.StatusFailure
	}
	status, err := ci.ParseStatus(string(s))
	if err != nil {
		return ci.StatusUnknown
	}
	return status
}

// A page of a log is what is read at once: so many chunks, and no further one when it has so many bytes already. With chunks
// of at most about 1 MiB it bounds the memory of a reader, of whom there may be thousands.
const (
	logPage      = 16
	logPageBytes = 1 << 20
)

// LogChunks yields the chunks that hold rows from (included) to to (excluded) of a task's log, in order; to < 0
// means up to the end. The first and last may hold more rows than were asked for. Rows that were dropped because of
// the size limit are missing. Chunks are read a few at a time, without a transaction, so that a slow reader costs
// nothing. After an error the sequence ends.
func (d *DB) LogChunks(ctx context.Context, task, from, to int64) iter.Seq2[LogChunk, error] {
	return func(yield func(LogChunk, error) bool) {
		for {
			page, err := d.logPage(ctx, task, from, to)
			if err != nil {
				yield(LogChunk{}, err)
				return
			}
			for _, c := range page {
				if !yield(c, nil) {
					return
				}
				from = c.FirstRow + int64(c.RowCount)
			}
			if len(page) == 0 || (to >= 0 && from >= to) {
				return
			}
		}
	}
}

// logPage finds the chunk that row from is in, or the next one, by the primary key.
func (d *DB) logPage(ctx context.Context, task, from, to int64) ([]LogChunk, error) {
	rows, err := d.Pool.Query(ctx, `SELECT first_row, row_count, data FROM (
			SELECT first_row, row_count, data, sum(octet_length(data)) OVER (ORDER BY first_row) - octet_length(data) AS before
			FROM log_chunks
			WHERE task_id = $1 AND first_row >= coalesce((SELECT max(first_row) FROM log_chunks WHERE task_id = $1 AND first_row <= $2), 0)
			AND first_row + row_count > $2 AND ($3::bigint < 0 OR first_row < $3) ORDER BY first_row LIMIT $4
		) AS page WHERE before < $5 ORDER BY first_row`, prepared, task, from, to, logPage, logPageBytes)
	if err != nil {
		return nil, fmt.Errorf("read log of task %d: %w", task, err)
	}
	chunks, err := pgx.CollectRows(rows, pgx.RowToStructByPos[LogChunk])
	if err != nil {
		return nil, fmt.Errorf("read log of task %d: %w", task, err)
	}
	return chunks, nil
}
