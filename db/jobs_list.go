package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// JobView is a job with its run, its latest task and that task's runner.
type JobView struct {
	// Job lacks its payload and matrix. Its Task, if it has one, has its Runner, unless that was deleted.
	Job *Job
	// Run has what jobs show of it: ref, sha, file, event and title.
	Run *Run
	// Repository is set in lists over several repositories, and left nil in those of one.
	Repository *Repository
}

// JobFilter selects jobs. Zero fields select all.
type JobFilter struct {
	RepoID  int64
	OwnerID int64
	// ReadableBy leaves jobs of repositories that this user may read.
	ReadableBy *Owner
	RunID      int64
	Attempt    int // of RunID
	Statuses   []ci.Status
	Descending bool // by id
	Page       Page
}

// jobColumns are those that are shown, and those that tell why a job waits.
var jobColumns = []string{
	"id", "run_id", "attempt_id", "attempt", "repo_id", "owner_id", "cell", "key", "name", "needs", "runs_on", "label_set_id", "step_names",
	"max_parallel", "status", "reason", "class", "task_id", "kind", "parent_id", "uses", "follows_id", "is_hidden",
	"created_at", "updated_at", "started_at", "stopped_at",
}

// Jobs returns a page of jobs by id, which is their key. Hidden ones, in whose place their cells are, are left out.
func (d *DB) Jobs(ctx context.Context, f JobFilter) ([]*JobView, Listed, error) {
	ids, l, err := d.findJobs(ctx, f)
	if err != nil {
		return nil, l, fmt.Errorf("list jobs: %w", err)
	}
	jobs, err := d.jobsInOrder(ctx, ids)
	if err != nil {
		return nil, l, fmt.Errorf("list jobs: %w", err)
	}
	views, err := d.viewJobs(ctx, jobs, f.RepoID == 0)
	return views, l, err
}

func (d *DB) findJobs(ctx context.Context, f JobFilter) ([]int64, Listed, error) {
	all, err := d.readsAll(ctx, f.OwnerID, f.ReadableBy)
	if err != nil {
		return nil, Listed{}, err
	}
	if all {
		f.ReadableBy = nil
	}
	s := seek{key: "job.id", desc: f.Descending, total: func(ctx context.Context) (length, error) { return d.countJobs(ctx, f) }}
	s.streams = byStatus(f.Statuses, func(statuses []ci.Status) *bun.SelectQuery {
		part := f
		part.Statuses = statuses
		return part.apply(d.NewSelect().Model((*Job)(nil)))
	})
	return s.page(ctx, d, f.Page)
}

func (d *DB) countJobs(ctx context.Context, f JobFilter) (length, error) {
	if (f.RepoID == 0 || f.OwnerID == 0) && f.RunID == 0 && f.Attempt == 0 && f.ReadableBy == nil {
		return d.kept(ctx, listCount{list: "jobs", repoID: f.RepoID, ownerID: f.OwnerID, statuses: f.Statuses})
	}
	return d.counted(ctx, f.apply(d.NewSelect().Model((*Job)(nil))))
}

func (d *DB) jobsInOrder(ctx context.Context, ids []int64) ([]*Job, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var jobs []*Job
	err := d.NewSelect().Model(&jobs).Column(jobColumns...).Where("id = ANY(?)", int64Array(ids)).Scan(ctx)
	return arrange(ids, jobs, func(j *Job) int64 { return j.ID }), err
}

func (f JobFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	where := func(set bool, condition string, arg any) {
		if set {
			q = q.Where(condition, arg)
		}
	}
	q = q.Where("NOT job.is_hidden")
	where(f.RepoID != 0, "job.repo_id = ?", f.RepoID)
	where(f.OwnerID != 0, "job.owner_id = ?", f.OwnerID)
	where(f.RunID != 0, "job.run_id = ?", f.RunID)
	where(f.Attempt != 0, "job.attempt = ?", f.Attempt)
	q = whereStatus(q, "job.status", f.Statuses)
	if f.ReadableBy != nil {
		q = readableBy(q, "job.repo_id", f.ReadableBy)
	}
	return q
}

// Job returns one job of a repository, of whatever attempt. ErrNotFound if there is none, or it is hidden.
func (d *DB) Job(ctx context.Context, repo, id int64) (*JobView, error) {
	v, err := d.AnyJob(ctx, repo, id)
	if err == nil && v.Job.IsHidden {
		return nil, fmt.Errorf("job %d: %w", id, ErrNotFound)
	}
	return v, err
}

// AnyJob is Job for who heard of the job before it was hidden.
func (d *DB) AnyJob(ctx context.Context, repo, id int64) (*JobView, error) {
	job := &Job{}
	err := d.NewSelect().Model(job).Column(jobColumns...).Where("id = ?", id).Where("repo_id = ?", repo).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("job %d: %w", id, err)
	}
	views, err := d.viewJobs(ctx, []*Job{job}, false)
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// viewJobs reads what is shown beside jobs, with one query for each kind of thing.
func (d *DB) viewJobs(ctx context.Context, jobs []*Job, withRepositories bool) ([]*JobView, error) {
	var runIDs, taskIDs, repoIDs []int64
	for _, j := range jobs {
		runIDs, repoIDs = append(runIDs, j.RunID), append(repoIDs, j.RepoID)
		if j.TaskID != 0 {
			taskIDs = append(taskIDs, j.TaskID)
		}
	}
	runs, err := d.runsByID(ctx, runIDs)
	if err != nil {
		return nil, err
	}
	tasks, err := d.tasksByID(ctx, taskIDs)
	if err != nil {
		return nil, err
	}
	var repositories map[int64]*Repository
	if withRepositories {
		if repositories, err = d.RepositoriesByID(ctx, repoIDs); err != nil {
			return nil, err
		}
	}
	views := make([]*JobView, len(jobs))
	for i, j := range jobs {
		j.Task = tasks[j.TaskID]
		views[i] = &JobView{Job: j, Run: runs[j.RunID], Repository: repositories[j.RepoID]}
	}
	return views, nil
}

func (d *DB) runsByID(ctx context.Context, ids []int64) (map[int64]*Run, error) {
	out := make(map[int64]*Run, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var runs []*Run
	err := d.NewSelect().Model(&runs).Column("id", "run_number", "workflow_file", "title", "event", "ref", "sha", "started_at").
		Where("id = ANY(?)", int64Array(ids)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("runs of jobs: %w", err)
	}
	for _, r := range runs {
		out[r.ID] = r
	}
	return out, nil
}

func (d *DB) tasksByID(ctx context.Context, ids []int64) (map[int64]*Task, error) {
	out := make(map[int64]*Task, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var tasks []*Task
	if err := taskQuery(d, &tasks).Where("task.id = ANY(?)", int64Array(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("tasks of jobs: %w", err)
	}
	for _, t := range tasks {
		out[t.ID] = t
	}
	return out, nil
}

// taskQuery selects what is shown of tasks beside their job.
func taskQuery(d *DB, tasks *[]*Task) *bun.SelectQuery {
	return d.NewSelect().Model(tasks).
		Column("id", "job_id", "try", "run_id", "runner_id", "status", "reason", "cause", "steps", "claimed_at", "started_at", "stopped_at").
		Relation("Runner", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "name") })
}
