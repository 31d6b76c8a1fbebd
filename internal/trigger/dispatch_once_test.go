package trigger_test

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

const deployFile = `on:
  workflow_dispatch:
    inputs:
      to: {type: environment}
      note: {}
jobs: {a: {runs-on: linux, steps: [{run: "true"}]}}
`

// newDispatch is a fixture with a file that only a dispatch starts, and a request for it.
func newDispatch(t *testing.T) (*fixture, trigger.DispatchRequest) {
	t.Helper()
	f := newFixture(t)
	f.push(t, file, deployFile, "Add a workflow")
	return f, trigger.DispatchRequest{Repo: f.repo, Actor: f.owner, Workflow: "ci.yml", Ref: "main"}
}

func TestDispatchOnce(t *testing.T) {
	f, r := newDispatch(t)
	first, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.False(t, repeated)
	again, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.True(t, repeated)
	require.Equal(t, first, again)

	other := r
	other.Inputs = map[string]string{"note": "x"}
	_, _, err = f.DispatchOnce(t.Context(), other, "k")
	require.True(t, fault.Has(err, fault.CodeConflict), err)
	require.Len(t, f.runs(t), 1)

	// A key is its actor's own.
	ben := &db.Owner{Kind: db.KindUser, Login: "ben", LowerLogin: "ben", IsActive: true}
	require.NoError(t, f.db.CreateOwner(t.Context(), ben))
	r.Actor = ben
	bens, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.False(t, repeated)
	require.NotEqual(t, first, bens)
}

func TestDispatchOnceAfterARefusalAndADay(t *testing.T) {
	f, r := newDispatch(t)
	r.Ref = "later"
	_, _, err := f.DispatchOnce(t.Context(), r, "k")
	require.True(t, fault.Has(err, fault.CodeNotFound), err)
	f.git(t, "push", "-q", "origin", "main:refs/heads/later")
	first, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.False(t, repeated, "what was refused may be asked again")

	_, err = f.db.NewRaw(`UPDATE dispatch_keys SET created_at = now() - interval '24 hours'`).Exec(t.Context())
	require.NoError(t, err)
	second, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.False(t, repeated, "a key lives for a day, swept or not")
	require.NotEqual(t, first, second)
}

// Should the process die between the transaction and Temporal, the client asks again and the reconciler starts it.
func TestDispatchOnceWhileTemporalIsAway(t *testing.T) {
	f, r := newDispatch(t)
	f.engine.down = errors.New("temporal is away")
	first, _, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	again, repeated, err := f.DispatchOnce(t.Context(), r, "k")
	require.NoError(t, err)
	require.True(t, repeated)
	require.Equal(t, first, again)
	unstarted, err := f.db.UnstartedAttempts(t.Context(), 0, 10)
	require.NoError(t, err)
	require.Len(t, unstarted, 1)
}

func TestManyDispatchOnceAtOnce(t *testing.T) {
	f, r := newDispatch(t)
	var group sync.WaitGroup
	runs := make([]int64, 8)
	for i := range runs {
		group.Go(func() {
			run, _, err := f.DispatchOnce(t.Context(), r, "k")
			if err != nil {
				t.Error(err)
			}
			runs[i] = run
		})
	}
	group.Wait()
	require.Len(t, f.runs(t), 1)
	for _, run := range runs {
		require.Equal(t, runs[0], run)
	}
	require.Len(t, f.engine.started, 1)
}

func TestDispatchInputs(t *testing.T) {
	f, r := newDispatch(t)
	message := func(inputs map[string]string) string {
		r.Inputs = inputs
		_, err := f.Dispatch(t.Context(), r)
		if err == nil {
			return ""
		}
		require.True(t, fault.Has(err, fault.CodeUnprocessable), err)
		return fault.From(err).Text()
	}
	require.Empty(t, message(map[string]string{"to": "anywhere"}), "without environments there are no rules to miss")
	require.NoError(t, f.db.PutEnvironment(t.Context(), &db.Environment{RepoID: f.repo.ID, Name: "Prod", Reviewers: []int64{}}))
	require.Empty(t, message(map[string]string{"to": "prod"}))
	require.Empty(t, message(nil))
	require.Equal(t, `[inputs.to]: environment "anywhere" doesn't exist`, message(map[string]string{"to": "anywhere"}))

	many := map[string]string{}
	for i := range 26 {
		many[strings.Repeat("x", i+1)] = ""
	}
	require.Equal(t, "[inputs]: there are 26 inputs; the limit is 25", message(many))
	require.Empty(t, message(map[string]string{"note": strings.Repeat("ü", 65_535)}))
	require.Equal(t, "[inputs]: the inputs have 65536 characters; the limit is 65535",
		message(map[string]string{"note": strings.Repeat("ü", 65_536)}))
}
