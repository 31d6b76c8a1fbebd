package db

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// pendingFacts are what the reasons of some pending jobs are found in.
type pendingFacts struct {
	attempts    map[int64]attemptFacts
	openCells   map[keyOfJob]int // jobs that have not ended
	gates       map[gateMember]gateFacts
	deployments map[int64]deploymentFacts // by job
	offers      map[int64]offerFacts      // the latest, by job
	fullLimits  map[limitKey]int          // the limits that are reached
	runners     map[runnerDemand]runnerCount
	followed    map[int64]int // jobs that have not ended to the number of their attempt
	owners      map[int64]*Owner
}

type attemptFacts struct {
	approvalNeeded, unstarted, cancelRequested bool
	runPaused, repoPaused                      bool
	runPausedBy, repoPausedBy                  string
}

// keyOfJob names all cells of a job. Keys are those of one file: the caller tells which.
type keyOfJob struct {
	attempt, parent int64
	key             string
}

// gateMember is a job, or with job 0 a whole attempt.
type gateMember struct{ attempt, job int64 }

type gateFacts struct {
	title, reason string
	replaced      bool
	position      int
	holderRun     int64 // its number; 0 while nobody holds the group
	holderJob     string
}

type deploymentFacts struct {
	environment string
	state       DeploymentState
	reviewers   []int64
	waitUntil   time.Time
	early       bool // waitUntil has not come
}

type offerFacts struct {
	state      OfferState
	notBefore  time.Time
	early      bool // notBefore has not come
	lastReason string
}

type limitKey struct {
	kind LimitKind
	id   int64
}

// runnerDemand is what a runner must have and may do to take a job.
type runnerDemand struct{ labelSet, owner, repo int64 }

type runnerCount struct{ online, busy int }

// pendingIDs are what the facts are looked up by.
type pendingIDs struct {
	jobs, attempts, repos, owners, follows []int64
	members                                []int64 // of gates: the jobs and their callers
	demands                                []runnerDemand
}

func idsOfPending(jobs []*Job) pendingIDs {
	var ids pendingIDs
	seen := map[runnerDemand]bool{}
	for _, j := range jobs {
		ids.jobs, ids.attempts = append(ids.jobs, j.ID), append(ids.attempts, j.AttemptID)
		ids.repos, ids.owners = append(ids.repos, j.RepoID), append(ids.owners, j.OwnerID)
		ids.members = append(ids.members, j.ID, j.ParentID)
		if j.FollowsID != 0 {
			ids.follows = append(ids.follows, j.FollowsID)
		}
		demand := runnerDemand{j.LabelSetID, j.OwnerID, j.RepoID}
		if j.Status == ci.StatusWaiting && !seen[demand] {
			seen[demand] = true
			ids.demands = append(ids.demands, demand)
		}
	}
	return ids
}

// pendingFacts reads everything in one round trip. Each statement sees the database a moment later than the one before,
// so that facts may not quite agree; the next look corrects it.
func (d *DB) pendingFacts(ctx context.Context, jobs []*Job) (*pendingFacts, error) {
	f := &pendingFacts{
		attempts: map[int64]attemptFacts{}, openCells: map[keyOfJob]int{}, gates: map[gateMember]gateFacts{},
		deployments: map[int64]deploymentFacts{}, offers: map[int64]offerFacts{}, fullLimits: map[limitKey]int{},
		runners: map[runnerDemand]runnerCount{}, followed: map[int64]int{},
	}
	ids, batch := idsOfPending(jobs), &pgx.Batch{}
	f.queueAttempts(batch, ids)
	f.queueOpenCells(batch, ids)
	f.queueGates(batch, ids)
	f.queueDeployments(batch, ids)
	f.queueOffers(batch, ids)
	f.queueLimits(batch, ids)
	f.queueRunners(batch, ids)
	f.queueFollowed(batch, ids)
	if err := d.Pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, err
	}
	var reviewers []int64
	for _, e := range f.deployments {
		reviewers = append(reviewers, e.reviewers...)
	}
	var err error
	f.owners, err = d.OwnersByID(ctx, reviewers)
	return f, err
}

func (f *pendingFacts) logins(ids []int64) []string {
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = f.owners[id].Login
	}
	return out
}

// each has row called for every row of the queued statement.
func each(q *pgx.QueuedQuery, row func(pgx.Rows) error) {
	q.Query(func(rows pgx.Rows) error {
		for rows.Next() {
			if err := row(rows); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}

func (f *pendingFacts) queueAttempts(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT a.id, r.approval = 'needed', a.workflow_seen_at IS NULL, a.cancel_requested_at IS NOT NULL,
			a.paused_at IS NOT NULL, p.paused_at IS NOT NULL, coalesce(ou.login, ''), coalesce(pu.login, '')
		FROM attempts a JOIN runs r ON r.id = a.run_id JOIN repositories p ON p.id = r.repo_id
		LEFT JOIN owners ou ON ou.id = a.paused_by LEFT JOIN owners pu ON pu.id = p.paused_by
		WHERE a.id = ANY($1)`, ids.attempts), func(rows pgx.Rows) error {
		var id int64
		var a attemptFacts
		err := rows.Scan(&id, &a.approvalNeeded, &a.unstarted, &a.cancelRequested, &a.runPaused, &a.repoPaused,
			&a.runPausedBy, &a.repoPausedBy)
		f.attempts[id] = a
		return err
	})
}

func (f *pendingFacts) queueOpenCells(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT attempt_id, parent_id, key, count(*) FROM jobs
		WHERE attempt_id = ANY($1) AND stopped_at IS NULL AND NOT is_hidden GROUP BY attempt_id, parent_id, key`, ids.attempts),
		func(rows pgx.Rows) error {
			var k keyOfJob
			var n int
			err := rows.Scan(&k.attempt, &k.parent, &k.key, &n)
			f.openCells[k] = n
			return err
		})
}

func (f *pendingFacts) queueGates(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT e.attempt_id, abs(e.job_id), e.title, e.reason, e.state = 'replaced',
			(SELECT count(*) FROM gate_entries p
				WHERE p.repo_id = e.repo_id AND p.gate = e.gate AND p.state = 'pending' AND p.id <= e.id),
			coalesce(hr.run_number, 0), coalesce(hj.name, '')
		FROM gate_entries e
		LEFT JOIN gate_entries h ON h.repo_id = e.repo_id AND h.gate = e.gate AND h.state IN ('holding', 'leaving')
		LEFT JOIN runs hr ON hr.id = h.run_id LEFT JOIN jobs hj ON hj.id = abs(h.job_id)
		WHERE e.attempt_id = ANY($1) AND (e.job_id = 0 OR abs(e.job_id) = ANY($2)) AND e.state IN ('pending', 'replaced')`,
		ids.attempts, ids.members), func(rows pgx.Rows) error {
		var m gateMember
		var g gateFacts
		err := rows.Scan(&m.attempt, &m.job, &g.title, &g.reason, &g.replaced, &g.position, &g.holderRun, &g.holderJob)
		f.gates[m] = g
		return err
	})
}

func (f *pendingFacts) queueDeployments(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT d.job_id, d.environment, d.state, coalesce(e.reviewers, '{}'), coalesce(d.wait_until, 'epoch'),
			coalesce(d.wait_until > now(), false)
		FROM deployments d LEFT JOIN environments e ON e.id = d.environment_id WHERE d.job_id = ANY($1)`, ids.jobs),
		func(rows pgx.Rows) error {
			var id int64
			var e deploymentFacts
			err := rows.Scan(&id, &e.environment, &e.state, &e.reviewers, &e.waitUntil, &e.early)
			f.deployments[id] = e
			return err
		})
}

func (f *pendingFacts) queueOffers(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT DISTINCT ON (o.job_id) o.job_id, o.state, coalesce(o.not_before, 'epoch'),
			coalesce(o.not_before > now(), false),
			coalesce((SELECT t.reason FROM tasks t WHERE t.job_id = o.job_id ORDER BY t.id DESC LIMIT 1), '')
		FROM offers o WHERE o.job_id = ANY($1) ORDER BY o.job_id, o.try DESC`, ids.jobs), func(rows pgx.Rows) error {
		var id int64
		var o offerFacts
		err := rows.Scan(&id, &o.state, &o.notBefore, &o.early, &o.lastReason)
		f.offers[id] = o
		return err
	})
}

func (f *pendingFacts) queueLimits(batch *pgx.Batch, ids pendingIDs) {
	each(batch.Queue(`SELECT kind, id, most FROM job_limits
		WHERE running >= most AND ((kind = 'repo' AND id = ANY($1)) OR (kind = 'owner' AND id = ANY($2)))`, ids.repos, ids.owners),
		func(rows pgx.Rows) error {
			var k limitKey
			var most int
			err := rows.Scan(&k.kind, &k.id, &most)
			f.fullLimits[k] = most
			return err
		})
}

// queueRunners counts the runners that are online, enabled and have the labels: those of the instance, of the owner and
// of the repository.
func (f *pendingFacts) queueRunners(batch *pgx.Batch, ids pendingIDs) {
	sets, owners, repos := make([]int64, len(ids.demands)), make([]int64, len(ids.demands)), make([]int64, len(ids.demands))
	for i, d := range ids.demands {
		sets[i], owners[i], repos[i] = d.labelSet, d.owner, d.repo
	}
	each(batch.Queue(`SELECT d.label_set_id, d.owner_id, d.repo_id, count(*),
			count(*) FILTER (WHERE EXISTS (SELECT 1 FROM tasks t WHERE t.runner_id = r.id AND t.stopped_at IS NULL))
		FROM unnest($1::bigint[], $2::bigint[], $3::bigint[]) AS d (label_set_id, owner_id, repo_id)
		JOIN label_sets s ON s.id = d.label_set_id
		JOIN runners r ON r.labels @> s.labels AND (r.repo_id = d.repo_id OR (r.repo_id = 0 AND r.owner_id IN (0, d.owner_id)))
		WHERE r.removed_at IS NULL AND NOT r.is_disabled AND r.last_online_at > now() - make_interval(secs => $4)
		GROUP BY d.label_set_id, d.owner_id, d.repo_id`, sets, owners, repos, OnlineWithin.Seconds()), func(rows pgx.Rows) error {
		var d runnerDemand
		var n runnerCount
		err := rows.Scan(&d.labelSet, &d.owner, &d.repo, &n.online, &n.busy)
		f.runners[d] = n
		return err
	})
}

func (f *pendingFacts) queueFollowed(batch *pgx.Batch, ids pendingIDs) {
	const open = `SELECT id, attempt FROM jobs WHERE id = ANY($1) AND stopped_at IS NULL`
	each(batch.Queue(open, ids.follows), func(rows pgx.Rows) error {
		var id int64
		var attempt int
		err := rows.Scan(&id, &attempt)
		f.followed[id] = attempt
		return err
	})
}
