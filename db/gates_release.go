package db

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// makeGate locks the row of a gate, which it makes if need be.
func makeGate(ctx context.Context, tx pgx.Tx, key gateKey) error {
	_, err := tx.Exec(ctx, `INSERT INTO gates (repo_id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING`, prepared, key.repo, key.name)
	if err != nil {
		return err
	}
	return lockGates(ctx, tx, []gateKey{key})
}

const lockQuery = `SELECT 1 FROM gates
	WHERE (repo_id, name) IN (SELECT * FROM unnest($1::bigint[], $2::text[])) ORDER BY repo_id, name FOR UPDATE`

// lockGates locks gates in order. No other row of the transaction may be locked before.
func lockGates(ctx context.Context, tx pgx.Tx, keys []gateKey) error {
	repos, names := gateColumns(keys)
	_, err := tx.Exec(ctx, lockQuery, prepared, repos, names)
	return err
}

func gateColumns(keys []gateKey) (repos []int64, names []string) {
	for _, k := range keys {
		repos, names = append(repos, k.repo), append(names, k.name)
	}
	return repos, names
}

// releaseGates takes an attempt, with all its jobs, or some of the jobs out of their gates, in the transaction in which
// they end, and lets in who is next. It locks gates, so it comes before whatever else the transaction locks. The attempts
// that it returns are to be told, at the end of the transaction.
func releaseGates(ctx context.Context, tx pgx.Tx, attempt int64, jobs []int64, all bool) (granted []int64, err error) {
	granted, err = leaveGates(ctx, tx, placesQuery, attempt, all, membersOf(jobs))
	if err != nil {
		return nil, fmt.Errorf("concurrency groups of attempt %d: %w", attempt, err)
	}
	return granted, nil
}

const placesQuery = `SELECT id, repo_id, gate FROM gate_entries WHERE attempt_id = $1 AND ($2 OR job_id = ANY($3))`

// leaveGates does what releaseGates says to the members that a query finds.
func leaveGates(ctx context.Context, tx pgx.Tx, places string, args ...any) ([]int64, error) {
	entries, keys, err := placesOf(ctx, tx, places, args...)
	if err != nil || len(entries) == 0 {
		return nil, err
	}
	if err := lockGates(ctx, tx, keys); err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	if _, err := tx.Exec(ctx, `DELETE FROM gate_entries WHERE id = ANY($1)`, prepared, entries); err != nil {
		return nil, fmt.Errorf("leave: %w", err)
	}
	return passOn(ctx, tx, keys)
}

func placesOf(ctx context.Context, tx pgx.Tx, places string, args ...any) (entries []int64, keys []gateKey, err error) {
	rows, err := tx.Query(ctx, places, append([]any{prepared}, args...)...)
	if err != nil {
		return nil, nil, err
	}
	var id int64
	var key gateKey
	_, err = pgx.ForEachRow(rows, []any{&id, &key.repo, &key.name}, func() error {
		entries, keys = append(entries, id), append(keys, key)
		return nil
	})
	return entries, keys, err
}

// passOn lets the next member into each gate that nobody holds, and returns the attempts that are to be told.
func passOn(ctx context.Context, tx pgx.Tx, keys []gateKey) ([]int64, error) {
	granted, err := grantGates(ctx, tx, keys)
	if err != nil {
		return nil, fmt.Errorf("grant: %w", err)
	}
	var attempts []int64
	for _, g := range granted {
		attempts = append(attempts, g.attempt)
	}
	return attempts, nil
}

const grantQuery = `UPDATE gate_entries SET state = 'holding', granted_at = now() FROM (
		SELECT (SELECT p.id FROM gate_entries p WHERE p.repo_id = k.repo_id AND p.gate = k.name AND p.state = 'pending'
			ORDER BY p.id LIMIT 1) AS id
		FROM (SELECT DISTINCT * FROM unnest($1::bigint[], $2::text[]) AS k (repo_id, name)) AS k
		WHERE NOT EXISTS (SELECT 1 FROM gate_entries h
			WHERE h.repo_id = k.repo_id AND h.gate = k.name AND h.state IN ('holding', 'leaving'))
	) AS first WHERE gate_entries.id = first.id RETURNING gate_entries.attempt_id, gate_entries.job_id`

// grantee is a member that holds its gate from now on.
type grantee struct{ attempt, job int64 }

// grantGates lets the oldest pending member into each of the locked gates that nobody holds.
func grantGates(ctx context.Context, tx pgx.Tx, keys []gateKey) ([]grantee, error) {
	repos, names := gateColumns(keys)
	rows, err := tx.Query(ctx, grantQuery, prepared, repos, names)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (g grantee, err error) {
		return g, row.Scan(&g.attempt, &g.job)
	})
}

// deadMember is the condition for members whose attempt or job has ended without that they were taken out.
const deadMember = `e.state <> 'replaced' AND (EXISTS (SELECT 1 FROM attempts a WHERE a.id = e.attempt_id AND a.stopped_at IS NOT NULL)
	OR EXISTS (SELECT 1 FROM jobs j WHERE j.id = abs(e.job_id) AND j.stopped_at IS NOT NULL))`

// MendGates passes on gates that are held by what has ended, or by nobody although somebody waits; at most limit. There
// are none, unless a worker died just after it had entered a gate for a job that the one that took over does not run, or
// a call that was given up did its work after all, and too late. The attempts that it returns have news.
func (d *DB) MendGates(ctx context.Context, limit int) (wake []RunRef, err error) {
	keys, err := d.stuckGates(ctx, limit)
	if err != nil {
		return nil, fmt.Errorf("stuck concurrency groups: %w", err)
	}
	for _, key := range keys {
		var refs []RunRef
		err := d.inTx(ctx, func(tx pgx.Tx) error {
			refs, err = mendGate(ctx, tx, key)
			return err
		})
		if err != nil {
			return wake, fmt.Errorf("mend concurrency group: %w", err)
		}
		wake = append(wake, refs...)
	}
	return wake, nil
}

func (d *DB) stuckGates(ctx context.Context, limit int) ([]gateKey, error) {
	rows, err := d.Pool.Query(ctx, `SELECT e.repo_id, e.gate FROM gate_entries e WHERE `+deadMember+`
		UNION
		SELECT e.repo_id, e.gate FROM gate_entries e WHERE e.state = 'pending' AND NOT EXISTS (
			SELECT 1 FROM gate_entries h WHERE h.repo_id = e.repo_id AND h.gate = e.gate AND h.state IN ('holding', 'leaving'))
		LIMIT $1`, prepared, limit)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (k gateKey, err error) {
		return k, row.Scan(&k.repo, &k.name)
	})
}

func mendGate(ctx context.Context, tx pgx.Tx, key gateKey) ([]RunRef, error) {
	if err := lockGates(ctx, tx, []gateKey{key}); err != nil {
		return nil, err
	}
	if _, err := tx.Exec(ctx, `DELETE FROM gate_entries e WHERE e.repo_id = $1 AND e.gate = $2 AND `+deadMember,
		prepared, key.repo, key.name); err != nil {
		return nil, err
	}
	granted, err := passOn(ctx, tx, []gateKey{key})
	if err != nil {
		return nil, err
	}
	return tell(ctx, tx, granted...)
}
