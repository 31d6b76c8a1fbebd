package db

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// OffersChannel is notified with a JSON list of OfferNotice whenever offers are made.
const OffersChannel = "pawl_offers"

// ErrRunnerUsed is returned to an ephemeral runner that has had its one task.
var ErrRunnerUsed = errors.New("runner has been removed")

// OfferNotice says that Count offers of a queue are new.
type OfferNotice struct {
	LabelSetID int64 `json:"s"`
	OwnerID    int64 `json:"o"`
	RepoID     int64 `json:"r"`
	Count      int   `json:"n"`
}

// Within tells whether a runner of the scope may take offers of this queue.
func (n OfferNotice) Within(s Scope) bool {
	if s.RepoID != 0 {
		return s.RepoID == n.RepoID
	}
	return s.OwnerID == 0 || s.OwnerID == n.OwnerID
}

// Claim is a runner's wish for a task.
type Claim struct {
	RunnerID int64
	Scope    Scope
	// LabelSets are those that the runner can serve.
	LabelSets []int64
	// TokenHash is of the token that the task will have.
	TokenHash []byte
	// IsEphemeral runners get one task in their life.
	IsEphemeral bool
}

// TaskOrigin is where a task comes from.
type TaskOrigin struct {
	RunID, AttemptID int64
	Attempt          int
	RepoID, OwnerID  int64
	// SecretsVersion is other whenever JobSettings has changed for the repository.
	SecretsVersion int64
}

// Claimed is a task that was just made, with what is needed to build its content.
type Claimed struct {
	TaskOrigin

	TaskID, JobID int64
	// ParentID is the job that calls the workflow of this one; 0 when it is of the run's own file.
	ParentID       int64
	Key            string
	Needs          []string
	Steps          int
	TimeoutMinutes int
	Payload        []byte
	// Attached: the job's workflow waits to hear of the claim.
	Attached  bool
	ClaimedAt time.Time
	// Waited is the age of the offer.
	Waited time.Duration
}

// ClaimResult is what came of a Claim.
type ClaimResult struct {
	// Task is nil when there was nothing to take.
	Task *Claimed
	// Next is a queue that had more for this runner at that moment; nil when there was none.
	Next *OfferNotice
	// Contended: there were offers, but others had them locked, or took the last place that a limit leaves. There may
	// be something a moment later.
	Contended bool
}

// claimOffer looks at the first offers of each queue that the runner serves, locks the best that nobody else has
// locked, and makes the task. Only that one is locked, so a runner that serves many queues hides none of them from
// others. The rows are locked in the order offer, limits, job, as by whoever attaches or ends a task; the attempt and the
// run are skipped when somebody holds them, who then writes a later status than this.
//
// Offers whose repository or owner may have no more running are no candidates. Another claim may take the last place
// meanwhile: the locked rows of the limits have the last word, and a claim that finds none left takes nothing.
var claimOffer = `WITH candidate AS MATERIALIZED (
		SELECT o.id, o.priority, o.turn, o.label_set_id, o.owner_id, o.repo_id
		FROM runners r CROSS JOIN unnest($2::bigint[]) AS s (id) CROSS JOIN LATERAL (
			SELECT id, priority, turn, label_set_id, owner_id, repo_id FROM offers
			WHERE label_set_id = s.id AND state = 'queued' AND scope_condition
			AND ` + repositoryNotFull + ` AND ` + ownerNotFull + `
			ORDER BY priority DESC, turn, id LIMIT 32
		) o
		WHERE r.id = $1 AND r.removed_at IS NULL AND NOT r.is_disabled
	), pick AS MATERIALIZED (
		SELECT o.id, o.repo_id, o.owner_id FROM candidate c JOIN offers o ON o.id = c.id WHERE o.state = 'queued'
		ORDER BY c.priority DESC, c.turn, c.id LIMIT 1 FOR UPDATE OF o SKIP LOCKED
	), place AS MATERIALIZED (
		SELECT l.kind, l.id, l.running < l.most AS is_free
		FROM pick CROSS JOIN LATERAL (VALUES ('repo', pick.repo_id), ('owner', pick.owner_id)) AS w (kind, id)
		JOIN job_limits l ON l.kind = w.kind AND l.id = w.id
		ORDER BY l.kind DESC FOR UPDATE OF l
	), verdict AS MATERIALIZED (
		SELECT coalesce(bool_and(is_free), true) AS is_free FROM place
	), taken AS (
		UPDATE job_limits SET running = running + 1 FROM place, verdict
		WHERE job_limits.kind = place.kind AND job_limits.id = place.id AND verdict.is_free
	), offer AS (
		UPDATE offers SET state = 'claimed' FROM pick, verdict WHERE offers.id = pick.id AND verdict.is_free
		RETURNING offers.id, job_id, try, run_id, attempt_id, offers.repo_id, offers.owner_id, attached, created_at
	), task AS (
		INSERT INTO tasks (offer_id, job_id, try, run_id, attempt_id, repo_id, owner_id, runner_id, token_hash, attached)
		SELECT id, job_id, try, run_id, attempt_id, repo_id, owner_id, $1, $3, attached FROM offer
		RETURNING id, job_id, attached, claimed_at
	), log AS (
		INSERT INTO task_logs (task_id) SELECT id FROM task
	), job AS (
		UPDATE jobs SET task_id = task.id, started_at = coalesce(jobs.started_at, now()), updated_at = now(),
			status = CASE WHEN jobs.stopped_at IS NULL THEN 'running' ELSE jobs.status END
		FROM task WHERE jobs.id = task.job_id
		RETURNING jobs.attempt, jobs.key, jobs.needs, cardinality(jobs.step_names) AS steps, jobs.timeout_minutes, jobs.payload,
			jobs.parent_id
	), attempt AS (
		UPDATE attempts SET status = 'running', started_at = coalesce(started_at, now()) WHERE id = (
			SELECT a.id FROM attempts a JOIN offer ON a.id = offer.attempt_id
			WHERE a.status IN ('waiting', 'blocked') FOR NO KEY UPDATE OF a SKIP LOCKED)
	), run AS (
		UPDATE runs SET status = 'running', started_at = coalesce(started_at, now()), updated_at = now() WHERE id = (
			SELECT r.id FROM runs r JOIN offer ON r.id = offer.run_id
			WHERE r.status IN ('waiting', 'blocked') FOR NO KEY UPDATE OF r SKIP LOCKED)
	)
	SELECT EXISTS (SELECT 1 FROM candidate), coalesce(t.id, 0), coalesce(t.job_id, 0), coalesce(t.run_id, 0),
		coalesce(t.attempt_id, 0), coalesce(t.repo_id, 0), coalesce(t.attempt, 0), coalesce(t.key, ''), t.needs,
		coalesce(t.steps, 0), coalesce(t.timeout_minutes, 0), t.payload, coalesce(t.parent_id, 0), coalesce(t.attached, false),
		coalesce(t.claimed_at, now()), coalesce(extract(epoch FROM clock_timestamp() - t.created_at), 0)::float8,
		coalesce(t.owner_id, 0), ` + secretsVersion("t") + `,
		coalesce(next.label_set_id, 0), coalesce(next.owner_id, 0), coalesce(next.repo_id, 0)
	FROM (VALUES (0)) AS one LEFT JOIN LATERAL (
		SELECT task.id, task.job_id, task.attached, task.claimed_at, offer.run_id, offer.attempt_id, offer.repo_id,
			offer.owner_id, offer.created_at, job.attempt, job.key, job.needs, job.steps, job.timeout_minutes, job.payload, job.parent_id
		FROM offer, task, job
	) t ON true LEFT JOIN LATERAL (
		SELECT label_set_id, owner_id, repo_id FROM candidate WHERE id NOT IN (SELECT id FROM offer)
		ORDER BY priority DESC, turn, id LIMIT 1
	) next ON true`

var (
	claimInstance   = strings.Replace(claimOffer, "scope_condition", "true", 1)
	claimOwner      = strings.Replace(claimOffer, "scope_condition", "owner_id = $4", 1)
	claimRepository = strings.Replace(claimOffer, "scope_condition", "repo_id = $4", 1)
)

// Claim gives the runner the first offer that fits, if there is one: by priority, then the repository whose turn it is,
// and for which there is a place. It is atomic;
// any number of gateways may claim at once. ErrRunnerUsed: the runner is ephemeral and has had its task.
func (d *DB) Claim(ctx context.Context, c Claim) (ClaimResult, error) {
	var r ClaimResult
	var err error
	if c.IsEphemeral {
		r, err = d.claimEphemeral(ctx, c)
	} else {
		r, err = claim(ctx, d.Pool, c)
	}
	if err != nil {
		return ClaimResult{}, fmt.Errorf("claim offer: %w", err)
	}
	return r, nil
}

// claimEphemeral locks the runner, so that two polls of it do not both find that it has had no task.
func (d *DB) claimEphemeral(ctx context.Context, c Claim) (r ClaimResult, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		var open, used bool
		if err := tx.QueryRow(ctx, `SELECT id FROM runners WHERE id = $1 FOR UPDATE`, prepared, c.RunnerID).Scan(new(int64)); err != nil {
			return err
		}
		err := tx.QueryRow(ctx, `SELECT coalesce(bool_or(stopped_at IS NULL), false), count(*) > 0 FROM tasks WHERE runner_id = $1`,
			prepared, c.RunnerID).Scan(&open, &used)
		switch {
		case err != nil:
			return err
		case open:
			return nil
		case used:
			return ErrRunnerUsed
		}
		r, err = claim(ctx, tx, c)
		return err
	})
	return r, err
}

type queryRower interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

func claim(ctx context.Context, q queryRower, c Claim) (ClaimResult, error) {
	statement, args := claimInstance, []any{prepared, c.RunnerID, c.LabelSets, c.TokenHash}
	switch {
	case c.Scope.RepoID != 0:
		statement, args = claimRepository, append(args, c.Scope.RepoID)
	case c.Scope.OwnerID != 0:
		statement, args = claimOwner, append(args, c.Scope.OwnerID)
	}
	return scanClaim(q.QueryRow(ctx, statement, args...))
}

func scanClaim(row pgx.Row) (ClaimResult, error) {
	var t Claimed
	var next OfferNotice
	var candidates bool
	var waited float64
	err := row.Scan(&candidates, &t.TaskID, &t.JobID, &t.RunID, &t.AttemptID, &t.RepoID, &t.Attempt, &t.Key, &t.Needs,
		&t.Steps, &t.TimeoutMinutes, &t.Payload, &t.ParentID, &t.Attached, &t.ClaimedAt, &waited,
		&t.OwnerID, &t.SecretsVersion, &next.LabelSetID, &next.OwnerID, &next.RepoID)
	if err != nil || t.TaskID == 0 {
		return ClaimResult{Contended: candidates}, err
	}
	t.Waited = time.Duration(waited * float64(time.Second))
	r := ClaimResult{Task: &t}
	if next.LabelSetID != 0 {
		next.Count = 1
		r.Next = &next
	}
	return r, nil
}

// QueueStats describes the queue of offers as a whole.
type QueueStats struct {
	Depth  int64
	Oldest time.Duration
}

// QueueStats counts the queued offers.
func (d *DB) QueueStats(ctx context.Context) (QueueStats, error) {
	var depth int64
	var oldest float64
	err := d.Pool.QueryRow(ctx, `SELECT count(*), coalesce(extract(epoch FROM now() - min(created_at)), 0)::float8
		FROM offers WHERE state = 'queued'`, prepared).Scan(&depth, &oldest)
	if err != nil {
		return QueueStats{}, fmt.Errorf("queue: %w", err)
	}
	return QueueStats{Depth: depth, Oldest: time.Duration(oldest * float64(time.Second))}, nil
}
