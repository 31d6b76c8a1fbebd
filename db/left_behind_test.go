package db_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// What a worker did in its last moments is done, but Temporal has no word of it: the worker that takes over may decide
// otherwise, because something has happened meanwhile. The rows have to follow the decision that counts.

func TestAJobThatEndsTakesItsOfferWithIt(t *testing.T) {
	f := newFixture(t)
	queued, held, claimed := job("queued"), job("held"), job("claimed")
	run, attempt := f.run(t, queued, held, claimed)
	f.offer(t, queued, held, claimed)
	_, err := f.NewUpdate().Model((*db.Offer)(nil)).Set("state = 'held'").Where("job_id = ?", held.ID).Exec(t.Context())
	require.NoError(t, err)
	task := f.claim(t, claimed, f.runner(t, db.CapabilityCancelling))

	step := db.RunStep{RunID: run.ID, AttemptID: attempt.ID}
	for _, j := range []*db.Job{queued, held, claimed} {
		step.Ended = append(step.Ended, db.JobEnd{JobID: j.ID, Status: ci.StatusCancelled, Reason: "another job of its matrix failed"})
	}
	f.record(t, step)
	for _, j := range []*db.Job{queued, held} {
		var o db.Offer
		require.NoError(t, f.NewSelect().Model(&o).Where("job_id = ?", j.ID).Scan(t.Context()))
		require.Equal(t, db.OfferWithdrawn, o.State, j.Key)
	}
	f.reload(t, task)
	require.Equal(t, db.TaskCancelled, task.Status, "its runner is told to stop with the next report")
	require.False(t, task.StoppedAt.IsZero())
	f.record(t, step)
}

func TestAnAttemptThatEndsLeavesNoJobOpen(t *testing.T) {
	f := newFixture(t)
	known, unknown := job("known"), job("cell, made by an expansion that does not count")
	run, attempt := f.run(t, known, unknown)
	f.offer(t, unknown)
	task := f.claim(t, unknown, f.runner(t))
	f.record(t, db.RunStep{
		RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusCancelled,
		Ended: []db.JobEnd{{JobID: known.ID, Status: ci.StatusCancelled, Reason: "cancelled"}},
	})
	f.reload(t, unknown)
	require.Equal(t, ci.StatusCancelled, unknown.Status)
	require.False(t, unknown.StoppedAt.IsZero())
	f.reload(t, task)
	require.Equal(t, db.TaskCancelled, task.Status)
}

func TestNothingIsExpandedAfterItsEnd(t *testing.T) {
	f := newFixture(t)
	ended, open := job("ended"), job("open")
	ended.Kind, open.Kind = ci.JobDeferred, ci.JobDeferred
	run, attempt := f.run(t, ended, open)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Ended: []db.JobEnd{{JobID: ended.ID, Status: ci.StatusCancelled}}})
	_, err := f.Expand(t.Context(), db.Expansion{Job: ended, Jobs: []*db.Job{job("ended")}})
	require.ErrorIs(t, err, db.ErrFinished)
	_, err = f.Expand(t.Context(), db.Expansion{Job: open, Jobs: []*db.Job{job("open")}})
	require.NoError(t, err)
	again, err := f.Expand(t.Context(), db.Expansion{Job: open, Jobs: []*db.Job{job("open")}})
	require.NoError(t, err, "who was expanded keeps what it has")
	require.Len(t, again, 1)
}
