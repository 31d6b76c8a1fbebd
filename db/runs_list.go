package db

import (
	"context"
	"errors"
	"fmt"

	"github.com/uptrace/bun"
	"golang.org/x/sync/errgroup"

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
	runs, err := d.runsInOrder(ctx, f.RepoID, keys)
	if err != nil {
		return nil, l, fmt.Errorf("list runs: %w", err)
	}
	views, err := d.viewRuns(ctx, runs, f.RepoID == 0)
	return views, l, err
}

func (d *DB) findRuns(ctx context.Context, f RunFilter) ([]int64, Listed, error) {
	key := "run.id"
	if f.RepoID != 0 {
		key = "run.run_number"
	}
	s := seek{key: key, desc: true, total: func(ctx context.Context, withBlocks bool) (length, error) {
		return d.countRuns(ctx, f, withBlocks)
	}}
	s.streams = byStatus(f.Statuses, func(statuses []ci.Status) *bun.SelectQuery {
		part := f
		part.Statuses = statuses
		return part.apply(d.NewSelect().Model((*Run)(nil)))
	})
	return s.page(ctx, d, f.Page)
}

// countRuns is exact for what counts are kept of, and counts up to CountLimit where a ref, a commit or an actor is
// looked for.
func (d *DB) countRuns(ctx context.Context, f RunFilter, withBlocks bool) (length, error) {
	one := f.RepoID == 0 || f.OwnerID == 0
	byWorkflow := f.WorkflowFile != "" || f.SourceRepoID != nil
	if one && f.Ref == "" && f.SHA == "" && f.ActorID == 0 && (!byWorkflow || f.RepoID != 0) {
		return d.kept(ctx, listCount{
			list: "runs", repoID: f.RepoID, ownerID: f.OwnerID, statuses: f.Statuses, event: f.Event,
			workflowFile: f.WorkflowFile, sourceRepoID: f.SourceRepoID,
		}, withBlocks)
	}
	return d.counted(ctx, f.apply(d.NewSelect().Model((*Run)(nil))))
}

// runsInOrder reads runs of a repository by number, or with repository 0 any runs by id.
func (d *DB) runsInOrder(ctx context.Context, repo int64, keys []int64) ([]*Run, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	if repo != 0 {
		runs, err := latestRuns.read(ctx, d, fromRuns+"WHERE run.repo_id = $1 AND run.run_number = ANY($2)", repo, keys)
		return arrange(keys, runs, func(r *Run) int64 { return r.RunNumber }), err
	}
	runs, err := latestRuns.read(ctx, d, fromRuns+"WHERE run.id = ANY($1)", keys)
	return arrange(keys, runs, func(r *Run) int64 { return r.ID }), err
}

func (f RunFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	where := func(set bool, condition string, arg any) {
		if set {
			q = q.Where(condition, arg)
		}
	}
	where(f.RepoID != 0, "run.repo_id = ?", f.RepoID)
	where(f.OwnerID != 0, "run.owner_id = ?", f.OwnerID)
	where(f.WorkflowFile != "", "run.workflow_file = ?", f.WorkflowFile)
	if f.SourceRepoID != nil {
		q = q.Where("run.source_repo_id = ?", *f.SourceRepoID)
	}
	where(f.Event != "", "run.event = ?", f.Event)
	where(f.Ref != "", "run.ref = ?", f.Ref)
	where(f.SHA != "", "run.sha = ?", f.SHA)
	where(f.ActorID != 0, "run.actor_id = ?", f.ActorID)
	q = whereStatus(q, "run.status", f.Statuses)
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
	run, err := latestRuns.one(ctx, d, fromRuns+"WHERE run.id = $1 AND run.repo_id = $2", id, repo)
	if err != nil {
		return nil, fmt.Errorf("run %d: %w", id, err)
	}
	if attempt != 0 && attempt != run.Attempt {
		run.Attempt = attempt
		if run.Latest, err = d.Attempt(ctx, id, attempt); err != nil {
			return nil, err
		}
	}
	views, err := d.viewRuns(ctx, []*Run{run}, false)
	if err != nil {
		return nil, err
	}
	return views[0], nil
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

// viewRuns reads what is shown beside runs and their attempts, with one query for each kind of thing, all at once.
func (d *DB) viewRuns(ctx context.Context, runs []*Run, withRepositories bool) ([]*RunView, error) {
	views := make([]*RunView, len(runs))
	var users, repos []int64
	for i, r := range runs {
		views[i] = &RunView{Run: r, Attempt: r.Latest}
		users, repos = append(users, r.ActorID, r.Latest.TriggerUserID), append(repos, r.RepoID)
	}
	var owners map[int64]*Owner
	var repositories map[int64]*Repository
	reads, readsCtx := errgroup.WithContext(ctx)
	if withRepositories {
		reads.Go(func() (err error) {
			repositories, err = d.RepositoriesByID(readsCtx, repos)
			return err
		})
	}
	owners, err := d.OwnersByID(readsCtx, users)
	if err := errors.Join(err, reads.Wait()); err != nil {
		return nil, err
	}
	for _, v := range views {
		v.Actor, v.TriggerUser = owners[v.Run.ActorID], owners[v.Attempt.TriggerUserID]
		v.Repository = repositories[v.Run.RepoID]
	}
	return views, nil
}
