package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// TaskView is a task with what lists show of its job and run.
type TaskView struct {
	ID        int64
	RunID     int64
	Status    TaskStatus
	JobName   string
	RunNumber int64
	Event     string
	Title     string
	Ref       string
	SHA       string
	File      string
	ClaimedAt time.Time
	// UpdatedAt is when its runner was heard last, or its end.
	UpdatedAt time.Time
	// RunStartedAt is when its attempt began.
	RunStartedAt time.Time
}

// Tasks returns a page of the tasks of a repository, newest first. Their keys are their ids.
func (d *DB) Tasks(ctx context.Context, repo int64, p Page) ([]*TaskView, Listed, error) {
	s := seek{
		key: "task.id", desc: true,
		streams: func(b bind) []*bun.SelectQuery {
			return []*bun.SelectQuery{d.NewSelect().Model((*Task)(nil)).Where("task.repo_id = ?", b(repo))}
		},
		kept: &listCount{list: "tasks", repoID: repo},
	}
	ids, l, err := s.page(ctx, d, p)
	if err != nil {
		return nil, l, fmt.Errorf("list tasks: %w", err)
	}
	if len(ids) == 0 {
		return nil, l, nil
	}
	tasks, err := d.taskViews(ctx, ids)
	return tasks, l, err
}

func (d *DB) taskViews(ctx context.Context, ids []int64) ([]*TaskView, error) {
	rows, err := d.Pool.Query(ctx, `SELECT t.id, t.run_id, t.status, j.name, r.run_number, r.event, r.title, r.ref, r.sha, r.workflow_file,
			t.claimed_at, coalesce(t.stopped_at, t.heartbeat_at), coalesce(a.started_at, t.claimed_at)
		FROM tasks t JOIN jobs j ON j.id = t.job_id JOIN runs r ON r.id = t.run_id JOIN attempts a ON a.id = t.attempt_id
		WHERE t.id = ANY($1) ORDER BY t.id DESC`, prepared, ids)
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	tasks, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[TaskView])
	if err != nil {
		return nil, fmt.Errorf("list tasks: %w", err)
	}
	return tasks, nil
}

// JobTasks returns a page of the tasks of a job, the first one first, with their runners, and how many there are. Those
// of a job that was passed on by a rerun are those of the job that ran.
func (d *DB) JobTasks(ctx context.Context, job *Job, p Page) ([]*Task, int, error) {
	var tasks []*Task
	n, err := p.scan(ctx, ofJob(taskQuery(d, &tasks), job), "task.id")
	if err != nil {
		return nil, 0, fmt.Errorf("tasks of job %d: %w", job.ID, err)
	}
	return tasks, n, nil
}

// JobTask returns one of the tasks of a job. ErrNotFound if it has no such task.
func (d *DB) JobTask(ctx context.Context, job *Job, id int64) (*Task, error) {
	var tasks []*Task
	if err := ofJob(taskQuery(d, &tasks), job).Where("task.id = ?", id).Scan(ctx); err != nil {
		return nil, fmt.Errorf("task %d of job %d: %w", id, job.ID, err)
	}
	if len(tasks) == 0 {
		return nil, fmt.Errorf("task %d of job %d: %w", id, job.ID, ErrNotFound)
	}
	return tasks[0], nil
}

// ofJob leaves the tasks of a job, and of the job whose latest task it shows.
func ofJob(q *bun.SelectQuery, job *Job) *bun.SelectQuery {
	return q.Where("task.job_id IN (SELECT ? UNION SELECT t.job_id FROM tasks AS t WHERE t.id = ?)", job.ID, job.TaskID)
}
