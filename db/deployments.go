package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// DeploymentState is what the reviewers of an environment have said.
type DeploymentState string

// The states; an environment without reviewers has approved at once.
const (
	DeploymentWaiting  DeploymentState = "waiting"
	DeploymentApproved DeploymentState = "approved"
	DeploymentRejected DeploymentState = "rejected"
)

// DeploymentHold is what a job waits for because of its environment.
type DeploymentHold struct {
	// State is approved when nobody has to, or has to any more.
	State      DeploymentState
	ReviewedBy string // login
	Comment    string
	// WaitUntil is zero when no time has to pass any more, by the clock of the database.
	WaitUntil time.Time
}

// EnterEnvironment notes that a job wants to deploy to an environment of its repository, and tells what it waits for.
// It may be repeated. The first call fixes the rules; an environment that nobody has made has none.
func (d *DB) EnterEnvironment(ctx context.Context, j *Job, environment string) (DeploymentHold, error) {
	h := DeploymentHold{State: DeploymentApproved}
	var until sql.NullTime
	err := d.NewRaw(`WITH made AS (
			INSERT INTO deployments (job_id, run_id, attempt_id, repo_id, environment_id, environment, state, wait_until)
			SELECT ?0, ?1, ?2, ?3, e.id, e.name, CASE WHEN cardinality(e.reviewers) > 0 THEN 'waiting' ELSE 'approved' END,
				CASE WHEN e.wait_minutes > 0 THEN now() + make_interval(mins => e.wait_minutes) END
			FROM environments e WHERE e.repo_id = ?3 AND e.lower_name = ?4
			ON CONFLICT (job_id) DO NOTHING RETURNING state, wait_until, reviewed_by, comment
		), entry AS (
			SELECT * FROM made UNION ALL
			SELECT state, wait_until, reviewed_by, comment FROM deployments WHERE job_id = ?0
		)
		SELECT entry.state, CASE WHEN entry.wait_until > now() THEN entry.wait_until END, coalesce(o.login, ''), entry.comment
		FROM entry LEFT JOIN owners o ON o.id = entry.reviewed_by LIMIT 1`,
		j.ID, j.RunID, j.AttemptID, j.RepoID, strings.ToLower(environment)).Scan(ctx, &h.State, &until, &h.ReviewedBy, &h.Comment)
	if errors.Is(err, sql.ErrNoRows) {
		return h, nil
	}
	if err != nil {
		return h, fmt.Errorf("environment of job %d: %w", j.ID, err)
	}
	h.WaitUntil = until.Time
	return h, nil
}
