package db

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"
)

// CommitState is what a reporter says of a commit.
type CommitState string

// The states of a commit.
const (
	CommitPending CommitState = "pending"
	CommitSuccess CommitState = "success"
	CommitError   CommitState = "error"
	CommitFailure CommitState = "failure"
	CommitWarning CommitState = "warning"
	CommitSkipped CommitState = "skipped"
)

// CommitStatus is one report of a commit; of each context the latest one counts.
type CommitStatus struct {
	bun.BaseModel `bun:"table:commit_statuses,alias:status"`

	ID          int64       `bun:",pk,autoincrement"`
	RepoID      int64       `bun:",notnull"`
	SHA         string      `bun:"sha,notnull"`
	Context     string      `bun:",notnull"`
	State       CommitState `bun:",notnull"`
	TargetURL   string      `bun:"target_url,notnull"`
	Description string      `bun:",notnull"`
	CreatorID   int64       `bun:",notnull"`
	CreatedAt   time.Time   `bun:",nullzero,default:now()"`
}

// MaxCommitStatuses bounds the reports of one context of one commit, as GitHub does.
const MaxCommitStatuses = 1000

// CreateCommitStatus stores a report and fills in its id and time. ErrConflict: the context has too many. Two reports
// at the same time may exceed the bound by one.
func (d *DB) CreateCommitStatus(ctx context.Context, s *CommitStatus) error {
	n, err := d.NewSelect().Model((*CommitStatus)(nil)).Where("repo_id = ?", s.RepoID).Where("sha = ?", s.SHA).
		Where("context = ?", s.Context).Count(ctx)
	if err == nil && n >= MaxCommitStatuses {
		err = ErrConflict
	}
	if err == nil {
		_, err = d.NewInsert().Model(s).Returning("id, created_at").Exec(ctx)
	}
	if err != nil {
		return fmt.Errorf("report of commit %s: %w", s.SHA, err)
	}
	return nil
}

// CommitStatusFilter selects reports of a commit.
type CommitStatusFilter struct {
	RepoID int64
	SHA    string
	// State, if set, leaves only reports of it.
	State CommitState
	// Latest leaves only the latest report of each context.
	Latest bool
	// Ascending lists the oldest first.
	Ascending bool
	Page      Page
}

// CommitStatuses returns a page of the reports of a commit, newest first, and how many there are.
func (d *DB) CommitStatuses(ctx context.Context, f CommitStatusFilter) ([]*CommitStatus, int, error) {
	var list []*CommitStatus
	order := "status.id DESC"
	if f.Ascending {
		order = "status.id"
	}
	n, err := f.Page.scan(ctx, f.apply(d.NewSelect().Model(&list)), order)
	if err != nil {
		return nil, 0, fmt.Errorf("reports of commit %s: %w", f.SHA, err)
	}
	return list, n, nil
}

func (f CommitStatusFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	q = q.Where("status.repo_id = ?", f.RepoID).Where("status.sha = ?", f.SHA)
	if f.State != "" {
		q = q.Where("status.state = ?", f.State)
	}
	if f.Latest {
		q = q.Where(`NOT EXISTS (SELECT 1 FROM commit_statuses AS later WHERE later.repo_id = status.repo_id
			AND later.sha = status.sha AND later.context = status.context AND later.id > status.id)`)
	}
	return q
}

// CombinedCommitState is the state of a commit as all its contexts give it: failure if one failed, success if all
// succeeded, and else pending.
func (d *DB) CombinedCommitState(ctx context.Context, repo int64, sha string) (CommitState, error) {
	var all, bad, good int
	f := CommitStatusFilter{RepoID: repo, SHA: sha, Latest: true}
	err := f.apply(d.NewSelect().Model((*CommitStatus)(nil))).
		ColumnExpr("count(*), count(*) FILTER (WHERE state IN ('error', 'failure')), count(*) FILTER (WHERE state IN ('success', 'warning', 'skipped'))").
		Scan(ctx, &all, &bad, &good)
	if err != nil {
		return "", fmt.Errorf("state of commit %s: %w", sha, err)
	}
	switch {
	case bad > 0:
		return CommitFailure, nil
	case good > 0 && good == all:
		return CommitSuccess, nil
	}
	return CommitPending, nil
}
