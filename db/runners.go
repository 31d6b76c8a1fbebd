package db

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/uptrace/bun"
)

// RunnersChannel is notified with a runner's uuid whenever the runner changes, so that gateways forget what they
// have cached of it.
const RunnersChannel = "pawl_runners"

// OnlineWithin is how long after its latest call a runner counts as online. Polls are held for up to 50 s and the
// time of a call is written at most every 30 s, hence the margin over rest-api.md §7.
const OnlineWithin = 90 * time.Second

// Scope is whose jobs a runner may take: the instance's (both ids 0), an owner's, or a repository's
// (runner-protocol.md §3). The owner of a repository scope is not repeated.
type Scope struct {
	OwnerID int64
	RepoID  int64
}

// Scope returns the scope that the runner inherited from its registration token.
func (r *Runner) Scope() Scope { return Scope{OwnerID: r.OwnerID, RepoID: r.RepoID} }

// Can tells whether the runner has declared the capability.
func (r *Runner) Can(capability string) bool { return slices.Contains(r.Capabilities, capability) }

// ScopeExists tells whether the owner or repository of a scope is still there; the instance always is.
func (d *DB) ScopeExists(ctx context.Context, s Scope) (bool, error) {
	var exists bool
	err := d.Pool.QueryRow(ctx, `SELECT ($1::bigint = 0 OR EXISTS (SELECT 1 FROM owners WHERE id = $1))
		AND ($2::bigint = 0 OR EXISTS (SELECT 1 FROM repositories WHERE id = $2))`, prepared, s.OwnerID, s.RepoID).Scan(&exists)
	if err != nil {
		return false, fmt.Errorf("scope of runner: %w", err)
	}
	return exists, nil
}

// CreateRunner stores a new runner and fills in its id and times.
func (d *DB) CreateRunner(ctx context.Context, r *Runner) error {
	err := d.Pool.QueryRow(ctx, `INSERT INTO runners
			(uuid, token_hash, name, owner_id, repo_id, labels, version, capabilities, is_ephemeral, last_online_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, now()) RETURNING id, created_at, last_online_at`, prepared,
		r.UUID, r.TokenHash, r.Name, r.OwnerID, r.RepoID, notNull(r.Labels), r.Version, notNull(r.Capabilities), r.IsEphemeral).
		Scan(&r.ID, &r.CreatedAt, &r.LastOnlineAt)
	if err != nil {
		return fmt.Errorf("create runner: %w", err)
	}
	return nil
}

// notNull keeps an empty list from becoming SQL NULL.
func notNull(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

const runnerColumns = `id, uuid, token_hash, name, owner_id, repo_id, labels, version, capabilities, is_ephemeral,
	is_disabled, created_at, coalesce(removed_at, 'epoch')`

func scanRunner(row pgx.Row) (*Runner, error) {
	r := &Runner{}
	err := row.Scan(&r.ID, &r.UUID, &r.TokenHash, &r.Name, &r.OwnerID, &r.RepoID, &r.Labels, &r.Version, &r.Capabilities,
		&r.IsEphemeral, &r.IsDisabled, &r.CreatedAt, &r.RemovedAt)
	if r.RemovedAt.Unix() == 0 {
		r.RemovedAt = time.Time{}
	}
	return r, err
}

// RunnerByUUID returns a runner, a removed one too, without the times of its calls. ErrNotFound if there is none.
func (d *DB) RunnerByUUID(ctx context.Context, id uuid.UUID) (*Runner, error) {
	r, err := scanRunner(d.Pool.QueryRow(ctx, `SELECT `+runnerColumns+` FROM runners WHERE uuid = $1`, prepared, id))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("runner %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("runner %s: %w", id, err)
	}
	return r, nil
}

// RehashRunner replaces the hash of a runner's token, which was made with an older key. One that has changed stays.
func (d *DB) RehashRunner(ctx context.Context, id int64, old, fresh []byte) error {
	_, err := d.Pool.Exec(ctx, `UPDATE runners SET token_hash = $3 WHERE id = $1 AND token_hash = $2`, id, old, fresh)
	if err != nil {
		return fmt.Errorf("runner %d: %w", id, err)
	}
	return nil
}

// Declaration is what a runner says of itself at its start (runner-protocol.md §5).
type Declaration struct {
	Version      string
	Labels       []string
	Capabilities []string
}

// DeclareRunner stores what a runner declares. ErrNotFound means that it has been removed.
func (d *DB) DeclareRunner(ctx context.Context, id int64, c Declaration) (*Runner, error) {
	r, err := scanRunner(d.Pool.QueryRow(ctx, `WITH changed AS (
			UPDATE runners SET version = $2, labels = $3, capabilities = $4, last_online_at = now()
			WHERE id = $1 AND removed_at IS NULL RETURNING *
		)
		SELECT `+runnerColumns+` FROM changed, LATERAL (SELECT pg_notify('pawl_runners', changed.uuid::text)) AS told`,
		prepared, id, c.Version, notNull(c.Labels), notNull(c.Capabilities)))
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("declare runner %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("declare runner %d: %w", id, err)
	}
	return r, nil
}

// RunnerView is a runner as lists show it.
type RunnerView struct {
	Runner `bun:",extend"`

	// IsBusy: it has a task that has not ended.
	IsBusy bool `bun:",scanonly"`
	// IsOnline: it called within OnlineWithin.
	IsOnline bool `bun:",scanonly"`
}

// RunnerFilter selects runners that have not been removed.
type RunnerFilter struct {
	// Scope, if set, leaves only runners registered at exactly this level.
	Scope *Scope
	// ID, if set, leaves only this one.
	ID int64
	// Disabled, if set, leaves only runners that are, or are not, disabled.
	Disabled *bool
	// Offset and Limit cut a page; Limit 0 means all.
	Offset, Limit int
}

// Runners returns a page of runners, last online first, and how many there are in all.
func (d *DB) Runners(ctx context.Context, f RunnerFilter) ([]*RunnerView, int, error) {
	var runners []*RunnerView
	q := d.NewSelect().Model(&runners).ColumnExpr("runner.*").
		ColumnExpr("EXISTS (SELECT 1 FROM tasks t WHERE t.runner_id = runner.id AND t.stopped_at IS NULL) AS is_busy").
		ColumnExpr("coalesce(runner.last_online_at > now() - make_interval(secs => ?), false) AS is_online", OnlineWithin.Seconds()).
		Where("runner.removed_at IS NULL")
	n, err := f.apply(q).OrderExpr("runner.last_online_at DESC NULLS LAST, runner.id").ScanAndCount(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("list runners: %w", err)
	}
	return runners, n, nil
}

func (f RunnerFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	if f.Scope != nil {
		q = q.Where("runner.owner_id = ?", f.Scope.OwnerID).Where("runner.repo_id = ?", f.Scope.RepoID)
	}
	if f.ID != 0 {
		q = q.Where("runner.id = ?", f.ID)
	}
	if f.Disabled != nil {
		q = q.Where("runner.is_disabled = ?", *f.Disabled)
	}
	return q.Offset(f.Offset).Limit(f.Limit)
}

// SetRunnerDisabled lets a runner finish what it has and take nothing new, or lets it take work again. ErrNotFound
// if it is not there or was removed.
func (d *DB) SetRunnerDisabled(ctx context.Context, id int64, disabled bool) error {
	return d.changeRunner(ctx, `is_disabled = $2`, id, disabled)
}

// RemoveRunner makes a runner unknown. Its tasks stay with its name; one that is running is lost when its next
// report is refused. ErrNotFound if it is not there or was removed before.
func (d *DB) RemoveRunner(ctx context.Context, id int64) error {
	return d.changeRunner(ctx, `removed_at = CASE WHEN $2 THEN now() END`, id, true)
}

func (d *DB) changeRunner(ctx context.Context, set string, id int64, flag bool) error {
	tag, err := d.Pool.Exec(ctx, `WITH changed AS (UPDATE runners SET `+set+` WHERE id = $1 AND removed_at IS NULL RETURNING uuid)
		SELECT pg_notify('pawl_runners', uuid::text) FROM changed`, prepared, id, flag)
	if err != nil {
		return fmt.Errorf("change runner %d: %w", id, err)
	}
	if tag.RowsAffected() == 0 {
		return fmt.Errorf("runner %d: %w", id, ErrNotFound)
	}
	return nil
}

// RunnerSeen says that a runner called; Active says that it reported on a task.
type RunnerSeen struct {
	ID     int64
	Active bool
}

// TouchRunners writes the times of the latest calls of many runners at once, in order, since other gateways do the same.
func (d *DB) TouchRunners(ctx context.Context, seen []RunnerSeen) error {
	slices.SortFunc(seen, func(a, b RunnerSeen) int { return cmp.Compare(a.ID, b.ID) })
	ids, active := make([]int64, len(seen)), make([]bool, len(seen))
	for i, s := range seen {
		ids[i], active[i] = s.ID, s.Active
	}
	_, err := d.Pool.Exec(ctx, `UPDATE runners SET last_online_at = now(),
			last_active_at = CASE WHEN s.active THEN now() ELSE last_active_at END
		FROM unnest($1::bigint[], $2::boolean[]) AS s (id, active) WHERE runners.id = s.id`, prepared, ids, active)
	if err != nil {
		return fmt.Errorf("touch runners: %w", err)
	}
	return nil
}

// RunnerCounts are the runners that have not been removed, by state. A disabled runner is in no other count.
type RunnerCounts struct {
	Idle, Busy, Offline, Disabled int64
}

// CountRunners counts runners by state.
func (d *DB) CountRunners(ctx context.Context) (RunnerCounts, error) {
	var c RunnerCounts
	err := d.Pool.QueryRow(ctx, `WITH r AS (
			SELECT is_disabled AS disabled, coalesce(last_online_at > now() - make_interval(secs => $1), false) AS online,
				EXISTS (SELECT 1 FROM tasks t WHERE t.runner_id = runners.id AND t.stopped_at IS NULL) AS busy
			FROM runners WHERE removed_at IS NULL
		)
		SELECT count(*) FILTER (WHERE NOT disabled AND online AND NOT busy), count(*) FILTER (WHERE NOT disabled AND busy),
			count(*) FILTER (WHERE NOT disabled AND NOT online AND NOT busy), count(*) FILTER (WHERE disabled) FROM r`,
		prepared, OnlineWithin.Seconds()).Scan(&c.Idle, &c.Busy, &c.Offline, &c.Disabled)
	if err != nil {
		return c, fmt.Errorf("count runners: %w", err)
	}
	return c, nil
}
