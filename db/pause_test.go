package db_test

import (
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/db/dbtest"
	"github.com/pawl-ci/pawl/internal/ci"
)

func TestPauseAndResume(t *testing.T) {
	type step = func(*testing.T, *fixture, *db.Run)
	pauseRun := func(t *testing.T, f *fixture, r *db.Run) {
		require.NoError(t, f.PauseRun(t.Context(), r.ID, 1, f.owner.ID))
	}
	resumeRun := func(t *testing.T, f *fixture, r *db.Run) {
		require.NoError(t, f.ResumeRun(t.Context(), r.ID, 1, f.owner.ID))
	}
	pauseRepo := func(t *testing.T, f *fixture, _ *db.Run) {
		require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{By: f.owner.ID, Paused: new(true)}))
	}
	resumeRepo := func(t *testing.T, f *fixture, _ *db.Run) {
		require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{By: f.owner.ID, Paused: new(false)}))
	}
	for name, c := range map[string]struct {
		steps []step
		held  bool
	}{
		"nothing":                       {nil, false},
		"run":                           {[]step{pauseRun}, true},
		"run, twice":                    {[]step{pauseRun, pauseRun}, true},
		"run and back":                  {[]step{pauseRun, resumeRun, resumeRun}, false},
		"repository":                    {[]step{pauseRepo}, true},
		"repository and back":           {[]step{pauseRepo, resumeRepo}, false},
		"both, the run is resumed":      {[]step{pauseRun, pauseRepo, resumeRun}, true},
		"both, the other is resumed":    {[]step{pauseRepo, pauseRun, resumeRepo}, true},
		"both, and both are resumed":    {[]step{pauseRepo, pauseRun, resumeRepo, resumeRun}, false},
		"both, and both, the other way": {[]step{pauseRepo, pauseRun, resumeRun, resumeRepo}, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			before, claimed, after := job("before"), job("claimed"), job("after")
			run, attempt := f.run(t, before, claimed, after)
			f.offer(t, before, claimed)
			task := f.claim(t, claimed, f.runner(t))
			_, err := f.LoadPlan(t.Context(), attempt.ID)
			require.NoError(t, err)
			for _, s := range c.steps {
				s(t, f, run)
			}
			f.offer(t, after)
			runner := newRunner(t, f.DB, db.Scope{}, "linux")
			for _, j := range []*db.Job{before, after} {
				state, held := f.latest(t, j, 1)
				require.Equal(t, db.OfferQueued, state)
				require.Equal(t, c.held, held)
				f.reload(t, j)
				require.Equal(t, ci.StatusWaiting, j.Status)
			}
			f.reload(t, task)
			require.Equal(t, db.TaskRunning, task.Status, "what runs goes on")
			unseen, err := f.UnseenNews(t.Context(), 0, 10)
			require.NoError(t, err)
			require.Equal(t, c.steps != nil, len(unseen) == 1, "the workflow hears of it")
			require.Equal(t, c.held, tryClaim(t, f.DB, runner) == nil)
		})
	}
}

func TestWhatWasPausedDoesNotOvertake(t *testing.T) {
	f := newFixture(t)
	other := dbtest.Repository(t, f.DB, f.owner)
	runner := newRunner(t, f.DB, db.Scope{}, "linux")
	held := offerJobs(t, f.DB, f.repo, 3)
	require.NoError(t, f.PauseRun(t.Context(), held[0].RunID, 1, f.owner.ID))
	offerJobs(t, f.DB, other, 5)
	require.Equal(t, "BBB", served(t, f.DB, runner, 3, f.repo, other))
	heard := f.listen(t)
	require.NoError(t, f.ResumeRun(t.Context(), held[0].RunID, 1, f.owner.ID))
	require.Len(t, heard(), 1)
	require.Equal(t, "ABABA", served(t, f.DB, runner, 5, f.repo, other), "what was held takes turns from now on")
}

func TestPauseOfWhatIsNotThere(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"))
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusSuccess})
	require.ErrorIs(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID), db.ErrFinished)
	require.ErrorIs(t, f.ResumeRun(t.Context(), run.ID, 1, f.owner.ID), db.ErrFinished)
	require.ErrorIs(t, f.EditRepository(t.Context(), 404, db.RepositoryChange{By: f.owner.ID, Paused: new(true)}), db.ErrNotFound)
	require.ErrorIs(t, f.EditRepository(t.Context(), 404, db.RepositoryChange{By: f.owner.ID, Paused: new(false)}), db.ErrNotFound)
}

// A queue timeout does not count a pause: it leaves a held offer alone. Whoever cancels takes it back.
func TestEndTaskOfAHeldOffer(t *testing.T) {
	f := newFixture(t)
	a := job("a")
	run, _ := f.run(t, a)
	f.offer(t, a)
	require.NoError(t, f.PauseRun(t.Context(), run.ID, 1, f.owner.ID))
	o, err := f.TakeBack(t.Context(), a.ID, 0)
	require.NoError(t, err)
	require.Equal(t, db.OfferTask{State: db.OfferQueued, Held: true}, o)
	o, err = f.EndTask(t.Context(), a.ID, db.EndGraceful, "cancelled")
	require.NoError(t, err)
	require.Equal(t, db.OfferTask{State: db.OfferWithdrawn}, o)
	require.NoError(t, f.ResumeRun(t.Context(), run.ID, 1, f.owner.ID))
	state, _ := f.latest(t, a, 1)
	require.Equal(t, db.OfferWithdrawn, state)
}

// Whatever races with a pause: afterwards nothing of what is paused is queued.
func TestOffersCannotSlipThroughAPause(t *testing.T) {
	for name, pause := range map[string]func(*testing.T, *fixture, *db.Run) error{
		"run": func(t *testing.T, f *fixture, r *db.Run) error { return f.PauseRun(t.Context(), r.ID, 1, f.owner.ID) },
		"repository": func(t *testing.T, f *fixture, _ *db.Run) error {
			return f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{By: f.owner.ID, Paused: new(true)})
		},
		"cancel": func(t *testing.T, f *fixture, r *db.Run) error {
			_, err := f.RequestCancel(t.Context(), db.CancelRequest{RunID: r.ID})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			for range 20 {
				jobs := []*db.Job{job("a"), job("b"), job("c"), job("d")}
				run, attempt := f.run(t, jobs...)
				var both sync.WaitGroup
				both.Go(func() {
					for _, j := range jobs {
						if _, err := f.RecordStep(t.Context(), db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Offered: []int64{j.ID}}); err != nil {
							t.Error(err)
						}
					}
				})
				both.Go(func() {
					if err := pause(t, f, run); err != nil {
						t.Error(err)
					}
				})
				both.Wait()
				n, err := f.NewSelect().Model((*db.Offer)(nil)).Where("attempt_id = ?", attempt.ID).Where("state = 'queued'").Count(t.Context())
				require.NoError(t, err)
				require.Zero(t, n)
				require.NoError(t, f.EditRepository(t.Context(), f.repo.ID, db.RepositoryChange{By: f.owner.ID, Paused: new(false)}))
			}
		})
	}
}
