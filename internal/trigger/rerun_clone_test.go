package trigger_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
	"github.com/pawl-ci/pawl/internal/trigger"
)

var someTime = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

// row reads a job of an attempt from a line such as "2 deploy call failure in=1 of=3 needs=build,test follows=9". A
// deferred job with status "hidden" has its cells, a caller with "expanded" its children.
func row(t *testing.T, line string) *db.Job {
	t.Helper()
	j := &db.Job{Kind: ci.JobTask, TimeoutMinutes: 1, Payload: []byte("x"), TaskID: 7}
	_, err := fmt.Sscanf(line, "%d %s", &j.ID, &j.Key)
	require.NoError(t, err)
	j.Name, j.Cell = j.Key, int(j.ID)
	for _, word := range strings.Fields(line)[2:] {
		name, value, _ := strings.Cut(word, "=")
		switch name {
		case "call", "deferred":
			j.Kind = ci.JobKind(name)
		case "hidden":
			j.IsHidden, j.Status, j.StoppedAt, j.ExpandedAt = true, ci.StatusSkipped, someTime, someTime
		case "expanded":
			j.ExpandedAt, j.CallInputs = someTime, []byte(`{"a":1}`)
		case "in":
			_, err = fmt.Sscan(value, &j.ParentID)
		case "of":
			_, err = fmt.Sscan(value, &j.OriginID)
		case "follows":
			_, err = fmt.Sscan(value, &j.FollowsID)
		case "needs":
			j.Needs = strings.Split(value, ",")
		default:
			if j.Status, err = ci.ParseStatus(name); j.Status.Terminal() {
				j.StoppedAt = someTime
			}
		}
		require.NoError(t, err, word)
	}
	return j
}

// fateOf says in a word what became of a job.
func fateOf(clone *db.Job) string {
	switch {
	case clone.FollowsID != 0:
		return fmt.Sprintf("follows %d", clone.FollowsID)
	case clone.IsHidden:
		return "hidden"
	case clone.Status.Terminal():
		return "kept"
	case !clone.ExpandedAt.IsZero():
		return "open"
	}
	return "again"
}

func TestWhatARerunMakesOfJobs(t *testing.T) {
	graph := []string{
		"1 build success", "2 build failure", "3 test success needs=build", "4 lint success", "5 deploy skipped needs=test,lint",
	}
	calls := []string{
		"1 prep success", "2 ci call failure needs=prep expanded", "3 other call success expanded", "4 end skipped needs=ci",
		"5 unit success in=2", "6 e2e failure in=2 needs=unit", "7 report skipped in=2 needs=e2e", "8 deep call success in=2 expanded",
		"9 leaf success in=8", "10 unit success in=3", "11 last success needs=other",
	}
	late := []string{
		"1 plan success", "2 work deferred hidden needs=plan", "3 sum failure needs=work",
		"4 work success of=2 needs=plan", "5 work call failure of=2 needs=plan expanded", "6 unit failure in=5", "7 unit success in=5",
	}
	running := []string{
		"1 a failure", "2 b running", "3 c blocked needs=b", "4 d success needs=a", "5 e call running expanded", "6 x success in=5",
		"7 y running in=5 needs=x", "8 z waiting in=5", "9 e call success", "10 w waiting follows=77",
	}
	for name, c := range map[string]struct {
		rows   []string
		job    int64 // -1: failed ones
		want   string
		reason string // of a fault
	}{
		"all":                              {graph, 0, "1 again, 2 again, 3 again, 4 again, 5 again", ""},
		"failed ones with dependants":      {graph, -1, "1 kept, 2 again, 3 again, 4 kept, 5 again", ""},
		"one cell of a matrix":             {graph, 1, "1 again, 2 kept, 3 again, 4 kept, 5 again", ""},
		"one in the middle":                {graph, 4, "1 kept, 2 kept, 3 kept, 4 again, 5 again", ""},
		"nothing failed, so all":           {[]string{"1 a success", "2 b skipped needs=a"}, -1, "1 again, 2 again", ""},
		"cancelled counts as failed":       {[]string{"1 a success", "2 b cancelled"}, -1, "1 kept, 2 again", ""},
		"all callers lose their children":  {calls, 0, "1 again, 2 again, 3 again, 4 again, 11 again", ""},
		"failed children":                  {calls, -1, "1 kept, 2 open, 3 kept, 4 again, 5 kept, 6 again, 7 again, 8 kept, 9 kept, 10 kept, 11 kept", ""},
		"one child":                        {calls, 7, "1 kept, 2 open, 3 kept, 4 again, 5 kept, 6 kept, 7 again, 8 kept, 9 kept, 10 kept, 11 kept", ""},
		"a child of a child":               {calls, 9, "1 kept, 2 open, 3 kept, 4 again, 5 kept, 6 kept, 7 kept, 8 open, 9 again, 10 kept, 11 kept", ""},
		"a child that others need":         {calls, 5, "1 kept, 2 open, 3 kept, 4 again, 5 again, 6 again, 7 again, 8 kept, 9 kept, 10 kept, 11 kept", ""},
		"a caller":                         {calls, 3, "1 kept, 2 kept, 3 again, 4 kept, 5 kept, 6 kept, 7 kept, 8 kept, 9 kept, 11 again", ""},
		"what a caller needs":              {calls, 1, "1 again, 2 again, 3 kept, 4 again, 10 kept, 11 kept", ""},
		"a caller that failed by itself":   {[]string{"1 a call failure", "2 b call failure expanded", "3 x success in=2"}, -1, "1 again, 2 again", ""},
		"all late jobs lose their cells":   {late, 0, "1 again, 2 again, 3 again", ""},
		"failed cells":                     {late, -1, "1 kept, 2 hidden, 3 again, 4 kept, 5 open, 6 again, 7 kept", ""},
		"one late cell":                    {late, 4, "1 kept, 2 hidden, 3 again, 4 again, 5 kept, 6 kept, 7 kept", ""},
		"a late caller":                    {late, 5, "1 kept, 2 hidden, 3 again, 4 kept, 5 again", ""},
		"what a late job needs":            {late, 1, "1 again, 2 again, 3 again", ""},
		"a late job is no job":             {late, 2, "", "not in the latest attempt"},
		"a job of another run":             {graph, 99, "", "not in the latest attempt"},
		"a late job that failed as such":   {[]string{"1 a success", "2 b deferred failure needs=a"}, -1, "1 kept, 2 again", ""},
		"early":                            {running, 1, "1 again, 2 follows 2, 3 follows 3, 4 again, 5 follows 5, 9 kept, 10 follows 77", ""},
		"early, nothing depends on it":     {running, 4, "1 kept, 2 follows 2, 3 follows 3, 4 again, 5 follows 5, 9 kept, 10 follows 77", ""},
		"early, another cell goes on":      {running, 9, "1 kept, 2 follows 2, 3 follows 3, 4 kept, 5 follows 5, 9 again, 10 follows 77", ""},
		"early, before it has ended":       {running, 2, "", `job "b" has not finished`},
		"early, a dependant has not ended": {running, 6, "", `job "y" depends on it and has not finished`},
		"early, of an open caller": {
			[]string{"1 e call running expanded", "2 x success in=1", "3 y running in=1", "4 f call running in=1 expanded", "5 z running in=4"},
			2, "1 open, 2 again, 3 follows 3, 4 follows 4", "",
		},
		"early, a job needs the caller": {
			[]string{"1 e call running expanded", "2 x success in=1", "3 y running in=1", "4 end blocked needs=e"},
			2, "", `job "end" depends on it and has not finished`,
		},
		"early, what goes on has no matrix yet": {
			[]string{"1 a success", "2 b running", "3 c deferred blocked needs=b"}, 1, "", `job "c" waits`,
		},
		"early, it is inside of what goes on as a whole": {
			[]string{"1 a success", "2 b running", "3 e call running expanded", "4 c deferred blocked in=3 needs=x"}, 1,
			"1 again, 2 follows 2, 3 follows 3", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var jobs []*db.Job
			for _, line := range c.rows {
				jobs = append(jobs, row(t, line))
			}
			clones, picked, err := trigger.CloneJobs(jobs, max(c.job, 0), c.job < 0, someTime)
			if c.reason != "" {
				require.ErrorContains(t, err, c.reason)
				code := fault.CodeConflict
				if strings.Contains(c.reason, "not in") {
					code = fault.CodeNotFound
				}
				require.True(t, fault.Has(err, code), err)
				return
			}
			require.NoError(t, err)
			var got []string
			for _, clone := range clones {
				got = append(got, fmt.Sprintf("%d %s", clone.ID, fateOf(clone)))
			}
			require.Equal(t, c.want, strings.Join(got, ", "))
			if c.job > 0 {
				require.Equal(t, c.job, picked.ID)
				require.Equal(t, "again", fateOf(picked))
			}
		})
	}
}

func TestWhatAClonedJobHas(t *testing.T) {
	done := row(t, "1 a failure")
	done.Reason, done.StartedAt, done.Class, done.ByFailFast = "why", someTime, ci.ErrorPermanent, true
	caller := row(t, "2 b call failure expanded needs=a")
	caller.Outputs = map[string]string{"x": "y"}
	child := row(t, "3 c failure in=2")
	going := row(t, "4 d call running expanded")
	clones, _, err := trigger.CloneJobs([]*db.Job{done, caller, child, going}, 3, false, someTime.Add(time.Hour))
	require.NoError(t, err)
	kept, open, again, following := clones[0], clones[1], clones[2], clones[3]

	require.Equal(t, []any{"why", someTime, someTime, int64(7), ci.ErrorPermanent, true, 1},
		[]any{kept.Reason, kept.StartedAt, kept.StoppedAt, kept.TaskID, kept.Class, kept.ByFailFast, kept.Cell})
	require.Equal(t, []any{ci.StatusRunning, "", someTime.Add(time.Hour), someTime, `{"a":1}`},
		[]any{open.Status, open.Reason, open.StartedAt, open.ExpandedAt, string(open.CallInputs)})
	require.True(t, open.StoppedAt.IsZero())
	require.Empty(t, open.Outputs)
	require.Equal(t, []any{ci.StatusWaiting, int64(2), int64(0), 3}, []any{again.Status, again.ParentID, again.TaskID, again.Cell})
	require.Equal(t, []any{ci.StatusRunning, int64(7)}, []any{following.Status, following.TaskID})
	require.True(t, following.ExpandedAt.IsZero(), "its children are in the attempt before only")
}
