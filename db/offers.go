package db

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// turnsOf gives each queue that the rows of a common table expression go to the turn of the first of them. Offers of
// equal priority are taken by turn, so that repositories take turns, however many offers one of them makes at once: the
// first offer of a repository in a queue stands beside the first that waits there now, each further one behind the one
// before.
//
// The first that waits is looked for among those of the owner, for whom runners of its own may be the only ones, and
// then among all. Repositories that may have no more running for now do not count: nothing of them moves. In an empty
// queue it is the offer that was claimed last, so that queues that share runners stay comparable.
func turnsOf(rows string) string {
	return `queue AS MATERIALIZED (
		SELECT q.label_set_id, q.priority, greatest(coalesce((
				SELECT turn FROM offers WHERE owner_id = q.owner_id AND label_set_id = q.label_set_id AND priority = q.priority
					AND state = 'queued' AND ` + repositoryNotFull + ` ORDER BY turn LIMIT 1
			), (
				SELECT turn FROM offers WHERE label_set_id = q.label_set_id AND priority = q.priority
					AND state = 'queued' AND ` + repositoryNotFull + ` ORDER BY turn LIMIT 1
			), (
				SELECT o.turn FROM tasks t JOIN offers o ON o.id = t.offer_id ORDER BY t.id DESC LIMIT 1
			), 0), (
				SELECT turn + 1 FROM offers WHERE repo_id = q.repo_id AND label_set_id = q.label_set_id AND priority = q.priority
					AND state = 'queued' ORDER BY turn DESC LIMIT 1
			)) AS turn
		FROM (SELECT DISTINCT label_set_id, owner_id, repo_id, priority FROM ` + rows + `) AS q
	)`
}

// placeInQueue is the turn of a row f in its queue.
const placeInQueue = `queue.turn + row_number() OVER (PARTITION BY f.label_set_id, f.priority ORDER BY f.place) - 1`

// insertOffers begins with a look at the attempt and the repository that is locked against who pauses or cancels them,
// so that either the offer knows of the pause or whoever pauses sees the offer.
var insertOffers = `WITH attempt AS MATERIALIZED (
		SELECT a.id, a.cancel_requested_at IS NOT NULL AS cancelled, a.cancel_forced AS forced,
			a.paused_at IS NOT NULL OR p.paused_at IS NOT NULL AS paused
		FROM attempts a, repositories p
		WHERE a.id = (SELECT attempt_id FROM jobs WHERE id = ($1::bigint[])[1]) AND a.stopped_at IS NULL
		AND p.id = (SELECT repo_id FROM jobs WHERE id = ($1::bigint[])[1])
		FOR KEY SHARE OF p, a
	), fresh AS MATERIALIZED (
		SELECT j.id, j.run_id, j.attempt_id, j.repo_id, j.owner_id, j.label_set_id, j.priority, j.cell AS place, attempt.paused
		FROM jobs j JOIN attempt ON attempt.id = j.attempt_id
		WHERE j.id = ANY($1) AND j.kind = 'job' AND j.stopped_at IS NULL
		AND (NOT attempt.cancelled OR (j.if_expr <> '' AND NOT attempt.forced))
	), ` + turnsOf("fresh") + `
	INSERT INTO offers (job_id, try, run_id, attempt_id, repo_id, owner_id, label_set_id, priority, state, turn, not_before)
	SELECT f.id, $2, f.run_id, f.attempt_id, f.repo_id, f.owner_id, f.label_set_id, f.priority,
		CASE WHEN f.paused OR $3::timestamptz > now() THEN 'held' ELSE 'queued' END, ` + placeInQueue + `, $3
	FROM fresh f JOIN queue USING (label_set_id, priority)
	ORDER BY f.place
	ON CONFLICT (job_id, try) DO NOTHING`

// notifyQueued tells the gateways of queued offers o that the condition selects: one message for each queue, far below
// the 8,000 bytes that Postgres allows.
const notifyQueued = `SELECT pg_notify('pawl_offers', json_build_array(json_build_object(
		's', o.label_set_id, 'o', o.owner_id, 'r', o.repo_id, 'n', count(*)))::text)
	FROM offers o WHERE o.state = 'queued' AND %s GROUP BY o.label_set_id, o.owner_id, o.repo_id`

var notifyJobs = fmt.Sprintf(notifyQueued, `o.job_id = ANY($1) AND o.try = $2`)

// queueOffers makes the offers of jobs of one attempt and tells the gateways of those that are queued. A run that was
// cancelled meanwhile gets none, except for jobs with an `if`, which may be meant to run after a cancel. What has ended
// gets none at all, however late this is repeated. Offers of what is paused are held.
func queueOffers(batch *pgx.Batch, jobs []int64, try int) {
	queueOffersAfter(batch, jobs, try, time.Time{})
}

func queueOffersAfter(batch *pgx.Batch, jobs []int64, try int, notBefore time.Time) {
	batch.Queue(insertOffers, jobs, try, timeOrNull(notBefore))
	batch.Queue(`UPDATE jobs SET status = 'waiting', updated_at = now()
		WHERE id = ANY($1) AND status IN ('blocked', 'running', 'cancelling')
		AND EXISTS (SELECT 1 FROM offers o WHERE o.job_id = jobs.id AND o.try = $2 AND o.state IN ('queued', 'held'))`, jobs, try)
	batch.Queue(notifyJobs, jobs, try)
}

// OfferAgain asks for offer number Try of a job whose last one came to nothing.
type OfferAgain struct {
	JobID int64
	Try   int
	// NotBefore keeps the offer from runners; a second call without it lets it go.
	NotBefore time.Time
}

// OfferAgain makes the next offer of a job, or lets go one that it made with a time before. It may be repeated.
func (d *DB) OfferAgain(ctx context.Context, o OfferAgain) error {
	if err := d.sendBatch(ctx, o.batch); err != nil {
		return fmt.Errorf("offer job %d again: %w", o.JobID, err)
	}
	return nil
}

func (o OfferAgain) batch() *pgx.Batch {
	batch := &pgx.Batch{}
	queueOffersAfter(batch, []int64{o.JobID}, o.Try, o.NotBefore)
	if o.NotBefore.IsZero() {
		batch.Queue(`UPDATE offers SET not_before = NULL WHERE job_id = $1 AND try = $2 AND state = 'held'`, o.JobID, o.Try)
		batch.Queue(releaseTry, o.JobID, o.Try)
	}
	return batch
}

// releaseOffers queues the held offers o that the condition selects, unless something else holds them, and tells the
// gateways. Their wait for a runner begins now, at the end of their queue.
func releaseOffers(condition string) string {
	return `WITH free AS MATERIALIZED (
		SELECT o.id, o.label_set_id, o.owner_id, o.repo_id, o.priority, o.id AS place
		FROM offers o JOIN attempts a ON a.id = o.attempt_id JOIN repositories p ON p.id = o.repo_id
		WHERE o.state = 'held' AND a.paused_at IS NULL AND p.paused_at IS NULL
		AND (o.not_before IS NULL OR o.not_before <= now()) AND ` + condition + `
		ORDER BY o.id FOR KEY SHARE OF p, a FOR UPDATE OF o
	), ` + turnsOf("free") + `, released AS (
		UPDATE offers SET state = 'queued', not_before = NULL, created_at = now(), turn = f.turn
		FROM (SELECT f.id, ` + placeInQueue + ` AS turn FROM free f JOIN queue USING (label_set_id, priority)) AS f
		WHERE offers.id = f.id RETURNING label_set_id, owner_id, repo_id
	)
	SELECT pg_notify('pawl_offers', json_build_array(json_build_object(
		's', label_set_id, 'o', owner_id, 'r', repo_id, 'n', count(*)))::text)
	FROM released GROUP BY label_set_id, owner_id, repo_id`
}

var (
	releaseTry        = releaseOffers(`o.job_id = $1 AND o.try = $2`)
	releaseAttempt    = releaseOffers(`o.attempt_id = $1`)
	releaseRepository = releaseOffers(`o.repo_id = $1`)
)

// changeOffers changes the offers o that a condition selects, locking them in order.
func changeOffers(ctx context.Context, tx pgx.Tx, change, condition string, args ...any) error {
	_, err := tx.Exec(ctx, `UPDATE offers SET `+change+` WHERE id IN (
		SELECT o.id FROM offers o `+condition+` ORDER BY o.id FOR UPDATE OF o)`, append([]any{prepared}, args...)...)
	return err
}
