package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/uptrace/bun"
)

// Environment is a place that jobs deploy to, with what a job waits for before it may (known-problems.md A9).
type Environment struct {
	bun.BaseModel `bun:"table:environments,alias:environment"`

	ID          int64  `bun:",pk,autoincrement"`
	RepoID      int64  `bun:",notnull"`
	Name        string `bun:",notnull"`
	LowerName   string `bun:",notnull"`
	WaitMinutes int    `bun:",notnull"`
	// Reviewers are users and organizations; the word of one is enough, and without any nobody is asked.
	Reviewers         []int64   `bun:",array,notnull"`
	PreventSelfReview bool      `bun:",notnull"`
	CreatedAt         time.Time `bun:",nullzero,default:now()"`
	UpdatedAt         time.Time `bun:",nullzero,default:now()"`
}

// Deployment is a job that waits, or waited, for its environment: for a reviewer, for a time, or both.
type Deployment struct {
	bun.BaseModel `bun:"table:deployments,alias:deployment"`

	JobID         int64           `bun:",pk"`
	RunID         int64           `bun:",notnull"`
	AttemptID     int64           `bun:",notnull"`
	RepoID        int64           `bun:",notnull"`
	EnvironmentID int64           `bun:",notnull"`
	Environment   string          `bun:",notnull"`
	State         DeploymentState `bun:",notnull"`
	WaitUntil     time.Time       `bun:",nullzero"`
	ReviewedBy    int64           `bun:",notnull"`
	Comment       string          `bun:",notnull"`
	CreatedAt     time.Time       `bun:",nullzero,default:now()"`
	ReviewedAt    time.Time       `bun:",nullzero"`
}

// Environments returns a page of the environments of a repository by name, and how many there are.
func (d *DB) Environments(ctx context.Context, repo int64, p Page) ([]*Environment, int, error) {
	var list []*Environment
	n, err := p.scan(ctx, d.NewSelect().Model(&list).Where("environment.repo_id = ?", repo), "environment.lower_name")
	if err != nil {
		return nil, 0, fmt.Errorf("environments: %w", err)
	}
	return list, n, nil
}

// EnvironmentByName returns an environment of a repository, by its name in whatever case. ErrNotFound if there is none.
func (d *DB) EnvironmentByName(ctx context.Context, repo int64, name string) (*Environment, error) {
	e := &Environment{}
	err := d.NewSelect().Model(e).Where("repo_id = ?", repo).Where("lower_name = ?", strings.ToLower(name)).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("environment %q: %w", name, err)
	}
	return e, nil
}

// KnownEnvironment tells whether a repository has an environment of this name, or none at all.
func (d *DB) KnownEnvironment(ctx context.Context, repo int64, name string) (bool, error) {
	var known bool
	err := d.Pool.QueryRow(ctx, `SELECT NOT EXISTS (SELECT 1 FROM environments WHERE repo_id = $1)
		OR EXISTS (SELECT 1 FROM environments WHERE repo_id = $1 AND lower_name = $2)`, prepared, repo, strings.ToLower(name)).Scan(&known)
	if err != nil {
		return false, fmt.Errorf("environment %q: %w", name, err)
	}
	return known, nil
}

// EnvironmentsByID returns environments by id. Those that are gone are missing.
func (d *DB) EnvironmentsByID(ctx context.Context, ids []int64) (map[int64]*Environment, error) {
	out := make(map[int64]*Environment, len(ids))
	if len(ids) == 0 {
		return out, nil
	}
	var list []*Environment
	if err := d.NewSelect().Model(&list).Where("id = ANY(?)", int64Array(ids)).Scan(ctx); err != nil {
		return nil, fmt.Errorf("environments: %w", err)
	}
	for _, e := range list {
		out[e.ID] = e
	}
	return out, nil
}

// PutEnvironment makes an environment, or replaces the rules of the one of this name; it fills in id and times. Jobs
// that wait already go on waiting for what they began to wait for.
func (d *DB) PutEnvironment(ctx context.Context, e *Environment) error {
	e.LowerName = strings.ToLower(e.Name)
	if e.Reviewers == nil {
		e.Reviewers = []int64{}
	}
	_, err := d.NewInsert().Model(e).On("CONFLICT (repo_id, lower_name) DO UPDATE").
		Set("wait_minutes = excluded.wait_minutes").Set("reviewers = excluded.reviewers").
		Set("prevent_self_review = excluded.prevent_self_review").Set("updated_at = now()").
		Returning("id, name, created_at, updated_at").Exec(ctx)
	if err != nil {
		return fmt.Errorf("put environment %q: %w", e.Name, err)
	}
	return nil
}

// DeleteEnvironment removes an environment with its rules. ErrNotFound if there is none, ErrConflict while jobs wait for
// it: without the rules nobody could say whose word they wait for.
func (d *DB) DeleteEnvironment(ctx context.Context, repo int64, name string) error {
	res, err := d.NewDelete().Model((*Environment)(nil)).Where("repo_id = ?", repo).
		Where("lower_name = ?", strings.ToLower(name)).
		Where(`NOT EXISTS (SELECT 1 FROM jobs j JOIN deployments d ON d.job_id = j.id
			WHERE j.repo_id = environment.repo_id AND j.status IN ('blocked', 'waiting')
			AND d.environment_id = environment.id AND d.state = 'waiting')`).Exec(ctx)
	err = oneRow(res, err, "delete environment")
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, err := d.EnvironmentByName(ctx, repo, name); err != nil {
		return err
	}
	return fmt.Errorf("delete environment %q: jobs wait for it: %w", name, ErrConflict)
}

// PendingDeployments returns the jobs of an attempt that wait for their environment, in the order in which they began.
func (d *DB) PendingDeployments(ctx context.Context, attempt int64) ([]*Deployment, error) {
	var list []*Deployment
	err := d.NewSelect().Model(&list).Join("JOIN jobs AS job ON job.id = deployment.job_id AND job.stopped_at IS NULL").
		Where("deployment.attempt_id = ?", attempt).
		Where("deployment.state = ? OR (deployment.state = ? AND deployment.wait_until > now())",
			DeploymentWaiting, DeploymentApproved).
		Order("deployment.created_at", "deployment.job_id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("pending deployments of attempt %d: %w", attempt, err)
	}
	return list, nil
}

// ReviewsOf returns the jobs of all attempts of a run that somebody has approved or rejected, the first review first.
func (d *DB) ReviewsOf(ctx context.Context, run int64) ([]*Deployment, error) {
	var list []*Deployment
	err := d.NewSelect().Model(&list).Where("attempt_id IN (SELECT id FROM attempts WHERE run_id = ?)", run).
		Where("reviewed_at IS NOT NULL").Order("reviewed_at", "job_id").Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("reviews of run %d: %w", run, err)
	}
	return list, nil
}
