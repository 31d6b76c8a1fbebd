package ci

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFailFastCountsAsFailure(t *testing.T) {
	cell := func(id int64) JobSpec { return JobSpec{ID: id, Key: "m", FailFast: true, MaxParallel: 3} }
	s := newSchedule(t, cell(1), cell(2), cell(3), cell(4), spec(5, "n", "m"))
	require.Equal(t, []int64{1, 2, 3}, decideAll(t, s))
	require.Equal(t, []int64{2, 3}, end(t, s, StatusFailure, 1))
	end(t, s, StatusCancelled, 2)
	require.Equal(t, StatusBlocked, s.JobStatus(5))
	end(t, s, StatusSuccess, 3) // it was quicker
	for id, want := range map[int64]bool{1: false, 2: true, 3: false, 4: true, 5: false, 9: false} {
		require.Equal(t, want, s.FailFast(id), id)
	}
	require.Equal(t, []Need{{"m", StatusFailure}}, s.Candidates()[0].Needs)
	require.Equal(t, Facts{Failure: true}, s.Candidates()[0].Facts)
	decideAll(t, s)
	require.Equal(t, StatusFailure, s.Status())
}

// TestFailFastIsNoExcuse: what is cancelled for another reason counts as cancelled.
func TestFailFastIsNoExcuse(t *testing.T) {
	cell := func(id int64) JobSpec { return JobSpec{ID: id, Key: "m", FailFast: true} }
	t.Run("stopped before", func(t *testing.T) {
		s := newSchedule(t, cell(1), cell(2), cell(3))
		decideAll(t, s)
		stop, err := s.Stop(2)
		require.NoError(t, err)
		require.Equal(t, []int64{2}, stop)
		require.Equal(t, []int64{2, 3}, end(t, s, StatusFailure, 1))
		end(t, s, StatusCancelled, 2, 3)
		require.False(t, s.FailFast(2))
		require.True(t, s.FailFast(3))
		require.Equal(t, StatusCancelled, s.Status())
	})
	t.Run("the run was cancelled", func(t *testing.T) {
		s := newSchedule(t, cell(1), cell(2))
		decideAll(t, s)
		s.CancelAll()
		end(t, s, StatusFailure, 1)
		end(t, s, StatusCancelled, 2)
		require.False(t, s.FailFast(2))
		require.Equal(t, StatusCancelled, s.Status())
	})
	t.Run("ended on its own", func(t *testing.T) {
		s := newSchedule(t, cell(1), cell(2))
		decideAll(t, s)
		end(t, s, StatusCancelled, 2)
		require.Empty(t, end(t, s, StatusFailure, 1))
		require.False(t, s.FailFast(2))
		require.Equal(t, StatusCancelled, s.Status())
	})
}

// TestFailFastStopsOnce: a cell that is known to be stopping is not named again.
func TestFailFastStopsOnce(t *testing.T) {
	cell := func(id int64) JobSpec { return JobSpec{ID: id, Key: "m", FailFast: true} }
	s := newSchedule(t, cell(1), cell(2), cell(3))
	decideAll(t, s)
	require.Equal(t, []int64{2, 3}, end(t, s, StatusFailure, 1))
	require.NoError(t, s.Cancelling(3))
	require.Equal(t, []int64(nil), end(t, s, StatusFailure, 2))
	end(t, s, StatusCancelled, 3)
	require.True(t, s.FailFast(3))
}

func TestFailFastPassesThrough(t *testing.T) {
	s := newSchedule(t, endedJob(StatusFailure, spec(1, "m")), JobSpec{ID: 2, Key: "m", Status: StatusCancelled, ByFailFast: true}, spec(3, "z"))
	require.True(t, s.FailFast(2))
	finish(t, s, 3, StatusSuccess)
	require.Equal(t, StatusFailure, s.Status())
}

// failFastCallers has cells that are callers: 1 with jobs 10 and 11, 2 with 20 in flight, 21 to come, 22 a caller
// without children, 23 one with the child 230; 3 held, 4 undecided.
func failFastCallers(t *testing.T) *Schedule {
	cell := func(id int64) JobSpec {
		return JobSpec{ID: id, Key: "m", Kind: JobCall, FailFast: true, MaxParallel: 3}
	}
	s := newSchedule(t, cell(1), cell(2), cell(3), cell(4), JobSpec{ID: 5, Key: "z", Needs: []string{"m"}, HasIf: true})
	expand(t, s, 1, spec(10, "a"), spec(11, "b"))
	expand(t, s, 2, spec(20, "a"), JobSpec{ID: 21, Key: "b", Needs: []string{"a"}, HasIf: true}, call(22, "c"), call(23, "d"))
	require.NoError(t, s.Decide(3, DecisionRun))
	require.NoError(t, s.Hold(3))
	require.Equal(t, []int64{10, 11, 20, 22, 23}, decideAll(t, s))
	require.NoError(t, s.Adopt(23, []JobSpec{spec(230, "x")}))
	require.Equal(t, []int64{230}, decideAll(t, s))
	return s
}

func TestFailedCallerStopsSiblings(t *testing.T) {
	s := failFastCallers(t)
	require.Empty(t, end(t, s, StatusFailure, 10), "the caller itself has not failed yet")
	end(t, s, StatusSuccess, 11)
	require.Equal(t, []Settled{{1, StatusFailure}}, s.Settled())
	require.Equal(t, []int64{20, 22, 230, 3}, end(t, s, StatusFailure, 1))
	require.Equal(t, StatusCancelled, s.JobStatus(21), "whatever its `if` says")
	require.Equal(t, StatusCancelled, s.JobStatus(4))
	require.Empty(t, s.Candidates())

	require.NoError(t, s.Adopt(3, []JobSpec{spec(30, "a"), spec(31, "b", "a")}), "it was on its way")
	require.Empty(t, s.Candidates(), "nothing begins in a caller that was stopped")
	end(t, s, StatusCancelled, 20, 22, 230)
	require.Equal(t, []Settled{{23, StatusCancelled}, {3, StatusCancelled}}, s.Settled())
	conclude(t, s)
	for id, want := range map[int64]bool{1: false, 2: true, 3: true, 4: true, 20: false, 21: false, 23: false, 30: false} {
		require.Equal(t, want, s.FailFast(id), id)
	}
	require.Equal(t, []Need{{"m", StatusFailure}}, s.Candidates()[0].Needs)
	finish(t, s, 5, StatusSuccess)
	require.True(t, s.Done())
	require.Equal(t, StatusFailure, s.Status())
}

// TestSettledCallerIsNotStopped: only its Finish is missing, and that says what its children did.
func TestSettledCallerIsNotStopped(t *testing.T) {
	s := failFastCallers(t)
	end(t, s, StatusFailure, 10, 11)
	end(t, s, StatusCancelled, 3, 20, 22, 230)
	require.NoError(t, s.Decide(21, DecisionSkip))
	end(t, s, StatusCancelled, 23)
	require.Equal(t, []Settled{{1, StatusFailure}, {2, StatusCancelled}}, s.Settled())
	require.Empty(t, end(t, s, StatusFailure, 1))
	stop, err := s.Stop(2)
	require.NoError(t, err)
	require.Empty(t, stop)
	require.Equal(t, []Settled{{2, StatusCancelled}}, s.Settled())
	end(t, s, StatusCancelled, 2)
	require.False(t, s.FailFast(2))
}

func TestFailFastInsideACallee(t *testing.T) {
	cell := func(id int64) JobSpec { return JobSpec{ID: id, Key: "m", FailFast: true} }
	s := newSchedule(t, call(1, "c"), spec(2, "other"))
	expand(t, s, 1, cell(10), cell(11), spec(12, "beside"))
	require.Equal(t, []int64{10, 11, 12, 2}, decideAll(t, s))
	require.Equal(t, []int64{11}, end(t, s, StatusFailure, 10), "only the cells of its matrix")
	end(t, s, StatusCancelled, 11)
	end(t, s, StatusSuccess, 12)
	require.Equal(t, []Settled{{1, StatusFailure}}, s.Settled())
}

func TestStop(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), JobSpec{ID: 2, Key: "b", Needs: []string{"a"}, HasIf: true}, spec(3, "z", "b"), call(4, "c"))
	decideAll(t, s)
	_, err := s.Stop(9)
	require.ErrorContains(t, err, "no such job")
	for range 2 {
		stop, err := s.Stop(1)
		require.NoError(t, err)
		require.Equal(t, []int64{1}, stop, "it ends by its Finish")
	}
	stop, err := s.Stop(2)
	require.NoError(t, err)
	require.Empty(t, stop)
	require.Equal(t, StatusCancelled, s.JobStatus(2))
	stop, err = s.Stop(4)
	require.NoError(t, err)
	require.Equal(t, []int64{4}, stop, "a caller without children is like a job")
	end(t, s, StatusSuccess, 1)
	stop, err = s.Stop(1)
	require.NoError(t, err)
	require.Empty(t, stop)
	require.Equal(t, StatusSuccess, s.JobStatus(1), "what has ended stays as it is")
	require.Equal(t, []Candidate{{ID: 3, Key: "z", Needs: []Need{{"b", StatusCancelled}}}}, s.Candidates(), "the run is not cancelled")
}

func TestStopCaller(t *testing.T) {
	s := failFastCallers(t)
	stop, err := s.Stop(2)
	require.NoError(t, err)
	require.Equal(t, []int64{20, 22, 230}, stop)
	require.Equal(t, StatusCancelled, s.JobStatus(21))
	require.Equal(t, StatusWaiting, s.JobStatus(10), "others go on")
	require.Empty(t, s.Candidates())
	end(t, s, StatusCancelled, 20, 22, 230)
	conclude(t, s)
	require.Equal(t, StatusCancelled, s.JobStatus(2))
	require.Equal(t, []int64{4}, candidateIDs(s.Candidates()), "its place of max-parallel is free")
}

// TestCancelAllInCallees: always() and cancelled() hold for children as for any job (execution-semantics.md §4.3, GH).
func TestCancelAllInCallees(t *testing.T) {
	tidy := func(id int64, needs ...string) JobSpec {
		return JobSpec{ID: id, Key: "tidy", Needs: needs, HasIf: true}
	}
	s := newSchedule(t, call(1, "c"), call(2, "not begun", "c"), JobSpec{ID: 3, Key: "late", Kind: JobCall, Needs: []string{"c"}, HasIf: true}, call(4, "held"))
	expand(t, s, 1, spec(10, "a"), spec(11, "b", "a"), tidy(12, "b"))
	require.Equal(t, []int64{10, 4}, decideAll(t, s))
	require.NoError(t, s.Hold(4))
	flying := s.CancelAll()
	require.Equal(t, []int64{10, 4}, candidateIDs(flying), "leaves, and callers without children")
	require.Equal(t, Candidate{ID: 10, Parent: 1, Key: "a", Needs: []Need{}, Facts: Facts{Cancelled: true}}, flying[0])
	require.Equal(t, StatusCancelled, s.JobStatus(11))
	require.Equal(t, StatusCancelled, s.JobStatus(2))
	end(t, s, StatusCancelled, 10, 4)
	require.Equal(t, []Candidate{{
		ID: 12, Parent: 1, Key: "tidy", Needs: []Need{{"b", StatusCancelled}}, HasIf: true, Facts: Facts{Cancelled: true},
	}}, s.Candidates())
	finish(t, s, 12, StatusSuccess)
	conclude(t, s)
	require.Equal(t, StatusCancelled, s.JobStatus(1))

	require.Equal(t, []int64{3}, candidateIDs(s.Candidates()))
	expand(t, s, 3, spec(30, "a"), tidy(31, "a"))
	require.Equal(t, Facts{Cancelled: true}, s.Candidates()[0].Facts, "a job without `if` is cancelled, also if it comes later")
	require.NoError(t, s.Decide(30, DefaultDecision(s.Candidates()[0])))
	require.Equal(t, StatusCancelled, s.JobStatus(30))
	finish(t, s, 31, StatusSuccess)
	conclude(t, s)
	require.True(t, s.Done())
	require.Equal(t, StatusCancelled, s.Status())
}

func TestForceCancel(t *testing.T) {
	for _, cancelled := range []bool{false, true} {
		s := failFastCallers(t)
		if cancelled {
			require.Equal(t, []int64{10, 11, 20, 22, 230, 3}, candidateIDs(s.CancelAll()))
		}
		require.NoError(t, s.Cancelling(20))
		require.Equal(t, []int64{10, 11, 20, 22, 230, 3}, s.ForceCancel(), "also what was told to stop before")
		require.Nil(t, s.CancelAll(), "the run is cancelled")
		for _, id := range []int64{21, 4, 5} {
			require.Equal(t, StatusCancelled, s.JobStatus(id), "whatever its `if` says")
		}
		require.NoError(t, s.Adopt(22, []JobSpec{{ID: 220, Key: "x", HasIf: true}}), "it was on its way")
		require.Empty(t, s.Candidates())
		require.Equal(t, []int64{10, 11, 20, 230, 3}, s.ForceCancel())
		end(t, s, StatusCancelled, s.InFlight()...)
		conclude(t, s)
		require.True(t, s.Done())
		require.Equal(t, StatusCancelled, s.Status())
		require.Empty(t, s.ForceCancel())
	}
}
