package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
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
	RepoID     int64
	OwnerID    int64
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

// shownJobs reads jobs with what is shown of their runs, their latest tasks and those tasks' runners.
var shownJobs = selectionOf[Job](
	part{alias: "job", columns: jobColumns},
	part{alias: "run", field: "Run", columns: []string{"id", "run_number", "workflow_file", "title", "event", "ref", "sha", "started_at"}},
	part{alias: "task", field: "Task", columns: taskColumns, optional: true},
	part{alias: "runner", field: "Task.Runner", columns: []string{"id", "name"}, optional: true},
)

const fromJobs = `FROM jobs AS job JOIN runs AS run ON run.id = job.run_id
	LEFT JOIN tasks AS task ON task.id = job.task_id LEFT JOIN runners AS runner ON runner.id = task.runner_id `

// Jobs returns a page of jobs by id, which is their key. Hidden ones, in whose place their cells are, are left out.
func (d *DB) Jobs(ctx context.Context, f JobFilter) ([]*JobView, Listed, error) {
	ids, l, err := d.findJobs(ctx, f)
	if err != nil {
		return nil, l, fmt.Errorf("list jobs: %w", err)
	}
	if len(ids) == 0 {
		return nil, l, nil
	}
	views, err := d.viewJobs(ctx, f.RepoID == 0, "job.id = ANY($1)", ids)
	return arrange(ids, views, func(v *JobView) int64 { return v.Job.ID }), l, err
}

func (d *DB) findJobs(ctx context.Context, f JobFilter) ([]int64, Listed, error) {
	all := func() *bun.SelectQuery { return f.apply(d.NewSelect().Model((*Job)(nil)), literal) }
	s := seek{key: "job.id", desc: f.Descending, kept: f.kept(), rows: all}
	s.streams = func(b bind) []*bun.SelectQuery {
		return byStatus(f.Statuses, func(statuses []ci.Status) *bun.SelectQuery {
			part := f
			part.Statuses = statuses
			return part.apply(d.NewSelect().Model((*Job)(nil)), b)
		})
	}
	return s.page(ctx, d, f.Page)
}

// kept is the count that is kept of the list; nil for the jobs of one run.
func (f JobFilter) kept() *listCount {
	if (f.RepoID != 0 && f.OwnerID != 0) || f.RunID != 0 || f.Attempt != 0 {
		return nil
	}
	return &listCount{list: "jobs", repoID: f.RepoID, ownerID: f.OwnerID, statuses: f.Statuses}
}

func (f JobFilter) apply(q *bun.SelectQuery, b bind) *bun.SelectQuery {
	where := func(set bool, condition string, arg any) {
		if set {
			q = q.Where(condition, b(arg))
		}
	}
	q = q.Where("NOT job.is_hidden")
	where(f.RepoID != 0, "job.repo_id = ?", f.RepoID)
	where(f.OwnerID != 0, "job.owner_id = ?", f.OwnerID)
	where(f.RunID != 0, "job.run_id = ?", f.RunID)
	where(f.Attempt != 0, "job.attempt = ?", f.Attempt)
	q = whereStatus(q, "job.status", f.Statuses, b)
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
	views, err := d.viewJobs(ctx, false, "job.id = $1 AND job.repo_id = $2", id, repo)
	if err == nil && len(views) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("job %d: %w", id, err)
	}
	return views[0], nil
}

// viewJobs reads jobs with what is shown beside them, in one round trip.
func (d *DB) viewJobs(ctx context.Context, withRepositories bool, condition string, args ...any) ([]*JobView, error) {
	var jobs []*Job
	var repositories []*Repository
	batch := &pgx.Batch{}
	shownJobs.queue(batch, &jobs, fromJobs+"WHERE "+condition, args...)
	if withRepositories {
		shownRepositories.queue(batch, &repositories,
			fromRepositories+"WHERE repository.id IN (SELECT job.repo_id FROM jobs AS job WHERE "+condition+")", args...)
	}
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	places := byID(repositories, func(r *Repository) int64 { return r.ID })
	views := make([]*JobView, len(jobs))
	for i, j := range jobs {
		views[i] = &JobView{Job: j, Run: j.Run, Repository: places[j.RepoID]}
	}
	return views, nil
}

// taskColumns are what is shown of tasks beside their job.
var taskColumns = []string{
	"id", "job_id", "try", "run_id", "runner_id", "status", "reason", "cause", "steps", "claimed_at", "started_at", "stopped_at",
}

// taskQuery selects what is shown of tasks beside their job.
func taskQuery(d *DB, tasks *[]*Task) *bun.SelectQuery {
	return d.NewSelect().Model(tasks).Column(taskColumns...).
		Relation("Runner", func(q *bun.SelectQuery) *bun.SelectQuery { return q.Column("id", "name") })
}
