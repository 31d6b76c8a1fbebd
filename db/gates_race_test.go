package db_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// crowd are runs that enter and leave a few gates all at once.
type crowd struct {
	*fixture
	holders map[string]*atomic.Int32

	mu    sync.Mutex
	order map[string][]int64 // entries in the order in which they held their gate
	ends  map[db.GateState]int
}

// Many runs enter and leave a few gates in all modes. There are never two holders, everybody is let in, replaced or
// refused in the end, and who is let in is so in the order of entering.
func TestGatesUnderConcurrency(t *testing.T) {
	const gates, workers, rounds = 2, 16, 8
	f := newFixture(t)
	c := &crowd{fixture: f, holders: map[string]*atomic.Int32{}, order: map[string][]int64{}, ends: map[db.GateState]int{}}
	for i := range gates {
		c.holders[fmt.Sprint("gate ", i)] = &atomic.Int32{}
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	watching, stop := context.WithCancel(ctx)
	var watcher, members sync.WaitGroup
	watcher.Go(func() { c.watch(watching, t) })
	for w := range workers {
		random := rand.New(rand.NewPCG(1, uint64(w)))
		members.Go(func() {
			for range rounds {
				if err := c.live(ctx, t, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	members.Wait()
	stop()
	watcher.Wait()
	require.False(t, t.Failed())

	left, err := f.NewSelect().TableExpr("gate_entries").Count(t.Context())
	require.NoError(t, err)
	require.Zero(t, left, "nobody is left waiting")
	held := 0
	for gate, ids := range c.order {
		require.IsIncreasing(t, ids, "%s lets in by order of entering", gate)
		held += len(ids)
	}
	require.Equal(t, c.ends[db.GateHolding]+c.ends[db.GateLeaving], held)
	require.Equal(t, workers*rounds, held+c.ends[db.GateReplaced]+c.ends[db.GateRefused], "none is lost: %v", c.ends)
	require.NotZero(t, c.ends[db.GateReplaced], "%v", c.ends)
	require.NotZero(t, c.ends[db.GateLeaving], "%v", c.ends)
}

// watch looks for a gate with two holders until ctx ends.
func (c *crowd) watch(ctx context.Context, t *testing.T) {
	for ctx.Err() == nil {
		var most int
		err := c.Pool.QueryRow(ctx, `SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM gate_entries
			WHERE state IN ('holding', 'leaving') GROUP BY repo_id, gate) AS g`).Scan(&most)
		if ctx.Err() == nil && (err != nil || most > 1) {
			t.Errorf("%d holders, %v", most, err)
		}
	}
}

// live is the life of one run: it enters a gate, waits for its turn, and ends.
func (c *crowd) live(ctx context.Context, t *testing.T, random *rand.Rand) error {
	g := c.gated(t)
	group := fmt.Sprint("gate ", random.IntN(len(c.holders)))
	entry := db.GateEntry{RepoID: g.run.RepoID, RunID: g.run.ID, AttemptID: g.attempt.ID, Concurrency: ci.Concurrency{Group: group}}
	if random.IntN(2) == 0 {
		entry.JobID = g.job.ID
	}
	switch random.IntN(4) {
	case 0:
		entry.CancelInProgress = true
	case 1, 2:
		entry.QueueAll = true
	}
	answer, err := c.EnterGate(ctx, entry)
	for err == nil && answer.State == db.GatePending {
		answer.State, err = c.stateOf(ctx, g.attempt.ID)
	}
	if err != nil {
		return err
	}
	return c.leave(ctx, t, g, entry, answer.State, random.IntN(100))
}

// leave ends the run after it has held its gate for a few queries.
func (c *crowd) leave(ctx context.Context, t *testing.T, g gated, entry db.GateEntry, state db.GateState, hold int) (err error) {
	holds := state == db.GateHolding || state == db.GateLeaving
	if holds {
		if n := c.holders[entry.Group].Add(1); n != 1 {
			t.Errorf("%d hold %s at once", n, entry.Group)
		}
		if err := c.noteHolder(ctx, g, entry.Group); err != nil {
			return err
		}
		for ; hold > 0 && state != db.GateLeaving; hold-- {
			if state, err = c.stateOf(ctx, g.attempt.ID); err != nil {
				return err
			}
		}
		c.holders[entry.Group].Add(-1)
	}
	c.mu.Lock()
	c.ends[state]++
	c.mu.Unlock()
	_, err = c.RecordStep(ctx, db.RunStep{RunID: g.run.ID, AttemptID: g.attempt.ID, Status: ci.StatusSuccess, Release: true,
		Ended: []db.JobEnd{{JobID: g.job.ID, Status: ci.StatusSuccess}}})
	return err
}

func (c *crowd) noteHolder(ctx context.Context, g gated, group string) error {
	var id int64
	err := c.Pool.QueryRow(ctx, "SELECT id FROM gate_entries WHERE attempt_id = $1", g.attempt.ID).Scan(&id)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.order[group] = append(c.order[group], id)
	return err
}

func (c *crowd) stateOf(ctx context.Context, attempt int64) (db.GateState, error) {
	rows, err := c.GatesOf(ctx, attempt)
	if err != nil || len(rows) != 1 {
		return "", fmt.Errorf("%d places, %v", len(rows), err)
	}
	return rows[0].State, nil
}
