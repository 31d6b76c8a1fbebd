package db_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

const (
	sha1 = "1111111111111111111111111111111111111111"
	sha2 = "2222222222222222222222222222222222222222"
)

func TestAPushMakesItsRunsOnce(t *testing.T) {
	f := newFixture(t)
	push := func(known, sha string) (int, bool) {
		run := *newRun(f)
		require.NoError(t, f.PrepareRun(t.Context(), &run))
		attempts, fresh, err := f.CreatePush(t.Context(), db.RefMove{RepoID: f.repo.ID, Name: "refs/heads/main", Known: known, SHA: sha},
			[]db.NewRun{{Run: &run, Jobs: []*db.Job{job("a")}}})
		require.NoError(t, err)
		return len(attempts), fresh
	}
	n, fresh := push("", sha1)
	require.Equal(t, []any{1, true}, []any{n, fresh})
	n, fresh = push("", sha1)
	require.Equal(t, []any{0, false}, []any{n, fresh})
	n, fresh = push(sha1, sha2)
	require.Equal(t, []any{1, true}, []any{n, fresh})
	for name, known := range map[string]string{"the way there once more": sha1, "as if it were new": ""} {
		n, fresh = push(known, sha1)
		require.Equal(t, []any{0, false}, []any{n, fresh}, name)
	}
	f.reload(t, f.repo)
	require.False(t, f.repo.IsEmpty)
	refs, err := f.KnownRefs(t.Context(), f.repo.ID)
	require.NoError(t, err)
	require.Equal(t, map[string]string{"refs/heads/main": sha2}, refs)

	for _, c := range []struct {
		known string
		fresh bool
	}{{sha1, false}, {sha2, true}, {sha2, false}} {
		_, fresh, err = f.CreatePush(t.Context(), db.RefMove{RepoID: f.repo.ID, Name: "refs/heads/main", Known: c.known}, nil)
		require.NoError(t, err)
		require.Equal(t, c.fresh, fresh, "the ref is deleted only from where it is")
	}
	sha, err := f.KnownRef(t.Context(), f.repo.ID, "refs/heads/main")
	require.NoError(t, err)
	require.Empty(t, sha)
}

func TestWhoALostPushCountsAs(t *testing.T) {
	f := newFixture(t)
	_, err := f.LostPusher(t.Context(), f.repo.ID)
	require.ErrorIs(t, err, db.ErrNotFound, "no push is under way")
	for _, c := range []struct{ pusher, want int64 }{
		{db.ActionsBotID, db.ActionsBotID}, {f.owner.ID, f.owner.ID}, {f.owner.ID + 1000, f.owner.ID},
	} {
		_, err := f.BeginPush(t.Context(), f.repo.ID, c.pusher)
		require.NoError(t, err)
		pusher, err := f.LostPusher(t.Context(), f.repo.ID)
		require.NoError(t, err)
		require.Equal(t, c.want, pusher.ID)
	}
	_, err = f.NewRaw(`DELETE FROM pending_pushes WHERE pusher_id = ?`, f.owner.ID).Exec(t.Context())
	require.NoError(t, err)
	_, err = f.LostPusher(t.Context(), f.repo.ID)
	require.ErrorIs(t, err, db.ErrNotFound, "the account is gone")
}

func TestTheSamePushAtOnceIsHandledOnce(t *testing.T) {
	f := newFixture(t)
	var group errgroup.Group
	results := make([]bool, 8)
	for i := range results {
		run := newRun(f)
		require.NoError(t, f.PrepareRun(t.Context(), run))
		group.Go(func() (err error) {
			_, results[i], err = f.CreatePush(t.Context(), db.RefMove{RepoID: f.repo.ID, Name: "refs/heads/main", SHA: sha1},
				[]db.NewRun{{Run: run}})
			return err
		})
	}
	require.NoError(t, group.Wait())
	fresh := 0
	for _, r := range results {
		if r {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	n, err := f.NewSelect().Model((*db.Run)(nil)).Count(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestPendingPushes(t *testing.T) {
	f := newFixture(t)
	id, err := f.BeginPush(t.Context(), f.repo.ID, f.owner.ID)
	require.NoError(t, err)
	repos, err := f.PendingPushes(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, repos, 1)
	require.Equal(t, f.repo.FullName(), repos[0].FullName())
	repos, err = f.PendingPushes(t.Context(), time.Hour, 10)
	require.NoError(t, err)
	require.Empty(t, repos, "a young push is still under way")
	require.NoError(t, f.EndPush(t.Context(), id))
	repos, err = f.PendingPushes(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, repos)
}

func TestCancelStopsEverythingWithoutAnIf(t *testing.T) {
	f := newFixture(t)
	queued, running, always := job("queued"), job("running"), job("always")
	always.IfExpr = "always()"
	run, attempt := f.run(t, queued, running, always)
	f.offer(t, queued, running, always)
	task := f.claim(t, running, f.runner(t))
	spared := f.claim(t, always, f.runner(t))

	f.cancel(t, run)
	f.cancel(t, run) // a second cancel changes nothing
	f.reload(t, task)
	f.reload(t, spared)
	require.Equal(t, []db.TaskStatus{db.TaskCancelled, db.TaskRunning}, []db.TaskStatus{task.Status, spared.Status})
	o, err := f.Attach(t.Context(), queued.ID, 1)
	require.NoError(t, err)
	require.Equal(t, db.OfferWithdrawn, o.State)

	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, Status: ci.StatusCancelled})
	_, err = f.RequestCancel(t.Context(), db.CancelRequest{RunID: run.ID, Attempt: 1, By: f.owner.ID})
	require.ErrorIs(t, err, db.ErrFinished)
}

func TestAbandonedAttemptEndsWithAllItsJobs(t *testing.T) {
	f := newFixture(t)
	a, b := job("a"), job("b", "a")
	run, attempt := f.run(t, a, b)
	f.offer(t, a)
	task := f.claim(t, a, f.runner(t, db.CapabilityCancelling))
	changed, err := f.AbandonAttempt(t.Context(), run.ID, attempt.ID, ci.StatusCancelled, "gone")
	require.NoError(t, err)
	require.True(t, changed)
	changed, err = f.AbandonAttempt(t.Context(), run.ID, attempt.ID, ci.StatusCancelled, "gone")
	require.NoError(t, err)
	require.False(t, changed, "it has ended")
	f.reload(t, run)
	f.reload(t, a)
	f.reload(t, b)
	f.reload(t, task)
	require.Equal(t, ci.StatusCancelled, run.Status)
	require.Equal(t, []ci.Status{ci.StatusCancelled, ci.StatusCancelled}, []ci.Status{a.Status, b.Status})
	require.Equal(t, db.TaskCancelled, task.Status)
}

func TestWhatTheReconcilerFinds(t *testing.T) {
	f := newFixture(t)
	run, attempt := f.run(t, job("a"))
	unstarted, err := f.UnstartedAttempts(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Equal(t, []db.OpenAttempt{{
		RunID: run.ID, AttemptID: attempt.ID, Attempt: 1, Repository: f.repo.FullName(), Workflow: "w.yml", Event: "push",
		Ref: "refs/heads/main", Actor: f.owner.Login, RunNumber: 1,
	}}, unstarted)

	_, err = f.LoadPlan(t.Context(), attempt.ID)
	require.NoError(t, err)
	unstarted, err = f.UnstartedAttempts(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, unstarted)

	f.cancel(t, run)
	unheard, err := f.UnheardCancels(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, unheard, 1)
	f.record(t, db.RunStep{RunID: run.ID, AttemptID: attempt.ID, CancelSeen: true})
	unheard, err = f.UnheardCancels(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, unheard)
}

func TestRunNumbersAreTakenOnceEach(t *testing.T) {
	f := newFixture(t)
	numbers := make([]int64, 20)
	var group errgroup.Group
	for i := range numbers {
		group.Go(func() error {
			run := newRun(f)
			err := f.PrepareRun(t.Context(), run)
			numbers[i] = run.RunNumber
			return err
		})
	}
	require.NoError(t, group.Wait())
	want := make([]int64, len(numbers))
	for i := range want {
		want[i] = int64(i + 1)
	}
	require.ElementsMatch(t, want, numbers)
}
