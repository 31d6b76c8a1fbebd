package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestNewsIsUnseenUntilItIsRead(t *testing.T) {
	f := newFixture(t)
	holder, waiting := f.gated(t), f.gated(t)
	holder.enter(t, queued)
	waiting.enter(t, queued)
	unseen := func(age time.Duration) []int64 {
		list, err := f.UnseenNews(t.Context(), age, 10)
		require.NoError(t, err)
		var ids []int64
		for _, a := range list {
			ids = append(ids, a.AttemptID)
		}
		return ids
	}
	holder.end(t)
	require.Empty(t, unseen(0), "its workflow has not begun, and will read the rows when it does")
	_, err := f.LoadPlan(t.Context(), waiting.attempt.ID)
	require.NoError(t, err)
	require.Equal(t, []int64{waiting.attempt.ID}, unseen(0))
	require.Empty(t, unseen(time.Minute))
	require.NoError(t, f.SeeNews(t.Context(), waiting.attempt.ID))
	require.Empty(t, unseen(0))
	require.NoError(t, f.SeeNews(t.Context(), 404))

	require.NoError(t, f.PauseRun(t.Context(), waiting.run.ID, 1, f.owner.ID))
	require.Equal(t, []int64{waiting.attempt.ID}, unseen(0), "there may be more news any time")
	f.record(t, db.RunStep{RunID: waiting.run.ID, AttemptID: waiting.attempt.ID, Status: ci.StatusSuccess})
	require.Empty(t, unseen(0), "who has ended needs none")
}

func TestAPlanTellsOfNewsFromBefore(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"))
	plan, err := f.LoadPlan(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.False(t, plan.HasNews)
	require.NoError(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID))
	plan, err = f.LoadPlan(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.True(t, plan.HasNews)
	_, err = f.ReadNews(t.Context(), attempt.ID)
	require.NoError(t, err)
	plan, err = f.LoadPlan(t.Context(), attempt.ID)
	require.NoError(t, err)
	require.False(t, plan.HasNews)
}
