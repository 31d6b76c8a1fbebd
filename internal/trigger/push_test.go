package trigger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/engine"
	"github.com/pawl-ci/pawl/internal/git"
	"github.com/pawl-ci/pawl/internal/trigger"
)

const onEveryPush = "on: push\njobs:\n  a:\n    runs-on: linux\n    steps: [{run: x}]\n"

// busyGit lets something happen right after git's refs were read, once.
type busyGit struct {
	trigger.Git
	then func()
}

func (g *busyGit) Refs(ctx context.Context, repo int64) (map[string]string, error) {
	refs, err := g.Git.Refs(ctx, repo)
	if then := g.then; then != nil {
		g.then = nil
		then()
	}
	return refs, err
}

func (f *fixture) titles(t *testing.T) []string {
	t.Helper()
	var titles []string
	for _, r := range f.runs(t) {
		titles = append(titles, r.Title)
	}
	return titles
}

// lose pushes as if the process died when git had the refs.
func (f *fixture) lose(push func()) {
	f.losing.Store(true)
	defer f.losing.Store(false)
	push()
}

// settled is that nothing is left to be replayed and no note of a push.
func (f *fixture) settled(t *testing.T) {
	t.Helper()
	left, err := f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Zero(t, left)
	pending, err := f.db.PendingPushes(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestAPushWhileAReplayLooks(t *testing.T) {
	for name, prepare := range map[string]func(*fixture){
		"at nothing lost": func(*fixture) {},
		"at a lost push":  func(f *fixture) { f.lose(func() { f.git(t, "push", "-q", "origin", "main:lost") }) },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.push(t, file, pushed, "one")
			prepare(f)
			f.Git = &busyGit{Git: f.Git, then: func() { f.push(t, "x", "x", "two") }}
			_, err := f.ReplayPush(t.Context(), f.repo)
			require.NoError(t, err)
			require.Equal(t, []string{"one", "two"}, f.titles(t))
			f.settled(t)
		})
	}
}

func TestPushesAtOnceMakeOneRunEach(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, onEveryPush, "begin")
	const branches, pushes = 6, 4
	done := make(chan struct{})
	var replays, group errgroup.Group
	replays.Go(func() error {
		for {
			select {
			case <-done:
				return nil
			default:
				if _, err := f.ReplayPush(t.Context(), f.repo); err != nil {
					return err
				}
			}
		}
	})
	for b := range branches {
		dir := filepath.Join(t.TempDir(), "clone")
		f.git(t, "clone", "-q", f.url, dir)
		group.Go(func() error { return pushSeries(dir, fmt.Sprintf("b%d", b), pushes) })
	}
	require.NoError(t, group.Wait())
	close(done)
	require.NoError(t, replays.Wait())

	got := map[string][]string{}
	for _, r := range f.runs(t)[1:] {
		got[r.Ref] = append(got[r.Ref], r.Title)
	}
	require.Len(t, got, branches)
	for ref, titles := range got {
		branch := strings.TrimPrefix(ref, "refs/heads/")
		var want []string
		for i := range pushes {
			want = append(want, fmt.Sprintf("%s %d", branch, i))
		}
		require.Equal(t, want, titles, "in order, each once")
	}
	f.settled(t)
}

// pushSeries makes commits on a branch of a clone and pushes each.
func pushSeries(dir, branch string, n int) error {
	for i := range n {
		message := fmt.Sprintf("%s %d", branch, i)
		for _, args := range [][]string{
			{"-c", "user.name=ann", "-c", "user.email=ann@example.invalid", "commit", "-q", "--allow-empty", "-m", message},
			{"push", "-q", "origin", "HEAD:refs/heads/" + branch},
		} {
			cmd := exec.Command("git", args...)
			cmd.Dir, cmd.Env = dir, append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("git %v: %w: %s", args, err, out)
			}
		}
	}
	return nil
}

func TestALostPushIsMadeUpForByTheNext(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, onEveryPush, "one")
	f.lose(func() { f.push(t, "x", "2", "two") })
	require.Equal(t, []string{"one"}, f.titles(t))
	f.push(t, "x", "3", "three")
	require.Equal(t, []string{"one", "two", "three"}, f.titles(t))
	require.Len(t, f.engine.started, 3)

	f.git(t, "push", "-q", "origin", "main:side")
	f.lose(func() { f.git(t, "push", "-q", "origin", ":side") })
	f.git(t, "push", "-q", "origin", "main:side")
	require.Equal(t, []string{"one", "two", "three", "three", "three"}, f.titles(t), "deleted and made again")
	f.lose(func() { f.git(t, "push", "-q", "origin", ":side") })
	left, err := f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Equal(t, 1, left)
	require.Len(t, f.runs(t), 5)
	f.settled(t)
}

func TestAPushThatComesLateMovesNothingBack(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, onEveryPush, "one")
	f.push(t, "x", "2", "two")
	f.push(t, "x", "3", "three")
	runs := f.runs(t)
	late := []git.RefUpdate{{Ref: "refs/heads/main", Old: runs[0].SHA, New: runs[1].SHA}}
	require.NoError(t, f.Push(t.Context(), f.repo, f.owner, late))
	require.Len(t, f.runs(t), 3)
	f.settled(t)
}

func TestWhoAReplayedPushIsOf(t *testing.T) {
	for name, c := range map[string]struct {
		pusher func(*fixture) *db.Owner
		actor  string // "": no run
	}{
		"a person":          {func(f *fixture) *db.Owner { return f.person(t, "bob") }, "bob"},
		"a job":             {func(*fixture) *db.Owner { return db.ActionsBot() }, ""},
		"an account gone":   {func(*fixture) *db.Owner { return &db.Owner{ID: 4711} }, "ann"},
		"the owner himself": {func(f *fixture) *db.Owner { return f.owner }, "ann"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			id, err := f.BeginPush(t.Context(), f.repo, c.pusher(f))
			require.NoError(t, err)
			f.lose(func() { f.push(t, file, onEveryPush, "one") })
			left, err := f.ReplayPush(t.Context(), f.repo)
			require.NoError(t, err)
			require.Equal(t, 1, left)
			require.NoError(t, f.db.EndPush(t.Context(), id))
			f.settled(t)
			var actors []string
			for _, s := range f.engine.started {
				actors = append(actors, s.Actor)
			}
			require.Equal(t, c.actor, strings.Join(actors, " "))
			require.Len(t, f.runs(t), len(actors))
		})
	}
}

func (f *fixture) person(t *testing.T, login string) *db.Owner {
	t.Helper()
	o := &db.Owner{Kind: db.KindUser, Login: login, IsActive: true}
	require.NoError(t, f.db.CreateOwner(t.Context(), o))
	return o
}

func TestAReplayDoesNotWaitForALongPush(t *testing.T) {
	f := newFixture(t)
	f.lose(func() { f.push(t, file, onEveryPush, "one") })
	unlock, err := f.Git.Lock(t.Context(), f.repo.ID)
	require.NoError(t, err)
	left, err := f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Zero(t, left)
	unlock()
	left, err = f.ReplayPush(t.Context(), f.repo)
	require.NoError(t, err)
	require.Equal(t, 1, left)
}

// hanging plays a Temporal that does not answer.
type hanging struct {
	engine.Runs
	deadlines []time.Duration
}

func (h *hanging) StartRun(ctx context.Context, _ engine.RunStart) error {
	at, _ := ctx.Deadline()
	h.deadlines = append(h.deadlines, time.Until(at))
	return context.DeadlineExceeded
}

func TestAPushWaitsForTemporalOnce(t *testing.T) {
	f := newFixture(t)
	for i := range 3 {
		full := filepath.Join(f.work, fmt.Sprintf(".gitea/workflows/w%d.yml", i))
		require.NoError(t, os.MkdirAll(filepath.Dir(full), 0o755))
		require.NoError(t, os.WriteFile(full, []byte(onEveryPush), 0o644))
	}
	f.git(t, "add", ".")
	f.git(t, "commit", "-q", "-m", "Three workflows")
	h := &hanging{}
	f.Engine = h
	f.git(t, "push", "-q", "origin", "main", "main:side")
	require.Len(t, f.runs(t), 6, "all are stored")
	require.Len(t, h.deadlines, 1, "after one failure the reconciler starts the rest")
	require.LessOrEqual(t, slices.Max(h.deadlines), 3*time.Second)

	f.engine.down = errors.New("temporal is away")
	f.Engine = f.engine
	f.push(t, "x", "x", "More")
	require.Equal(t, 1, f.engine.calls)
	require.Len(t, f.runs(t), 9)
}
