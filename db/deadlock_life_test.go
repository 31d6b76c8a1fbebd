package db_test

import (
	"context"
	"errors"
	"math/rand/v2"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

// errGaveWay is returned when something was refused that nothing but a deadlock can have refused.
var errGaveWay = errors.New("gave way to others")

// live has runs begin, be changed, be rerun, end and be deleted.
func (c *crush) live(ctx context.Context, random *rand.Rand) (string, error) {
	run := c.anyRun(ctx)
	alone := func(do func(context.Context, *db.Run) error) error {
		return c.as(-run.ID, func() error { return do(ctx, run) })
	}
	switch random.IntN(14) {
	case 0, 1:
		return "create", c.begin(ctx, random)
	case 2:
		_, err := c.CreateRerun(ctx, db.NewAttempt{Run: run, TriggerUserID: c.owner.ID, Early: random.IntN(2) == 0, Clone: cloneUndone})
		return "rerun", err
	case 3:
		return "approve", c.approve(ctx, run)
	case 4:
		return "expand", alone(c.expand)
	case 5:
		return "review", alone(c.review)
	case 6:
		return "enter", c.as(-run.ID, func() error { return c.enter(ctx, random, run) })
	case 7:
		_, err := c.RequestCancel(ctx, db.CancelRequest{RunID: run.ID, Force: random.IntN(2) == 0})
		return "cancel", err
	case 8:
		return "pause", c.PauseRun(ctx, run.ID, 0, 1)
	case 9:
		return "resume", c.ResumeRun(ctx, run.ID, 0, 1)
	case 10, 11:
		return "finish", alone(c.finish)
	case 12:
		return "delete", alone(c.deleteRun)
	}
	return "sweep", c.sweep(ctx)
}

// anyRun is one of those that nobody else keeps.
func (c *crush) anyRun(ctx context.Context) *db.Run {
	run := &db.Run{}
	kept := len(c.runs)
	_ = c.NewSelect().Model(run).Where("id > ?", c.runs[kept-1].ID).OrderExpr("random()").Limit(1).Scan(ctx)
	return run
}

func (c *crush) begin(ctx context.Context, random *rand.Rand) error {
	labels := []string{"a", "b", "c", "d", "linux"}
	random.Shuffle(len(labels), func(i, j int) { labels[i], labels[j] = labels[j], labels[i] })
	jobs := []*db.Job{dbtest.Job("a", labels[0]), dbtest.Job("b", labels[1], labels[2]), dbtest.Job("late")}
	jobs[2].Kind = ci.JobDeferred
	run := newRun(c.fixture)
	if err := c.PrepareRun(ctx, run); err != nil {
		return err
	}
	attempt, err := c.CreateRun(ctx, db.NewRun{Run: run, Jobs: jobs})
	if err != nil {
		return err
	}
	_, err = c.RecordStep(ctx, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Begun: true, Offered: []int64{jobs[0].ID, jobs[1].ID}})
	return err
}

func (c *crush) approve(ctx context.Context, run *db.Run) error {
	_, err := c.Pool.Exec(ctx, `UPDATE runs SET approval = 'needed' WHERE id = $1`, run.ID)
	if err == nil {
		_, err = c.ApproveRun(ctx, run.ID, c.owner.ID)
	}
	return err
}

// deleteRun waits for locks for as long as the test takes, so that only a deadlock makes it give way.
func (c *crush) deleteRun(ctx context.Context, run *db.Run) error {
	_, err := c.DeleteRun(ctx, c.repo.ID, run.ID)
	if errors.Is(err, db.ErrConflict) {
		err = errGaveWay
	}
	return err
}

// finish ends an attempt whatever of it is open, as after a worker that did more than anybody knows of.
func (c *crush) finish(ctx context.Context, run *db.Run) error {
	open, err := c.OpenAttemptNumbers(ctx, run.ID)
	if err != nil || len(open) == 0 {
		return err
	}
	attempt, err := c.Attempt(ctx, run.ID, open[0])
	if err != nil {
		return err
	}
	_, err = c.RecordStep(ctx, db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusFailure, Release: true,
		Events: []db.TimelineEvent{{N: 1, Event: "x"}},
	})
	return err
}

func (c *crush) expand(ctx context.Context, run *db.Run) error {
	var late db.Job
	err := c.NewSelect().Model(&late).Where("run_id = ?", run.ID).Where("kind = 'deferred'").Order("id DESC").Limit(1).Scan(ctx)
	if err != nil {
		return err
	}
	_, err = c.Expand(ctx, db.Expansion{Job: &late, Jobs: []*db.Job{dbtest.Job("late", "c"), dbtest.Job("late", "a")}})
	return err
}

func (c *crush) sweep(ctx context.Context) error {
	_, mend := c.MendGates(ctx, 10)
	_, news := c.UnseenNews(ctx, 0, 10)
	_, lose := c.LoseUnconfirmed(ctx, 0, 10, "why")
	_, expire := c.ExpireLogs(ctx, db.Retention{LogDays: 1}, 10)
	_, _, discard := c.DiscardLogs(ctx, 100)
	return errors.Join(mend, news, lose, expire, discard, c.FoldListCounts(ctx))
}

func (c *crush) review(ctx context.Context, run *db.Run) error {
	if err := c.PutEnvironment(ctx, &db.Environment{RepoID: c.repo.ID, Name: "prod", Reviewers: []int64{c.owner.ID}}); err != nil {
		return err
	}
	jobs, err := c.JobsOfAttempt(ctx, run.ID, run.Attempt)
	var ids []int64
	for _, j := range jobs {
		_, entered := c.EnterEnvironment(ctx, j, "prod")
		err = errors.Join(err, entered)
		ids = append(ids, j.ID)
	}
	_, _, reviewed := c.ReviewDeployments(ctx, db.Verdict{Jobs: ids, By: c.owner.ID, Approve: true})
	return errors.Join(err, reviewed)
}

func (c *crush) enter(ctx context.Context, random *rand.Rand, run *db.Run) error {
	jobs, err := c.JobsOfAttempt(ctx, run.ID, run.Attempt)
	if err != nil || len(jobs) == 0 {
		return err
	}
	_, err = c.EnterGate(ctx, db.GateEntry{
		RepoID: c.repo.ID, RunID: run.ID, AttemptID: jobs[0].AttemptID, JobID: []int64{0, jobs[0].ID}[random.IntN(2)],
		Concurrency: ci.Concurrency{Group: []string{"g", "h"}[random.IntN(2)], CancelInProgress: true},
	})
	return err
}
