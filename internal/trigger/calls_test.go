package trigger_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

const (
	library  = "on: workflow_call\njobs:\n  x: {runs-on: linux, steps: [{run: x}]}\n"
	callable = ".gitea/workflows/lib.yml"
)

// calling is a workflow that starts by hand, may be called, and calls others.
func calling(uses ...string) string {
	var b strings.Builder
	b.WriteString("on: [workflow_dispatch, workflow_call]\njobs:\n")
	for i, u := range uses {
		fmt.Fprintf(&b, "  j%d:\n    uses: %s\n", i, u)
	}
	return b.String()
}

// commit writes files, given as path and content by turns, and pushes them at once.
func (f *fixture) commit(t *testing.T, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		f.write(t, files[i], files[i+1])
	}
	f.git(t, "add", ".")
	f.git(t, "commit", "-q", "-m", "Files")
	f.git(t, "push", "-q", "origin", "main")
}

func (f *fixture) files(t *testing.T, run *db.Run, attempt int) []*db.AttemptFile {
	t.Helper()
	a, err := f.db.Attempt(t.Context(), run.ID, attempt)
	require.NoError(t, err)
	files, err := f.db.AttemptFiles(t.Context(), a.ID)
	require.NoError(t, err)
	return files
}

func TestPlainRunsKeepNoFiles(t *testing.T) {
	f := newFixture(t)
	f.push(t, file, pushed, "Add a workflow")
	require.Empty(t, f.files(t, f.latest(t), 1))
}

func TestCalledFilesAreKept(t *testing.T) {
	f := newFixture(t)
	shared := f.repository(t, "bob", "Shared", false)
	f.publish(t, shared, "v1", "ci/a.yml", calling("./ci/b.yml"), "ci/b.yml", library)
	f.commit(t, file, calling("./"+callable, "bob/shared/ci/a.yml@v1", "Bob/Shared/ci/a.yml@main", "./"+callable), callable, library)
	run := f.dispatch(t, "ci.yml")
	require.Equal(t, ci.StatusWaiting, run.Status)
	jobs := f.jobs(t, run, 1)
	require.Equal(t, []any{ci.JobCall, "./" + callable, 0}, []any{jobs[0].Kind, jobs[0].Uses, jobs[0].File})

	files := f.files(t, run, 1)
	require.Len(t, files, 4, "a file at one commit is kept once, however it is called")
	own, lib, a, b := files[0], files[1], files[2], files[3]
	require.Equal(t, map[string]db.CallTarget{
		"./" + callable: {File: 1}, "bob/shared/ci/a.yml@v1": {File: 2}, "Bob/Shared/ci/a.yml@main": {File: 2},
	}, own.Calls)
	require.Equal(t, []any{f.repo.ID, "ann/app", file, "refs/heads/main", run.SHA}, []any{own.RepoID, own.Repository, own.Path, own.Ref, own.SHA})
	require.Equal(t, []any{f.repo.ID, run.SHA, library}, []any{lib.RepoID, lib.SHA, string(lib.Content)})
	require.Equal(t, []any{shared.ID, "bob/Shared", "ci/a.yml", "refs/tags/v1"}, []any{a.RepoID, a.Repository, a.Path, a.Ref})
	require.Equal(t, map[string]db.CallTarget{"./ci/b.yml": {File: 3}}, a.Calls)
	require.Equal(t, []any{shared.ID, a.SHA, "ci/b.yml", map[string]db.CallTarget{}}, []any{b.RepoID, b.SHA, b.Path, b.Calls}, "in the repository of the file that calls")
}

// Files may also be called by the address of this very server.
func TestFilesCalledByTheirAddress(t *testing.T) {
	f := newFixture(t)
	shared := f.repository(t, "bob", "shared", false)
	f.publish(t, shared, "v1", "ci/a.yml", library)
	const own, other = "http://pawl.test/bob/shared/ci/a.yml@v1", "https://elsewhere.test/bob/shared/ci/a.yml@v1"
	f.commit(t, file, calling(own, "bob/shared/ci/a.yml@v1", other))
	files := f.files(t, f.dispatch(t, "ci.yml"), 1)
	require.Len(t, files, 2)
	require.Equal(t, map[string]db.CallTarget{
		own: {File: 1}, "bob/shared/ci/a.yml@v1": {File: 1},
		other: {Problem: file + `:8:11: reusable workflow "` + other + `" cannot be called: only workflows of this server (http://pawl.test) can be called`},
	}, files[0].Calls)
}

func TestWhatCannotBeCalled(t *testing.T) {
	f := newFixture(t)
	f.publish(t, f.repository(t, "bob", "open", false), "v1", "a.yml", library, "other.yml", "on: push\n"+library[len("on: workflow_call\n"):],
		"broken.yml", "on: workflow_call\njobs:\n  x: {runs-on: linux}\n", "big.yml", library+strings.Repeat("# long\n", 200_000),
		"loop.yml", calling("./loop2.yml"), "loop2.yml", calling("bob/open/loop.yml@v1"))
	f.publish(t, f.repository(t, "bob", "secret", true), "v1", "a.yml", library)
	f.commit(t, file, calling("bob/secret/a.yml@v1", "bob/nothing/a.yml@v1", "nobody/x/a.yml@v1", "bob/open/a.yml@v2", "bob/open/b.yml@v1",
		"bob/open/other.yml@v1", "bob/open/broken.yml@v1", "bob/open/big.yml@v1", "./"+file, "bob/open/loop.yml@v1", "./.gitea/workflows/no.yml"))
	run := f.dispatch(t, "ci.yml")
	require.Equal(t, ci.StatusWaiting, run.Status, "only the jobs fail that call")
	files := f.files(t, run, 1)
	got := files[0].Calls
	for uses, want := range map[string]string{
		"bob/secret/a.yml@v1":       file + `:4:11: reusable workflow "bob/secret/a.yml@v1" was not found`,
		"bob/nothing/a.yml@v1":      file + `:6:11: reusable workflow "bob/nothing/a.yml@v1" was not found`,
		"nobody/x/a.yml@v1":         file + `:8:11: reusable workflow "nobody/x/a.yml@v1" was not found`,
		"bob/open/a.yml@v2":         `was not found: bob/open has no branch, tag or commit "v2"`,
		"bob/open/b.yml@v1":         `was not found: there is no such file at tag v1 of bob/open`,
		"bob/open/other.yml@v1":     "cannot be called: it has no `on: workflow_call`",
		"bob/open/broken.yml@v1":    "is invalid: broken.yml:3:3: ",
		"bob/open/big.yml@v1":       "is larger than 1 MiB",
		"./" + file:                 "calls itself: " + file + " -> " + file,
		"./.gitea/workflows/no.yml": "there is no such file at branch main of ann/app",
	} {
		require.Contains(t, got[uses].Problem, want)
		require.Zero(t, got[uses].File)
	}
	require.NotZero(t, got["bob/open/loop.yml@v1"].File)
	require.Contains(t, files[2].Calls["bob/open/loop.yml@v1"].Problem, "calls itself: loop.yml -> loop2.yml -> loop.yml")
}

func TestWhoMayCallAPrivateWorkflow(t *testing.T) {
	for name, c := range map[string]struct {
		owner string
		given func(*testing.T, *fixture, *db.Repository)
		may   bool
	}{
		"nobody else":    {"bob", func(*testing.T, *fixture, *db.Repository) {}, false},
		"the same owner": {"ann", func(*testing.T, *fixture, *db.Repository) {}, true},
		"a collaborator": {"bob", func(t *testing.T, f *fixture, r *db.Repository) {
			require.NoError(t, f.db.SetCollaborator(t.Context(), r.ID, f.owner.ID, db.PermissionRead))
		}, true},
		"an admin is as other": {"bob", func(_ *testing.T, f *fixture, _ *db.Repository) { f.owner.IsAdmin = true }, false},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			private := f.repository(t, c.owner, "lib", true)
			f.publish(t, private, "v1", "a.yml", library)
			c.given(t, f, private)
			uses := c.owner + "/lib/a.yml@v1"
			f.commit(t, file, calling(uses))
			target := f.files(t, f.dispatch(t, "ci.yml"), 1)[0].Calls[uses]
			require.Equal(t, c.may, target.Problem == "", target.Problem)
		})
	}
}

func TestCallsOfAnOutsideRepository(t *testing.T) {
	f := newFixture(t)
	origin := t.TempDir()
	gitIn(t, origin, "init", "-q", "-b", "main")
	writeIn(t, origin, "a.yml", library)
	gitIn(t, origin, "add", ".")
	gitIn(t, origin, "-c", "user.name=ann", "-c", "user.email=ann@example.invalid", "commit", "-q", "-m", "Outside")
	outside := f.repository(t, "bob", "outside", false)
	gone := f.repository(t, "bob", "gone", false)
	f.exec(t, `UPDATE repositories SET clone_url = ? WHERE id = ?`, "file://"+origin, outside.ID)
	f.exec(t, `UPDATE repositories SET clone_url = ? WHERE id = ?`, "file://"+filepath.Join(origin, "gone"), gone.ID)
	f.commit(t, file, calling("bob/outside/a.yml@main", "bob/gone/a.yml@main"))
	calls := f.files(t, f.dispatch(t, "ci.yml"), 1)[0].Calls
	require.Equal(t, db.CallTarget{File: 1}, calls["bob/outside/a.yml@main"])
	require.Contains(t, calls["bob/gone/a.yml@main"].Problem, "cannot be fetched")
}

func TestLimitsOfCalls(t *testing.T) {
	t.Run("levels", func(t *testing.T) {
		f := newFixture(t)
		files := []string{file, calling("./l1.yml")}
		const levels = ci.MaxCallDepth + 2
		for i := 1; i < levels; i++ {
			files = append(files, fmt.Sprintf("l%d.yml", i), calling(fmt.Sprintf("./l%d.yml", i+1)))
		}
		f.commit(t, append(files, fmt.Sprintf("l%d.yml", levels), library)...)
		kept := f.files(t, f.dispatch(t, "ci.yml"), 1)
		require.Len(t, kept, ci.MaxCallDepth+1)
		require.Contains(t, kept[ci.MaxCallDepth].Calls["./l10.yml"].Problem, "nested too deeply")
	})
	t.Run("levels by a shorter way first", func(t *testing.T) {
		f := newFixture(t)
		uses := []string{"./l5.yml", "./l1.yml"}
		files := []string{file, calling(uses...)}
		for i := 1; i < ci.MaxCallDepth+1; i++ {
			files = append(files, fmt.Sprintf("l%d.yml", i), calling(fmt.Sprintf("./l%d.yml", i+1)))
		}
		f.commit(t, append(files, fmt.Sprintf("l%d.yml", ci.MaxCallDepth+1), library)...)
		kept := f.files(t, f.dispatch(t, "ci.yml"), 1)
		for _, k := range kept {
			if k.Path == "l4.yml" {
				require.Contains(t, k.Calls["./l5.yml"].Problem, "nested too deeply")
			}
		}
		require.Empty(t, kept[0].Calls["./l5.yml"].Problem)
	})
	t.Run("files", func(t *testing.T) {
		f := newFixture(t)
		var uses, files []string
		for i := range ci.MaxCalledFiles + 5 {
			uses = append(uses, fmt.Sprintf("./f%d.yml", i))
			files = append(files, fmt.Sprintf("f%d.yml", i), library)
		}
		f.commit(t, append(files, file, calling(uses...))...)
		kept := f.files(t, f.dispatch(t, "ci.yml"), 1)
		require.Len(t, kept, ci.MaxCalledFiles+1)
		require.Contains(t, kept[0].Calls[uses[ci.MaxCalledFiles]].Problem, "one too many")
		require.Empty(t, kept[0].Calls[uses[ci.MaxCalledFiles-1]].Problem)
	})
	t.Run("other repositories", func(t *testing.T) {
		f := newFixture(t)
		var uses []string
		for i := range ci.MaxCalledFiles + 5 {
			uses = append(uses, fmt.Sprintf("bob/x%d/f.yml@main", i))
		}
		f.commit(t, file, calling(uses...))
		calls := f.files(t, f.dispatch(t, "ci.yml"), 1)[0].Calls
		require.Contains(t, calls[uses[0]].Problem, "was not found")
		require.Contains(t, calls[uses[ci.MaxCalledFiles]].Problem, "one too many")
	})
}

func TestARerunReadsCalledFilesAnewOnlyAsAWhole(t *testing.T) {
	f := newFixture(t)
	shared := f.repository(t, "bob", "shared", false)
	f.publish(t, shared, "v1", "a.yml", library)
	f.commit(t, file, calling("bob/shared/a.yml@v1"))
	run := f.dispatch(t, "ci.yml")
	before := f.files(t, run, 1)[1].SHA
	finish := func(attempt int) {
		var ends []db.JobEnd
		for _, j := range f.jobs(t, run, attempt) {
			ends = append(ends, db.JobEnd{JobID: j.ID, Status: ci.StatusFailure})
		}
		f.end(t, run, attempt, ci.StatusFailure, ends...)
	}
	finish(1)
	f.publish(t, shared, "v1", "a.yml", library+"# changed\n")

	_, err := f.rerunFailed(t, f.latest(t))
	require.NoError(t, err)
	require.Equal(t, before, f.files(t, run, 2)[1].SHA)
	finish(2)
	_, err = f.rerun(t, f.latest(t), f.jobs(t, run, 2)[0].ID)
	require.NoError(t, err)
	require.Equal(t, before, f.files(t, run, 3)[1].SHA)
	finish(3)
	_, err = f.rerun(t, f.latest(t))
	require.NoError(t, err)
	anew := f.files(t, run, 4)
	require.NotEqual(t, before, anew[1].SHA)
	require.Equal(t, f.files(t, run, 1)[0].Content, anew[0].Content, "its own file stays as it was")
}
