package db

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Gates are concurrency groups: rows that only these functions change, each in one transaction. Whoever changes the
// members of a gate locks its row in the table gates first, before any row of another table; of several gates those of
// one repository by name. The others come in the order that transaction.go names.
//
// A member goes from pending to holding, and is deleted with the end of what it stands for: the attempt, or the job.
// Until then a newer member may have it replaced, while it is pending, or leaving, while it holds; one that is leaving
// still holds. So there is never more than one holder, which an index of gate_entries guards as well.

// GateState is how far a member of a gate is.
type GateState string

// The states of a member. All but GateRefused, which leaves no row, are those of the table.
const (
	GatePending GateState = "pending"
	GateHolding GateState = "holding"
	// GateLeaving still holds, and was told to stop by a newer member with cancel-in-progress.
	GateLeaving GateState = "leaving"
	// GateReplaced is out: a newer member has taken its place in the queue.
	GateReplaced GateState = "replaced"
	// GateRefused cannot wait here: the queue is full, or would never move.
	GateRefused GateState = "refused"
)

// GateEntry asks for a place in a gate: for a job, or with JobID 0 for a whole attempt.
type GateEntry struct {
	RepoID, RunID, AttemptID, JobID int64
	// Called: the group is that of the workflow which the job calls, and not the job's own. A caller may be in both.
	Called bool
	ci.Concurrency
}

// member is the job_id of the entry's row: 0 for an attempt, and less for what a job calls, so that a job has at most
// one row of each kind.
func (e GateEntry) member() int64 {
	if e.Called {
		return -e.JobID
	}
	return e.JobID
}

// membersOf are the job_ids of all rows that jobs may have.
func membersOf(jobs []int64) []int64 {
	members := slices.Clone(jobs)
	for _, id := range jobs {
		members = append(members, -id)
	}
	return members
}

// GateAnswer is the place that a member has.
type GateAnswer struct {
	State GateState
	// Reason says what a member waits for, or why it has to go.
	Reason string
	// Wake are the attempts whose place has changed by this: they have news.
	Wake []RunRef
}

// gateKey names a gate. Groups of a repository that differ in letter case only are the same
// (execution-semantics.md §6, GH).
type gateKey struct {
	repo int64
	name string
}

func (e GateEntry) key() gateKey { return gateKey{e.RepoID, strings.ToLower(cleanText(e.Group))} }

// queue is the word for the kind of a member.
func (e GateEntry) queue() string {
	if e.QueueAll {
		return "max"
	}
	return "single"
}

// EnterGate gives a job or an attempt its place in a concurrency group (execution-semantics.md §6, GitHub's rule). It
// may be repeated: who is a member keeps the place. Attempts that have to make way are cancelled in the same
// transaction; jobs that have to are news for their runs.
func (d *DB) EnterGate(ctx context.Context, e GateEntry) (answer GateAnswer, err error) {
	err = d.inTx(ctx, func(tx pgx.Tx) error {
		answer, err = enterGate(ctx, tx, e)
		return err
	})
	if err != nil {
		return GateAnswer{}, fmt.Errorf("enter concurrency group of run %d: %w", e.RunID, err)
	}
	return answer, nil
}

func enterGate(ctx context.Context, tx pgx.Tx, e GateEntry) (GateAnswer, error) {
	if err := makeGate(ctx, tx, e.key()); err != nil {
		return GateAnswer{}, err
	}
	who, err := lookUpEntrant(ctx, tx, e)
	if err != nil {
		return GateAnswer{}, err
	}
	if who.isMember {
		return gateAnswer(ctx, tx, e)
	}
	peers, err := peersOf(ctx, tx, e.key())
	if err != nil {
		return GateAnswer{}, err
	}
	if reason := who.refused(e, peers); reason != "" {
		return GateAnswer{State: GateRefused, Reason: reason}, nil
	}
	return takePlace(ctx, tx, e, who.runNumber, peers)
}

// entrant is what is known of who enters.
type entrant struct {
	runNumber int64
	isMember  bool
	hasEnded  bool
	// isDeadlock: the attempt, the job itself or a caller of it is in the same gate, and will not leave it before the job
	// ends.
	isDeadlock bool
}

// refused says why there is no place, or nothing.
func (w entrant) refused(e GateEntry, peers []gatePeer) string {
	switch {
	case w.hasEnded:
		return "it has ended"
	case w.isDeadlock:
		return fmt.Sprintf("deadlock: its own run is in the concurrency group %q already, so that it would wait for ever", e.Group)
	case e.QueueAll && pendingPeers(peers) >= ci.MaxQueuedInGroup:
		return fmt.Sprintf("%d wait for the concurrency group %q, and no more may", ci.MaxQueuedInGroup, e.Group)
	}
	return ""
}

func lookUpEntrant(ctx context.Context, tx pgx.Tx, e GateEntry) (w entrant, err error) {
	key := e.key()
	err = tx.QueryRow(ctx, `WITH RECURSIVE caller (id, parent_id) AS (
			SELECT id, parent_id FROM jobs WHERE id = abs($2::bigint)
			UNION ALL
			SELECT j.id, j.parent_id FROM caller JOIN jobs j ON j.id = caller.parent_id
		)
		SELECT r.run_number, EXISTS (SELECT 1 FROM gate_entries WHERE attempt_id = $1 AND job_id = $2),
			a.stopped_at IS NOT NULL OR EXISTS (SELECT 1 FROM jobs WHERE id = abs($2) AND stopped_at IS NOT NULL),
			$2 <> 0 AND EXISTS (SELECT 1 FROM gate_entries m WHERE m.attempt_id = $1 AND m.repo_id = $3 AND m.gate = $4
				AND m.state <> 'replaced' AND m.job_id <> $2 AND (m.job_id = 0 OR abs(m.job_id) IN (SELECT id FROM caller)))
		FROM attempts a JOIN runs r ON r.id = a.run_id WHERE a.id = $1`, prepared, e.AttemptID, e.member(), key.repo, key.name).
		Scan(&w.runNumber, &w.isMember, &w.hasEnded, &w.isDeadlock)
	return w, err
}

// gatePeer is another member of a gate that has a place.
type gatePeer struct {
	id, run, attempt, job int64
	state                 GateState
	single                bool
}

// peersQuery has a part for each of the two indexes, so that members that were replaced cost nothing. The order is the
// one in which attempts are locked.
const peersQuery = `SELECT id, run_id, attempt_id, job_id, state, queue = 'single' FROM gate_entries
		WHERE repo_id = $1 AND gate = $2 AND state IN ('holding', 'leaving')
	UNION ALL
	SELECT id, run_id, attempt_id, job_id, state, queue = 'single' FROM gate_entries
		WHERE repo_id = $1 AND gate = $2 AND state = 'pending'
	ORDER BY attempt_id, id`

func peersOf(ctx context.Context, tx pgx.Tx, key gateKey) ([]gatePeer, error) {
	rows, err := tx.Query(ctx, peersQuery, prepared, key.repo, key.name)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (p gatePeer, err error) {
		return p, row.Scan(&p.id, &p.run, &p.attempt, &p.job, &p.state, &p.single)
	})
}

func pendingPeers(peers []gatePeer) (n int) {
	for _, p := range peers {
		if p.state == GatePending {
			n++
		}
	}
	return n
}

// makesWay tells which state a member gets when e enters: its own, or that of one who has to make way. Nobody makes way
// for its own run: an early rerun waits for the attempt before.
func (p gatePeer) makesWay(e GateEntry) GateState {
	switch {
	case e.QueueAll || p.run == e.RunID:
		return p.state
	case p.state == GatePending && p.single:
		return GateReplaced
	case p.state == GateHolding && e.CancelInProgress:
		return GateLeaving
	}
	return p.state
}

// takePlace adds a member behind all others, has those make way that have to, and lets the first of the queue in if
// nobody holds the gate.
func takePlace(ctx context.Context, tx pgx.Tx, e GateEntry, runNumber int64, peers []gatePeer) (GateAnswer, error) {
	before, after := e.inTheWay(peers)
	if err := lockAttempts(ctx, tx, before); err != nil {
		return GateAnswer{}, err
	}
	key := e.key()
	_, err := tx.Exec(ctx, `INSERT INTO gate_entries (repo_id, gate, title, run_id, attempt_id, job_id, state, queue)
		VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7)`, prepared, key.repo, key.name, cleanText(e.Group), e.RunID, e.AttemptID, e.member(), e.queue())
	if err != nil {
		return GateAnswer{}, err
	}
	if err := lockAttempts(ctx, tx, after); err != nil {
		return GateAnswer{}, err
	}
	told, err := makeWay(ctx, tx, e, runNumber, peers)
	if err != nil {
		return GateAnswer{}, err
	}
	granted, err := grantGates(ctx, tx, []gateKey{key})
	if err != nil {
		return GateAnswer{}, err
	}
	for _, g := range granted {
		if g.attempt != e.AttemptID || g.job != e.member() {
			told = append(told, g.attempt)
		}
	}
	wake, err := tell(ctx, tx, told...)
	if err != nil {
		return GateAnswer{}, err
	}
	answer, err := gateAnswer(ctx, tx, e)
	answer.Wake = wake
	return answer, err
}

// inTheWay are the attempts that have to make way: those that are locked before the one that enters, and those after it.
// Two runs may turn each other out of different gates at once.
func (e GateEntry) inTheWay(peers []gatePeer) (before, after []int64) {
	for _, p := range peers {
		switch {
		case p.job != 0 || p.makesWay(e) == p.state:
		case p.attempt < e.AttemptID:
			before = append(before, p.attempt)
		default:
			after = append(after, p.attempt)
		}
	}
	return before, after
}

func lockAttempts(ctx context.Context, tx pgx.Tx, attempts []int64) error {
	if len(attempts) == 0 {
		return nil
	}
	_, err := tx.Exec(ctx, `SELECT 1 FROM attempts WHERE id = ANY($1) ORDER BY id FOR UPDATE`, prepared, attempts)
	return err
}

// makeWay has members make way, and returns the attempts that are to be told.
func makeWay(ctx context.Context, tx pgx.Tx, e GateEntry, runNumber int64, peers []gatePeer) (told []int64, err error) {
	for _, p := range peers {
		state := p.makesWay(e)
		if state == p.state {
			continue
		}
		reason := fmt.Sprintf("replaced by run #%d", runNumber)
		if state == GateLeaving {
			reason = fmt.Sprintf("cancelled by run #%d (cancel-in-progress)", runNumber)
		}
		if _, err := tx.Exec(ctx, `UPDATE gate_entries SET state = $2, reason = $3 WHERE id = $1`, prepared, p.id, string(state), reason); err != nil {
			return nil, err
		}
		told = append(told, p.attempt)
		if p.job != 0 {
			continue
		}
		if err := cancelAttempts(ctx, tx, []int64{p.attempt}, CancelRequest{Reason: reason}); err != nil {
			return nil, err
		}
	}
	return told, nil
}

// gateAnswer is the place of a member that has one.
func gateAnswer(ctx context.Context, tx pgx.Tx, e GateEntry) (GateAnswer, error) {
	rows, err := readGates(ctx, tx, `e.attempt_id = $1 AND e.job_id = $2`, e.AttemptID, e.member())
	if err != nil {
		return GateAnswer{}, err
	}
	if len(rows) == 0 {
		return GateAnswer{}, pgx.ErrNoRows
	}
	return GateAnswer{State: rows[0].State, Reason: rows[0].Reason}, nil
}

// GateRow is the place of an attempt (JobID 0) or one of its jobs in a gate. A caller may have two.
type GateRow struct {
	JobID int64
	// Called: it is in the group of the workflow that it calls.
	Called bool
	State  GateState
	Reason string
	// Title is the name of the group as it was written.
	Title string
}

// GatesOf returns the places that an attempt and its jobs have.
func (d *DB) GatesOf(ctx context.Context, attempt int64) ([]GateRow, error) {
	rows, err := readGates(ctx, d.Pool, `e.attempt_id = $1`, attempt)
	if err != nil {
		return nil, fmt.Errorf("concurrency groups of attempt %d: %w", attempt, err)
	}
	return rows, nil
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// readGates reads places; what a pending member waits for is made up from the others as they are now.
func readGates(ctx context.Context, q querier, condition string, args ...any) ([]GateRow, error) {
	rows, err := q.Query(ctx, `SELECT abs(e.job_id), e.job_id < 0, e.state, e.title, e.reason, coalesce(r.run_number, 0), CASE WHEN e.state = 'pending' THEN (
				SELECT count(*) FROM gate_entries p WHERE p.repo_id = e.repo_id AND p.gate = e.gate AND p.state = 'pending' AND p.id <= e.id
			) ELSE 0 END
		FROM gate_entries e
		LEFT JOIN gate_entries h ON e.state = 'pending' AND h.repo_id = e.repo_id AND h.gate = e.gate AND h.state IN ('holding', 'leaving')
		LEFT JOIN runs r ON r.id = h.run_id
		WHERE `+condition+` ORDER BY abs(e.job_id), e.id`, append([]any{prepared}, args...)...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (g GateRow, err error) {
		var holder int64
		var position int
		err = row.Scan(&g.JobID, &g.Called, &g.State, &g.Title, &g.Reason, &holder, &position)
		if g.State == GatePending {
			g.Reason = fmt.Sprintf("run #%d holds the concurrency group %q; place %d in the queue", holder, g.Title, position)
		}
		return g, err
	})
}
