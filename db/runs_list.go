package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"

	"github.com/pawl-ci/pawl/internal/ci"
)

// RunView is a run with what is shown beside it, as of one of its attempts.
type RunView struct {
	// Run lacks its event payload and inputs, which may be large.
	Run         *Run
	Attempt     *Attempt
	Actor       *Owner // who started the run
	TriggerUser *Owner // who started the attempt
	// Repository is set in lists over several repositories, and left nil in those of one.
	Repository *Repository
}

// RunFilter selects runs. Zero fields select all.
type RunFilter struct {
	RepoID       int64
	OwnerID      int64
	WorkflowFile string
	// SourceRepoID, if set, leaves runs of scoped workflows of that repository, or with 0 those of the repository's own.
	SourceRepoID *int64
	Event        string
	Ref          string // full
	SHA          string
	ActorID      int64
	Statuses     []ci.Status
	Page         Page
}

// runColumns are all but event_payload and inputs.
var runColumns = []string{
	"id", "repo_id", "owner_id", "run_number", "workflow_file", "workflow_path", "workflow_name", "title", "event",
	"ref", "sha", "actor_id", "status", "attempt", "problems", "source_repo_id", "approval", "approved_by", "approved_at",
	"created_at", "updated_at", "started_at", "stopped_at",
}

// latestRuns reads runs with their latest attempts.
var latestRuns = selectionOf[Run](part{alias: "run", columns: runColumns}, part{alias: "attempt", field: "Latest", columns: []string{
	"id", "run_id", "number", "trigger_user_id", "status", "created_at", "started_at", "stopped_at", "workflow_seen_at",
	"cancel_requested_at", "concurrency", "paused_at", "paused_by", "reason",
}})

const fromRuns = "FROM runs AS run JOIN attempts AS attempt ON attempt.run_id = run.id AND attempt.number = run.attempt "

// Runs returns a page of runs as of their latest attempt, newest first. Their keys are run numbers in the list of one
// repository, else ids.
func (d *DB) Runs(ctx context.Context, f RunFilter) ([]*RunView, Listed, error) {
	keys, l, err := d.findRuns(ctx, f)
	if err != nil {
		return nil, l, fmt.Errorf("list runs: %w", err)
	}
	if len(keys) == 0 {
		return nil, l, nil
	}
	if f.RepoID != 0 {
		views, err := d.viewRuns(ctx, false, "run.repo_id = $1 AND run.run_number = ANY($2)", f.RepoID, keys)
		return arrange(keys, views, func(v *RunView) int64 { return v.Run.RunNumber }), l, err
	}
	views, err := d.viewRuns(ctx, true, "run.id = ANY($1)", keys)
	return arrange(keys, views, func(v *RunView) int64 { return v.Run.ID }), l, err
}

func (d *DB) findRuns(ctx context.Context, f RunFilter) ([]int64, Listed, error) {
	key := "run.id"
	if f.RepoID != 0 {
		key = "run.run_number"
	}
	all := func() *bun.SelectQuery { return f.apply(d.NewSelect().Model((*Run)(nil)), literal) }
	s := seek{key: key, desc: true, kept: f.kept(), rows: all}
	s.streams = func(b bind) []*bun.SelectQuery {
		return byStatus(f.Statuses, func(statuses []ci.Status) *bun.SelectQuery {
			part := f
			part.Statuses = statuses
			return part.apply(d.NewSelect().Model((*Run)(nil)), b)
		})
	}
	return s.page(ctx, d, f.Page)
}

// kept is the count that is kept of the list; nil where a ref, a commit or an actor is looked for.
func (f RunFilter) kept() *listCount {
	byWorkflow := f.WorkflowFile != "" || f.SourceRepoID != nil
	if (f.RepoID != 0 && f.OwnerID != 0) || f.Ref != "" || f.SHA != "" || f.ActorID != 0 || (byWorkflow && f.RepoID == 0) {
		return nil
	}
	return &listCount{
		list: "runs", repoID: f.RepoID, ownerID: f.OwnerID, statuses: f.Statuses, event: f.Event,
		workflowFile: f.WorkflowFile, sourceRepoID: f.SourceRepoID,
	}
}

func (f RunFilter) apply(q *bun.SelectQuery, b bind) *bun.SelectQuery {
	where := func(set bool, condition string, arg any) {
		if set {
			q = q.Where(condition, b(arg))
		}
	}
	where(f.RepoID != 0, "run.repo_id = ?", f.RepoID)
	where(f.OwnerID != 0, "run.owner_id = ?", f.OwnerID)
	where(f.WorkflowFile != "", "run.workflow_file = ?", f.WorkflowFile)
	if f.SourceRepoID != nil {
		q = q.Where("run.source_repo_id = ?", b(*f.SourceRepoID))
	}
	where(f.Event != "", "run.event = ?", f.Event)
	where(f.Ref != "", "run.ref = ?", f.Ref)
	where(f.SHA != "", "run.sha = ?", f.SHA)
	where(f.ActorID != 0, "run.actor_id = ?", f.ActorID)
	q = whereStatus(q, "run.status", f.Statuses, b)
	return q
}

func statusArray(statuses []ci.Status) any {
	words := make([]string, len(statuses))
	for i, s := range statuses {
		words[i] = s.String()
	}
	return textArray(words)
}

// Run returns one run of a repository as of an attempt; attempt 0 is the latest. ErrNotFound if there is none.
func (d *DB) Run(ctx context.Context, repo, id int64, attempt int) (*RunView, error) {
	views, err := d.viewRuns(ctx, false, "run.id = $1 AND run.repo_id = $2", id, repo)
	if err == nil && len(views) == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	if attempt != 0 && attempt != views[0].Run.Attempt {
		err = d.viewAttempt(ctx, views[0], attempt)
	}
	return views[0], err
}

// viewAttempt turns a view to another attempt. ErrNotFound if there is none.
func (d *DB) viewAttempt(ctx context.Context, v *RunView, number int) error {
	attempt, err := d.Attempt(ctx, v.Run.ID, number)
	if err != nil {
		return err
	}
	owners, err := d.OwnersByID(ctx, []int64{attempt.TriggerUserID})
	v.Run.Attempt, v.Attempt, v.TriggerUser = number, attempt, owners[attempt.TriggerUserID]
	return err
}

// WorkflowRan tells whether a workflow file of a repository has ever made a run; with a source, the scoped workflow file
// of that repository.
func (d *DB) WorkflowRan(ctx context.Context, repo int64, file string, source int64) (bool, error) {
	ran, err := d.NewSelect().Model((*Run)(nil)).Where("repo_id = ?", repo).Where("workflow_file = ?", file).
		Where("source_repo_id = ?", source).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("runs of workflow: %w", err)
	}
	return ran, nil
}

// viewRuns reads runs with what is shown beside them, in one round trip.
func (d *DB) viewRuns(ctx context.Context, withRepositories bool, condition string, args ...any) ([]*RunView, error) {
	var runs []*Run
	var owners []*Owner
	var repositories []*Repository
	batch, where := &pgx.Batch{}, "WHERE "+condition
	latestRuns.queue(batch, &runs, fromRuns+where, args...)
	// Those of all attempts, because another one may have become the latest since the statement before.
	shownOwners.queue(batch, &owners, fromOwners+`WHERE owner.id IN (SELECT unnest(ARRAY[run.actor_id, attempt.trigger_user_id])
		FROM runs AS run JOIN attempts AS attempt ON attempt.run_id = run.id `+where+")", args...)
	if withRepositories {
		shownRepositories.queue(batch, &repositories, fromRepositories+"WHERE repository.id IN (SELECT run.repo_id FROM runs AS run "+where+")", args...)
	}
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, fmt.Errorf("runs: %w", err)
	}
	people, places := peopleOf(owners), byID(repositories, func(r *Repository) int64 { return r.ID })
	views := make([]*RunView, len(runs))
	for i, r := range runs {
		views[i] = &RunView{
			Run: r, Attempt: r.Latest, Actor: people.account(r.ActorID), TriggerUser: people.account(r.Latest.TriggerUserID),
			Repository: places[r.RepoID],
		}
	}
	return views, nil
}
