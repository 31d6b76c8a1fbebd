package runnergw

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/pawl-ci/pawl/db"
)

// maxCachedTasks is how many running tasks a gateway knows without reading them again.
const maxCachedTasks = 20_000

// touchEvery is how often a report that says nothing new is written, so that the task shows a sign of life.
const touchEvery = 5 * time.Second

// task is what a gateway remembers of a running task. The facts never change; the rest saves writes and reads and
// may be behind what other gateways wrote.
type task struct {
	db.TaskFacts

	mu sync.Mutex
	// reported is the sum of the latest report that was written, written is when anything was.
	reported uint64
	written  time.Time
	beatAt   time.Time

	// maskMu guards masks, which hide the secrets of the task, and are nil until they are needed; and hide, what they are
	// made of, which is nil if another gateway handed the task out.
	maskMu sync.Mutex
	masks  *taskMasks
	hide   *secretSource

	// logMu keeps appends of one task in order.
	logMu sync.Mutex
	log   logState
}

// logState is the length of a task's log as far as this gateway knows.
type logState struct {
	known       bool
	rows, bytes int64
	sealed      bool
}

// due tells whether a heartbeat is to be sent, and notes that it is.
func (t *task) due(now time.Time, every time.Duration) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Sub(t.beatAt) < every {
		return false
	}
	t.beatAt = now
	return true
}

// beatFailed makes the next report try again.
func (t *task) beatFailed() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.beatAt = time.Time{}
}

// needsTouch tells whether nothing was written for a while.
func (t *task) needsTouch(now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return now.Sub(t.written) >= touchEvery
}

func (t *task) touched(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written = now
}

// isNews tells whether a report is to be written.
func (t *task) isNews(sum uint64, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.reported != sum || now.Sub(t.written) >= touchEvery
}

func (t *task) wrote(sum uint64, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reported, t.written = sum, now
}

// taskCache holds the tasks that report to this gateway.
type taskCache struct {
	db    *db.DB
	tasks *cache[int64, *task]
}

func newTaskCache(d Deps) *taskCache {
	return &taskCache{db: d.DB, tasks: newCache[int64, *task](d.Now, maxCachedTasks, 0)}
}

// claimed remembers a task that was just made: its first report and rows will need no reading.
func (c *taskCache) claimed(runner int64, t *db.Claimed) {
	c.tasks.put(t.TaskID, &task{
		TaskFacts: db.TaskFacts{
			TaskID: t.TaskID, JobID: t.JobID, RunnerID: runner, Steps: t.Steps, ClaimedAt: t.ClaimedAt, Origin: t.TaskOrigin,
		},
		log: logState{known: true},
	})
}

// handedOut remembers what a task got that is to be hidden.
func (c *taskCache) handedOut(id int64, hide *secretSource) {
	if t, ok := c.tasks.get(id); ok {
		t.maskMu.Lock()
		defer t.maskMu.Unlock()
		t.hide = hide
	}
}

// get returns the task if it is the runner's: errNoSuchTask, errForeignTask (runner-protocol.md §8.1).
func (c *taskCache) get(ctx context.Context, id, runner int64) (*task, error) {
	t, ok := c.tasks.get(id)
	if !ok {
		facts, err := c.db.TaskFacts(ctx, id)
		if errors.Is(err, db.ErrNotFound) {
			return nil, errNoSuchTask
		}
		if err != nil {
			return nil, dbFault(err)
		}
		t = c.tasks.putIfAbsent(id, &task{TaskFacts: facts})
	}
	if t.RunnerID != runner {
		return nil, errForeignTask
	}
	return t, nil
}
