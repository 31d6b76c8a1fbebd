package db_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// crush is everybody at work on a few runs at once.
type crush struct {
	*fixture
	runs    []*db.Run
	jobs    [][]*db.Job
	runners []*db.Runner
	// workflows keep others from doing to a run, or to a job, what only its workflow does.
	workflows sync.Map
}

// as does something in the place of the workflow of a run or a job, unless that is busy.
func (c *crush) as(id int64, do func() error) error {
	lock, _ := c.workflows.LoadOrStore(id, &sync.Mutex{})
	if !lock.(*sync.Mutex).TryLock() {
		return nil
	}
	defer lock.(*sync.Mutex).Unlock()
	return do()
}

// step ends a job, of which nothing is open any more, and offers another one.
func (c *crush) step(ctx context.Context, s db.RunStep, ends int64) error {
	return c.as(-s.RunID, func() error {
		return c.as(ends, func() error {
			if _, err := c.EndTask(ctx, ends, db.EndForced, "why"); err != nil {
				return err
			}
			s.Ended = []db.JobEnd{{JobID: ends, Status: ci.StatusSuccess}}
			_, err := c.RecordStep(ctx, s)
			return err
		})
	})
}

// TestNobodyWaitsInACircle: two transactions that lock the same rows do so in the same order, whoever they belong to. A
// deadlock would cost a user an error, and everybody a second.
func TestNobodyWaitsInACircle(t *testing.T) {
	c := newCrush(t)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	var all sync.WaitGroup
	for w := range 12 {
		random := rand.New(rand.NewPCG(7, uint64(w)))
		all.Go(func() {
			for ctx.Err() == nil {
				name, err := c.act(ctx, random)
				if isFault(err) {
					t.Errorf("%s: %+v", name, err)
				}
			}
		})
	}
	all.Wait()
}

// isFault tells whether Postgres has refused something, and not because the time was up.
func isFault(err error) bool {
	var pg *pgconn.PgError
	return errors.Is(err, errGaveWay) || errors.As(err, &pg) && pg.Code != "57014"
}

// isOrdered tells whether a deadlock may come about although rows are locked in order: that of a repository is updated by
// every run that begins, while others lock it.
func isOrdered(deadlock error) bool {
	var pg *pgconn.PgError
	return errors.As(deadlock, &pg) && strings.Contains(strings.ReplaceAll(pg.Where, `"public".`, ""), `"repositories"`)
}

func newCrush(t *testing.T) *crush {
	c := &crush{fixture: newFixtureThatHears(t, func(err error) {
		if !isOrdered(err) {
			t.Errorf("%+v", err)
		}
	})}
	for range 4 {
		var jobs []*db.Job
		for _, key := range []string{"a", "b", "c", "d", "e", "f"} {
			jobs = append(jobs, job(key))
		}
		jobs[5].IfExpr = "always()"
		run, _ := c.run(t, jobs...)
		c.runs, c.jobs = append(c.runs, run), append(c.jobs, jobs)
	}
	for range 3 {
		c.runners = append(c.runners, c.runner(t, db.CapabilityCancelling), c.runner(t))
	}
	_, err := c.Exec(`INSERT INTO gateway_uptime VALUES (true, now() - interval '1 h', now())`)
	require.NoError(t, err)
	most := 5
	require.NoError(t, c.SetJobLimit(t.Context(), db.LimitRepository, c.repo.ID, &most))
	require.NoError(t, c.SetJobLimit(t.Context(), db.LimitOwner, c.owner.ID, &most))
	return c
}

// act does something to one of the runs that stay. Of these nothing ends for good, so that there is always something to do.
func (c *crush) act(ctx context.Context, random *rand.Rand) (string, error) {
	if random.IntN(3) == 0 {
		return c.live(ctx, random)
	}
	n := random.IntN(len(c.runs))
	run, jobs := c.runs[n], c.jobs[n]
	one, other := jobs[random.IntN(len(jobs))], jobs[random.IntN(len(jobs))]
	step := db.RunStep{RunID: run.ID, AttemptID: one.AttemptID, Events: []db.TimelineEvent{{N: random.IntN(1 << 30), At: time.Now(), Event: "x"}}}
	switch random.IntN(16) {
	case 0:
		if one != other {
			step.Offered = []int64{other.ID}
		}
		return "step", c.step(ctx, step, one.ID)
	case 1:
		step.Release, step.CancelSeen, step.Begun = true, true, true
		return "step with gates", c.step(ctx, step, one.ID)
	case 2, 3, 4:
		r := c.runners[random.IntN(len(c.runners))]
		_, err := c.Claim(ctx, db.Claim{RunnerID: r.ID, LabelSets: []int64{one.LabelSetID}, TokenHash: token(random)})
		return "claim", err
	case 5:
		var task int64
		_ = c.Pool.QueryRow(ctx, `SELECT id FROM tasks WHERE stopped_at IS NULL ORDER BY random() LIMIT 1`).Scan(&task)
		_, err := c.ReportTask(ctx, db.Report{TaskID: task, Final: db.TaskSuccess})
		return "report", err
	case 6:
		_, err := c.RequestCancel(ctx, db.CancelRequest{RunID: run.ID, Force: random.IntN(2) == 0})
		return "cancel", err
	case 7:
		if random.IntN(2) == 0 {
			return "pause", c.PauseRun(ctx, run.ID, 1, 1)
		}
		return "resume", c.ResumeRun(ctx, run.ID, 1, 1)
	case 8:
		paused, most := random.IntN(2) == 0, 1+random.IntN(9)
		return "edit", c.EditRepository(ctx, c.repo.ID, db.RepositoryChange{
			Paused: &paused, By: 1, SetLimit: random.IntN(2) == 0, Limit: &most,
		})
	case 9:
		return "end", c.as(one.ID, func() error {
			_, err := c.EndTask(ctx, one.ID, db.EndMode(random.IntN(2)), "why")
			return err
		})
	case 10:
		return "again", c.as(one.ID, func() error {
			return c.OfferAgain(ctx, db.OfferAgain{JobID: one.ID, Try: 2 + random.IntN(1<<20)})
		})
	case 11:
		return "enter", c.as(-run.ID, func() error {
			_, err := c.EnterGate(ctx, db.GateEntry{
				RepoID: c.repo.ID, RunID: run.ID, AttemptID: one.AttemptID, JobID: []int64{0, one.ID}[random.IntN(2)],
				Concurrency: ci.Concurrency{Group: []string{"g", "h"}[random.IntN(2)], CancelInProgress: true},
			})
			return err
		})
	case 12:
		most := 1 + random.IntN(9)
		return "limit", c.SetJobLimit(ctx, db.LimitRepository, c.repo.ID, &most)
	case 13:
		_, err := c.LoseRunnerTasks(ctx, c.runners[random.IntN(len(c.runners))].ID, "why")
		return "lose", err
	case 14:
		_, err := c.Attach(ctx, one.ID, 1)
		return "attach", err
	}
	// Everything opens again.
	_, err := c.Pool.Exec(ctx, `WITH a AS (SELECT id FROM attempts WHERE id = $1 FOR UPDATE)
		UPDATE attempts SET cancel_requested_at = NULL, cancel_forced = false FROM a WHERE attempts.id = a.id`, one.AttemptID)
	if err == nil {
		_, err = c.Pool.Exec(ctx, `UPDATE jobs SET stopped_at = NULL, status = 'blocked' WHERE id = $1`, one.ID)
	}
	return "open", err
}

func token(random *rand.Rand) []byte {
	out := make([]byte, 16)
	for i := range out {
		out[i] = byte(random.IntN(256))
	}
	return out
}
