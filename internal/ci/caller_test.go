package ci

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func call(id int64, key string, needs ...string) JobSpec {
	return JobSpec{ID: id, Key: key, Needs: needs, Kind: JobCall}
}

func child(parent int64, spec JobSpec) JobSpec {
	spec.Parent = parent
	return spec
}

// endedJob is a job that is passed through.
func endedJob(status Status, spec JobSpec) JobSpec {
	spec.Status = status
	return spec
}

func started(spec JobSpec) JobSpec {
	spec.Started = true
	return spec
}

// expand decides a caller to run and gives it its children.
func expand(t *testing.T, s *Schedule, id int64, children ...JobSpec) {
	t.Helper()
	require.NoError(t, s.Decide(id, DecisionRun))
	require.NoError(t, s.Adopt(id, children))
}

// end ends jobs that are in flight, all alike.
func end(t *testing.T, s *Schedule, status Status, ids ...int64) (stop []int64) {
	t.Helper()
	for _, id := range ids {
		stopped, err := s.Finish(id, status)
		require.NoError(t, err)
		stop = append(stop, stopped...)
	}
	return stop
}

// conclude finishes every caller whose children have ended, also those that end with it.
func conclude(t *testing.T, s *Schedule) {
	t.Helper()
	for list := s.Settled(); len(list) > 0; list = s.Settled() {
		for _, c := range list {
			end(t, s, c.Status, c.ID)
		}
	}
}

func TestCallerRunsItsChildren(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), call(2, "deploy", "a"), spec(3, "z", "deploy"))
	finish(t, s, 1, StatusSuccess)
	require.Equal(t, []Candidate{{
		ID: 2, Kind: JobCall, Key: "deploy", Needs: []Need{{"a", StatusSuccess}}, Facts: Facts{Success: true},
	}}, s.Candidates())
	s.TakeChanges()
	require.NoError(t, s.Decide(2, DecisionRun))
	require.Equal(t, []int64{2}, s.InFlight(), "without children it is treated like a job")
	require.NoError(t, s.Adopt(2, []JobSpec{spec(20, "a"), spec(21, "b", "a")}), "keys of another file may be the same")
	require.Equal(t, []Change{{2, StatusWaiting}, {2, StatusRunning}}, s.TakeChanges())
	require.Equal(t, []Candidate{{ID: 20, Parent: 2, Key: "a", Needs: []Need{}, Facts: Facts{Success: true}}}, s.Candidates())
	require.Equal(t, StatusBlocked, s.JobStatus(21))
	finish(t, s, 20, StatusSuccess)
	require.Empty(t, s.Settled())
	_, err := s.Finish(2, StatusSuccess)
	require.ErrorContains(t, err, "not all of the jobs that it calls have ended")
	require.Equal(t, []int64{21}, decideAll(t, s))
	require.Equal(t, []int64{21}, s.InFlight())
	end(t, s, StatusSuccess, 21)
	require.Empty(t, s.Candidates(), "z waits for the caller, not for its children")
	require.Empty(t, s.InFlight())
	for range 2 {
		require.Equal(t, []Settled{{2, StatusSuccess}}, s.Settled())
	}
	end(t, s, StatusSuccess, 2)
	require.Empty(t, s.Settled())
	finish(t, s, 3, StatusSuccess)
	require.True(t, s.Done())
	require.Equal(t, StatusSuccess, s.Status())
}

// TestCallerEndsAsItsChildrenDo takes rows of execution-semantics.md §2.2 through a caller to its dependants.
func TestCallerEndsAsItsChildrenDo(t *testing.T) {
	for _, tc := range []struct {
		children []Status
		soft     bool // the children
		want     Status
	}{
		{[]Status{StatusSkipped, StatusSkipped}, false, StatusSkipped},
		{[]Status{StatusSuccess, StatusSkipped}, false, StatusSuccess},
		{[]Status{StatusFailure, StatusSuccess}, true, StatusSuccess},
		{[]Status{StatusFailure, StatusSuccess}, false, StatusFailure},
		{[]Status{StatusFailure, StatusCancelled}, false, StatusCancelled},
	} {
		t.Run(fmt.Sprint(tc.children, tc.soft), func(t *testing.T) {
			s := newSchedule(t, call(1, "c"), spec(2, "z", "c"))
			expand(t, s, 1, JobSpec{ID: 10, Key: "a", Soft: tc.soft}, JobSpec{ID: 11, Key: "b", Soft: tc.soft})
			finish(t, s, 10, tc.children[0])
			require.Equal(t, StatusRunning, s.Status(), "a caller is running until it ends")
			finish(t, s, 11, tc.children[1])
			require.Equal(t, []Settled{{1, tc.want}}, s.Settled())
			conclude(t, s)
			require.Equal(t, tc.want, s.JobStatus(1))
			require.Equal(t, []Need{{"c", tc.want}}, s.Candidates()[0].Needs)
		})
	}
}

// TestChildrenSeeTheirOwnAncestorsOnly: a caller that always runs hides the failure above it.
func TestChildrenSeeTheirOwnAncestorsOnly(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), JobSpec{ID: 2, Key: "c", Needs: []string{"a"}, HasIf: true, Kind: JobCall}, spec(3, "z", "c"))
	finish(t, s, 1, StatusFailure)
	require.Equal(t, Facts{Failure: true}, s.Candidates()[0].Facts)
	expand(t, s, 2, spec(20, "x"), spec(21, "y", "x"))
	require.Equal(t, Facts{Success: true}, s.Candidates()[0].Facts)
	finish(t, s, 20, StatusSuccess)
	require.Equal(t, Facts{Success: true}, s.Candidates()[0].Facts)
	finish(t, s, 21, StatusSuccess)
	conclude(t, s)
	require.Equal(t, Facts{Failure: true}, s.Candidates()[0].Facts, "outside of it the failure counts")
}

func TestCallersNest(t *testing.T) {
	const levels = MaxCallDepth
	s := newSchedule(t, call(1, "c"), spec(100, "z", "c"))
	for id := int64(1); id <= levels; id++ {
		next := call(id+1, "c")
		if id == levels {
			next = spec(id+1, "leaf")
		}
		require.Equal(t, []int64{id}, candidateIDs(s.Candidates()))
		expand(t, s, id, next)
		require.Empty(t, s.Settled())
	}
	finish(t, s, levels+1, StatusFailure)
	for id := int64(levels); id >= 1; id-- {
		require.False(t, s.Done())
		require.Equal(t, []Settled{{id, StatusFailure}}, s.Settled())
		end(t, s, StatusFailure, id)
	}
	require.Empty(t, decideAll(t, s))
	require.True(t, s.Done())
	require.Equal(t, StatusFailure, s.Status())
}

func TestCallerThatNeverExpands(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), call(2, "skipped", "a"), call(3, "broken"), call(4, "late", "broken"))
	finish(t, s, 1, StatusFailure)
	require.NoError(t, s.Decide(3, DecisionRun))
	end(t, s, StatusFailure, 3) // the workflow that it calls cannot be had
	require.Empty(t, decideAll(t, s))
	require.Equal(t, StatusSkipped, s.JobStatus(2))
	require.ErrorContains(t, s.Adopt(2, []JobSpec{spec(20, "x")}), "it is skipped")
	require.True(t, s.Done())
	require.Empty(t, s.Settled())
}

func TestOrderIsThatOfTheTree(t *testing.T) {
	s := newSchedule(t, call(1, "c"), JobSpec{ID: 2, Key: "d", Kind: JobDeferred}, spec(3, "z"))
	require.NoError(t, s.Expand(2, []JobSpec{call(21, ""), spec(22, "")}))
	require.Equal(t, []int64{1, 21, 22, 3}, candidateIDs(s.Candidates()))
	require.NoError(t, s.Decide(3, DecisionRun))
	require.NoError(t, s.Decide(22, DecisionRun))
	expand(t, s, 21, spec(211, "x"), JobSpec{ID: 212, Key: "y", Kind: JobDeferred})
	expand(t, s, 1, spec(11, "x"))
	require.NoError(t, s.Expand(212, []JobSpec{spec(2121, ""), spec(2122, "")}))
	require.Equal(t, []int64{11, 211, 2121, 2122}, decideAll(t, s))
	require.Equal(t, []int64{11, 211, 2121, 2122, 22, 3}, s.InFlight())
	end(t, s, StatusSuccess, 3, 22, 2122, 2121, 211, 11)
	require.Equal(t, []Settled{{1, StatusSuccess}, {21, StatusSuccess}}, s.Settled())
}

func TestDeferredJobCannotRun(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), JobSpec{ID: 2, Key: "m", Needs: []string{"a"}, Kind: JobDeferred})
	require.ErrorContains(t, s.Expand(2, []JobSpec{{ID: 20}}), "1 of its needs have not ended")
	finish(t, s, 1, StatusSuccess)
	require.Equal(t, JobDeferred, s.Candidates()[0].Kind)
	require.ErrorContains(t, s.Decide(2, DecisionRun), "its cells run in its place")
	require.NoError(t, s.Expand(2, []JobSpec{{ID: 20, HasIf: true, MaxParallel: 1}, {ID: 21, Kind: JobCall}}))
	require.Equal(t, StatusUnknown, s.JobStatus(2))
	require.Equal(t, []Candidate{{
		ID: 20, Key: "m", Needs: []Need{{"a", StatusSuccess}}, HasIf: true, Facts: Facts{Success: true},
	}}, s.Candidates(), "max-parallel comes with the cells")
	finish(t, s, 20, StatusSuccess)
	require.Equal(t, JobCall, s.Candidates()[0].Kind)
}

func TestCellsAreFresh(t *testing.T) {
	s := newSchedule(t, JobSpec{ID: 1, Key: "m", Kind: JobDeferred, MaxParallel: 1}, started(spec(2, "m")))
	require.Empty(t, s.Candidates())
	require.NoError(t, s.Expand(1, []JobSpec{started(spec(10, "")), endedJob(StatusSuccess, child(7, spec(11, "other", "x")))}))
	require.Equal(t, []Candidate{
		{ID: 10, Key: "m", Needs: []Need{}, Facts: Facts{Success: true}}, {ID: 11, Key: "m", Needs: []Need{}, Facts: Facts{Success: true}},
	}, s.Candidates(), "they have no limit, so they may go at once")
}

func TestHold(t *testing.T) {
	s := newSchedule(t, JobSpec{ID: 1, Key: "m", MaxParallel: 1}, JobSpec{ID: 2, Key: "m"}, call(3, "c"))
	require.Error(t, s.Hold(1), "not decided")
	require.Equal(t, []int64{1, 3}, decideAll(t, s))
	s.TakeChanges()
	for range 2 {
		require.NoError(t, s.Hold(1))
	}
	require.NoError(t, s.Hold(3))
	require.Equal(t, []Change{{1, StatusBlocked}, {3, StatusBlocked}}, s.TakeChanges())
	require.Equal(t, []int64{1, 3}, s.InFlight())
	require.Empty(t, s.Candidates(), "it keeps its place")
	for range 2 {
		require.NoError(t, s.Release(1))
	}
	require.NoError(t, s.Start(1))
	require.NoError(t, s.Release(1))
	require.ErrorContains(t, s.Hold(1), "it is running")
	require.NoError(t, s.Adopt(3, []JobSpec{spec(30, "x")}), "whoever expands it has released it")
	require.ErrorContains(t, s.Hold(3), "it is running")
	require.Equal(t, []Change{{1, StatusWaiting}, {1, StatusRunning}, {3, StatusRunning}}, s.TakeChanges())
	end(t, s, StatusSuccess, 1)
	require.Error(t, s.Release(1))

	require.Equal(t, []int64{2, 30}, candidateIDs(s.Candidates()))
	require.NoError(t, s.Decide(2, DecisionRun))
	require.NoError(t, s.Hold(2))
	require.NoError(t, s.Start(2))
	require.Equal(t, StatusRunning, s.JobStatus(2), "a runner that has it is the better witness")
}

func TestCallerThatIsCancellingStaysSo(t *testing.T) {
	s := newSchedule(t, call(1, "c"))
	require.NoError(t, s.Decide(1, DecisionRun))
	require.NoError(t, s.Cancelling(1))
	require.NoError(t, s.Adopt(1, []JobSpec{spec(10, "x")}))
	require.Equal(t, StatusCancelling, s.JobStatus(1))
}

func TestCallersAsCellsKeepTheirPlace(t *testing.T) {
	cell := func(id int64) JobSpec { return JobSpec{ID: id, Key: "m", Kind: JobCall, MaxParallel: 1} }
	s := newSchedule(t, cell(1), cell(2))
	expand(t, s, 1, spec(10, "a"))
	require.Equal(t, []int64{10}, candidateIDs(s.Candidates()))
	finish(t, s, 10, StatusSuccess)
	require.Empty(t, s.Candidates(), "the caller has not ended")
	conclude(t, s)
	require.Equal(t, []int64{2}, candidateIDs(s.Candidates()))
}

func TestStartedJobs(t *testing.T) {
	s := newSchedule(t,
		endedJob(StatusSuccess, spec(1, "a")),
		started(JobSpec{ID: 2, Key: "followed", Needs: []string{"a"}, MaxParallel: 1, Status: StatusRunning}), spec(3, "followed"),
		started(call(4, "c")), child(4, endedJob(StatusSuccess, spec(40, "x"))), child(4, spec(41, "y", "x")),
		child(4, started(call(42, "n"))), child(42, spec(420, "deep")),
		started(spec(5, "plain")))
	require.Empty(t, s.TakeChanges())
	for id, want := range map[int64]Status{2: StatusRunning, 4: StatusRunning, 42: StatusRunning, 5: StatusWaiting} {
		require.Equal(t, want, s.JobStatus(id), id)
	}
	require.Equal(t, []int64{2, 5}, s.InFlight())
	require.Equal(t, []int64{41, 420}, decideAll(t, s), "the followed job takes a place of max-parallel")
	end(t, s, StatusSuccess, 2, 41, 420, 5)
	require.Equal(t, []int64{3}, decideAll(t, s))
	conclude(t, s)
	end(t, s, StatusSuccess, 3)
	require.True(t, s.Done())
}

// TestStartedBeforeItsNeeds: the end of a followed job counts, whatever its needs do in this attempt.
func TestStartedBeforeItsNeeds(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), started(spec(2, "b", "a")), spec(3, "c", "b"))
	end(t, s, StatusSuccess, 2)
	require.Equal(t, []int64{1}, candidateIDs(s.Candidates()))
	finish(t, s, 1, StatusSuccess)
	require.Equal(t, []int64{3}, candidateIDs(s.Candidates()))
}

func TestPassThroughCallers(t *testing.T) {
	s := newSchedule(t,
		endedJob(StatusSuccess, call(1, "with")), child(1, endedJob(StatusSuccess, spec(10, "x"))),
		endedJob(StatusSkipped, call(2, "without")),
		started(call(3, "settled")), child(3, endedJob(StatusSuccess, spec(30, "x"))), child(3, endedJob(StatusFailure, spec(31, "y"))),
		spec(4, "z", "with"))
	require.Equal(t, []Settled{{3, StatusFailure}}, s.Settled(), "nothing is left to do for it")
	require.Equal(t, []int64{4}, candidateIDs(s.Candidates()))
	require.Empty(t, s.InFlight())
	conclude(t, s)
	finish(t, s, 4, StatusSuccess)
	require.True(t, s.Done())
	require.Equal(t, []Change{{3, StatusFailure}, {4, StatusWaiting}, {4, StatusRunning}, {4, StatusSuccess}}, s.TakeChanges())
}

func TestScheduleRefusesChildren(t *testing.T) {
	for _, tc := range []struct {
		name string
		jobs []JobSpec
		want string
	}{
		{"no such caller", []JobSpec{child(7, spec(1, "a"))}, "job 1 (a): its caller 7 does not come before it"},
		{"before its caller", []JobSpec{child(2, spec(1, "a")), started(call(2, "c"))}, "job 1 (a): its caller 2 does not come before it"},
		{"its own caller", []JobSpec{child(1, started(call(1, "c")))}, "job 1 (c): its caller 1 does not come before it"},
		{"no caller", []JobSpec{started(spec(1, "a")), child(1, spec(2, "b"))}, "job 1 (a) calls no workflow"},
		{"caller that waits", []JobSpec{call(1, "c"), child(1, spec(2, "b"))}, "job 1 (c) has not started"},
		{"caller that has ended", []JobSpec{endedJob(StatusSuccess, call(1, "c")), child(1, spec(2, "b"))}, "job 1 (c) has ended, but its child 2 has not"},
		{"id twice", []JobSpec{started(call(1, "c")), child(1, spec(1, "b"))}, "job id 1 is given twice"},
		{"needs across scopes", []JobSpec{spec(3, "a"), started(call(1, "c")), child(1, spec(2, "b", "a"))},
			`jobs called by job 1 (c): job "b" needs "a", which is not a job of this workflow`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := NewSchedule(tc.jobs)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

func TestAdoptRefuses(t *testing.T) {
	s := newSchedule(t, call(1, "c"), spec(2, "a"), call(3, "d"), call(4, "later", "c"))
	require.ErrorContains(t, s.Adopt(9, nil), "no such job")
	require.ErrorContains(t, s.Adopt(1, []JobSpec{spec(10, "x")}), "it is waiting")
	for _, id := range []int64{1, 2, 3} {
		require.NoError(t, s.Decide(id, DecisionRun))
	}
	require.NoError(t, s.Adopt(3, []JobSpec{spec(30, "x")}))
	s.TakeChanges()
	for _, tc := range []struct {
		caller   int64
		children []JobSpec
		want     string
	}{
		{1, nil, "expand job 1 (c): it would call no job"},
		{1, []JobSpec{spec(2, "x")}, "expand job 1 (c): job id 2 is given twice"},
		{1, []JobSpec{spec(10, "x"), spec(10, "y")}, "expand job 1 (c): job id 10 is given twice"},
		{1, []JobSpec{spec(10, "x", "y"), spec(11, "y", "x")}, "jobs called by job 1 (c): needs form a cycle: x -> y -> x"},
		{1, []JobSpec{spec(10, "x", "a")}, "which is not a job of this workflow"},
		{2, []JobSpec{spec(10, "x")}, "job 2 (a) calls no workflow"},
		{3, []JobSpec{spec(31, "y")}, "it has been expanded"},
	} {
		require.ErrorContains(t, s.Adopt(tc.caller, tc.children), tc.want)
	}
	require.Empty(t, s.TakeChanges(), "an error changes nothing")
	require.Equal(t, []int64{1, 2}, s.InFlight())
	require.Equal(t, []int64{30}, candidateIDs(s.Candidates()))
	require.Equal(t, StatusUnknown, s.JobStatus(10))
	require.NoError(t, s.Adopt(1, []JobSpec{spec(10, "x")}))
}

func manyJobs(first int64, n int) []JobSpec {
	jobs := make([]JobSpec, n)
	for i := range jobs {
		jobs[i] = spec(first+int64(i), fmt.Sprint("j", i))
	}
	return jobs
}

func TestLimitCountsEveryJobOfTheRun(t *testing.T) {
	s := newSchedule(t, call(1, "c"), JobSpec{ID: 2, Key: "m", Kind: JobDeferred}, call(3, "d"))
	expand(t, s, 1, manyJobs(1000, 500)...)
	require.NoError(t, s.Decide(3, DecisionRun))
	for _, id := range decideAllTasks(t, s) {
		end(t, s, StatusSuccess, id) // jobs that have ended count as well
	}
	s.TakeChanges()
	err := s.Adopt(3, manyJobs(2000, 498))
	require.ErrorContains(t, err, "expand job 3 (d): 1001 jobs in one run; the limit is 1000")
	require.ErrorAs(t, err, new(TooManyJobsError))
	err = s.Expand(2, manyJobs(3000, 499))
	require.ErrorContains(t, err, "expand job 2 (m): 1001 jobs in one run; the limit is 1000")
	require.ErrorAs(t, err, new(TooManyJobsError))
	require.Empty(t, s.TakeChanges())
	require.Equal(t, []int64{2}, candidateIDs(s.Candidates()))
	require.NoError(t, s.Expand(2, manyJobs(3000, 2)), "the cells take the place of the deferred job")
	require.NoError(t, s.Adopt(3, manyJobs(2000, 496)))
}

// decideAllTasks is decideAll for the candidates that are neither callers nor deferred.
func decideAllTasks(t *testing.T, s *Schedule) (run []int64) {
	t.Helper()
	for _, c := range s.Candidates() {
		if c.Kind == "" {
			require.NoError(t, s.Decide(c.ID, DecisionRun))
			run = append(run, c.ID)
		}
	}
	return run
}

// TestLargestTreeIsFast drives a chain of deferred jobs and callers of the largest size.
func TestLargestTreeIsFast(t *testing.T) {
	const links = MaxJobsPerRun / 2
	var jobs []JobSpec
	for i := range int64(links) {
		link := JobSpec{ID: i + 1, Key: fmt.Sprint("j", i), Kind: JobDeferred}
		if i > 0 {
			link.Needs = []string{fmt.Sprint("j", i-1)}
		}
		jobs = append(jobs, link)
	}
	begin := time.Now()
	s := newSchedule(t, jobs...)
	for i := range int64(links) {
		require.NoError(t, s.Expand(i+1, []JobSpec{call(i+1001, "")}))
		expand(t, s, i+1001, spec(i+2001, "x"))
		finish(t, s, i+2001, StatusSuccess)
		conclude(t, s)
		s.Candidates()
	}
	require.True(t, s.Done())
	require.Less(t, time.Since(begin), 2*time.Second)
}
