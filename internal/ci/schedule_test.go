package ci

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func spec(id int64, key string, needs ...string) JobSpec {
	return JobSpec{ID: id, Key: key, Needs: needs}
}

func newSchedule(t *testing.T, jobs ...JobSpec) *Schedule {
	t.Helper()
	s, err := NewSchedule(jobs)
	require.NoError(t, err)
	return s
}

func candidateIDs(list []Candidate) []int64 {
	var ids []int64
	for _, c := range list {
		ids = append(ids, c.ID)
	}
	return ids
}

// finish runs the job to its end and returns what fail-fast wants stopped.
func finish(t *testing.T, s *Schedule, id int64, status Status) []int64 {
	t.Helper()
	require.NoError(t, s.Decide(id, DecisionRun))
	require.NoError(t, s.Start(id))
	stop, err := s.Finish(id, status)
	require.NoError(t, err)
	return stop
}

// decideAll answers every candidate by its default until there are none, and returns the ids that run.
func decideAll(t *testing.T, s *Schedule) []int64 {
	t.Helper()
	var run []int64
	for list := s.Candidates(); len(list) > 0; list = s.Candidates() {
		for _, c := range list {
			d := DefaultDecision(c)
			require.NoError(t, s.Decide(c.ID, d))
			if d == DecisionRun {
				run = append(run, c.ID)
			}
		}
	}
	return run
}

func TestScheduleDiamond(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), spec(2, "b", "a"), spec(3, "c", "a"), spec(4, "d", "b", "c"))
	require.Equal(t, StatusWaiting, s.JobStatus(1))
	require.Equal(t, StatusBlocked, s.JobStatus(2))
	require.Equal(t, StatusUnknown, s.JobStatus(9))
	require.Equal(t, []int64{1}, decideAll(t, s))
	require.Equal(t, StatusWaiting, s.Status())
	require.NoError(t, s.Start(1))
	require.Equal(t, StatusRunning, s.Status())
	_, err := s.Finish(1, StatusSuccess)
	require.NoError(t, err)
	require.Equal(t, []int64{2, 3}, decideAll(t, s))
	require.Equal(t, []int64{2, 3}, s.InFlight())
	for _, id := range []int64{3, 2} {
		require.Empty(t, s.Candidates())
		_, err := s.Finish(id, StatusSuccess)
		require.NoError(t, err)
	}
	list := s.Candidates()
	require.Equal(t, []Candidate{{ID: 4, Key: "d", Needs: []Need{{"b", StatusSuccess}, {"c", StatusSuccess}}, Facts: Facts{Success: true}}}, list)
	finish(t, s, 4, StatusSuccess)
	require.True(t, s.Done())
	require.Equal(t, StatusSuccess, s.Status())
	require.Equal(t, []Change{
		{1, StatusRunning}, {1, StatusSuccess}, {2, StatusWaiting}, {3, StatusWaiting}, {3, StatusSuccess}, {2, StatusSuccess},
		{4, StatusWaiting}, {4, StatusRunning}, {4, StatusSuccess},
	}, s.TakeChanges())
	require.Empty(t, s.TakeChanges())
}

// TestDefaultDecision holds the row "absent" of execution-semantics.md §4.2 for each result of the needs.
func TestDefaultDecision(t *testing.T) {
	for _, tc := range []struct {
		results []Status
		soft    bool
		want    Status
	}{
		{[]Status{StatusSuccess, StatusSuccess}, false, StatusWaiting},
		{[]Status{StatusSuccess, StatusFailure}, false, StatusSkipped},
		{[]Status{StatusSuccess, StatusFailure}, true, StatusWaiting},
		{[]Status{StatusSuccess, StatusCancelled}, false, StatusSkipped},
		{[]Status{StatusSkipped, StatusSuccess}, false, StatusSkipped},
		{[]Status{StatusSkipped, StatusSkipped}, false, StatusSkipped},
	} {
		t.Run(fmt.Sprint(tc.results, tc.soft), func(t *testing.T) {
			s := newSchedule(t,
				JobSpec{ID: 1, Key: "a", Soft: tc.soft}, JobSpec{ID: 2, Key: "b", Soft: tc.soft}, spec(3, "c", "a", "b"))
			finish(t, s, 1, tc.results[0])
			finish(t, s, 2, tc.results[1])
			decideAll(t, s)
			require.Equal(t, tc.want, s.JobStatus(3))
		})
	}
}

func TestSkipGoesDownTheChain(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), spec(2, "b", "a"), spec(3, "c", "b"), spec(4, "d", "c"))
	finish(t, s, 1, StatusFailure)
	require.Empty(t, decideAll(t, s))
	require.True(t, s.Done())
	require.Equal(t, StatusFailure, s.Status())
	require.Equal(t, StatusSkipped, s.JobStatus(4))
}

// TestFacts shows what success(), failure() and cancelled() see: a -> b -> c, where b always runs.
func TestFacts(t *testing.T) {
	for _, tc := range []struct {
		a, b   Status
		soft   bool
		cancel bool
		want   Facts
	}{
		{StatusSuccess, StatusSuccess, false, false, Facts{Success: true}},
		{StatusFailure, StatusSuccess, false, false, Facts{Failure: true}},
		{StatusFailure, StatusSuccess, true, false, Facts{Success: true}},
		{StatusCancelled, StatusSuccess, false, false, Facts{}},
		{StatusSkipped, StatusSuccess, false, false, Facts{}},
		{StatusSuccess, StatusFailure, false, false, Facts{Failure: true}},
		{StatusFailure, StatusSkipped, false, false, Facts{Failure: true}},
		{StatusFailure, StatusFailure, false, true, Facts{Cancelled: true}},
	} {
		t.Run(fmt.Sprintf("%v", tc), func(t *testing.T) {
			s := newSchedule(t, JobSpec{ID: 1, Key: "a", Soft: tc.soft},
				JobSpec{ID: 2, Key: "b", Needs: []string{"a"}, HasIf: true}, JobSpec{ID: 3, Key: "c", Needs: []string{"b"}, HasIf: true})
			finish(t, s, 1, tc.a)
			finish(t, s, 2, tc.b)
			if tc.cancel {
				s.CancelAll()
			}
			require.Equal(t, tc.want, s.Candidates()[0].Facts)
		})
	}
}

func TestDecisionForIf(t *testing.T) {
	require.Equal(t, DecisionRun, DecisionForIf(Candidate{}, true))
	require.Equal(t, DecisionSkip, DecisionForIf(Candidate{}, false))
	require.Equal(t, DecisionCancel, DecisionForIf(Candidate{Facts: Facts{Cancelled: true}}, false))
	require.Equal(t, DecisionRun, DecisionForIf(Candidate{Facts: Facts{Cancelled: true}}, true))
}

func TestMatrixCountsAsOneNeed(t *testing.T) {
	s := newSchedule(t, spec(1, "m"), spec(2, "m"), spec(3, "n", "m"))
	require.Equal(t, []int64{1, 2}, decideAll(t, s))
	_, err := s.Finish(1, StatusFailure)
	require.NoError(t, err)
	require.Empty(t, s.Candidates())
	_, err = s.Finish(2, StatusCancelled)
	require.NoError(t, err)
	c := s.Candidates()
	require.Equal(t, []Need{{"m", StatusCancelled}}, c[0].Needs)
	require.Equal(t, Facts{Failure: true}, c[0].Facts)
}

func TestMaxParallel(t *testing.T) {
	var jobs []JobSpec
	for id := int64(1); id <= 5; id++ {
		jobs = append(jobs, JobSpec{ID: id, Key: "m", MaxParallel: 2})
	}
	s := newSchedule(t, jobs...)
	require.Equal(t, []int64{1, 2}, decideAll(t, s))
	require.NoError(t, s.Start(1))
	require.Empty(t, s.Candidates())
	_, err := s.Finish(2, StatusSuccess)
	require.NoError(t, err)
	require.Equal(t, []int64{3}, candidateIDs(s.Candidates()))
	require.NoError(t, s.Decide(3, DecisionSkip), "a skipped cell takes no place")
	require.Equal(t, []int64{4}, decideAll(t, s))
}

func TestFailFast(t *testing.T) {
	cell := func(id int64, soft bool) JobSpec {
		return JobSpec{ID: id, Key: "m", FailFast: true, MaxParallel: 3, Soft: soft}
	}
	s := newSchedule(t, cell(1, true), cell(2, false), cell(3, false), cell(4, false), spec(5, "n", "m"))
	decideAll(t, s)
	require.NoError(t, s.Start(3))
	stop, err := s.Finish(1, StatusFailure)
	require.NoError(t, err)
	require.Empty(t, stop, "a soft failure stops nobody")
	require.Equal(t, StatusBlocked, s.JobStatus(5))
	stop, err = s.Finish(2, StatusFailure)
	require.NoError(t, err)
	require.Equal(t, []int64{3}, stop)
	require.Equal(t, StatusCancelled, s.JobStatus(4))
	require.NoError(t, s.Cancelling(3))
	require.Equal(t, StatusCancelling, s.Status())
	_, err = s.Finish(3, StatusCancelled)
	require.NoError(t, err)
	decideAll(t, s)
	require.True(t, s.Done())
}

func TestCancelAll(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), spec(2, "b", "a"),
		JobSpec{ID: 3, Key: "tidy", Needs: []string{"b"}, HasIf: true}, JobSpec{ID: 4, Key: "other", Needs: []string{"b"}, HasIf: true})
	decideAll(t, s)
	flying := s.CancelAll()
	require.Equal(t, []int64{1}, candidateIDs(flying))
	require.Equal(t, DecisionCancel, DefaultDecision(flying[0]))
	require.Nil(t, s.CancelAll())
	require.Equal(t, StatusCancelled, s.JobStatus(2))
	require.Empty(t, s.Candidates(), "an ancestor still runs")
	_, err := s.Finish(1, StatusCancelled)
	require.NoError(t, err)
	list := s.Candidates()
	require.Equal(t, []int64{3, 4}, candidateIDs(list))
	require.Equal(t, Facts{Cancelled: true}, list[0].Facts)
	require.NoError(t, s.Decide(3, DecisionForIf(list[0], true)))
	require.NoError(t, s.Decide(4, DecisionForIf(list[1], false)))
	_, err = s.Finish(3, StatusSuccess)
	require.NoError(t, err)
	require.True(t, s.Done())
	require.Equal(t, StatusCancelled, s.Status())
}

func TestPassThrough(t *testing.T) {
	s := newSchedule(t,
		JobSpec{ID: 1, Key: "a", Status: StatusSuccess}, JobSpec{ID: 2, Key: "m", Needs: []string{"a"}, Status: StatusSuccess},
		JobSpec{ID: 3, Key: "m", Needs: []string{"a"}}, spec(4, "c", "m"), JobSpec{ID: 5, Key: "d", Needs: []string{"c"}, Status: StatusSkipped})
	require.Empty(t, s.TakeChanges())
	require.Equal(t, []int64{3}, decideAll(t, s), "its needs are all pass-through, so it starts at once")
	_, err := s.Finish(3, StatusSuccess)
	require.NoError(t, err)
	require.Equal(t, []int64{4}, decideAll(t, s))
	_, err = s.Finish(5, StatusSuccess)
	require.Error(t, err)
	done := newSchedule(t, JobSpec{ID: 1, Key: "a", Status: StatusFailure})
	require.True(t, done.Done())
	require.Equal(t, StatusFailure, done.Status())
	require.Empty(t, done.Candidates())
}

func TestExpand(t *testing.T) {
	s := newSchedule(t, spec(1, "a"), spec(2, "m", "a"), spec(3, "z", "m"))
	require.Error(t, s.Expand(7, []JobSpec{{ID: 8}}))
	finish(t, s, 1, StatusSuccess)
	require.Equal(t, []int64{2}, candidateIDs(s.Candidates()))
	require.Error(t, s.Expand(2, nil))
	require.Error(t, s.Expand(2, []JobSpec{{ID: 3}}))
	require.Error(t, s.Expand(2, []JobSpec{{ID: 8}, {ID: 8}}))
	require.Error(t, s.Expand(2, make([]JobSpec, MaxJobsPerRun)))
	require.NoError(t, s.Expand(2, []JobSpec{{ID: 2}, {ID: 20}, {ID: 21}}))
	require.Equal(t, []int64{2, 20, 21}, decideAll(t, s))
	for _, id := range []int64{21, 2, 20} {
		require.Empty(t, s.Candidates())
		_, err := s.Finish(id, StatusSuccess)
		require.NoError(t, err)
	}
	require.Equal(t, []int64{3}, decideAll(t, s))
}

func TestScheduleRefuses(t *testing.T) {
	_, err := NewSchedule([]JobSpec{spec(1, "a"), spec(1, "b")})
	require.ErrorContains(t, err, "job id 1 is given twice")
	_, err = NewSchedule([]JobSpec{spec(1, "a", "b"), spec(2, "b", "a")})
	require.ErrorContains(t, err, "cycle: a -> b -> a")
	_, err = NewSchedule(make([]JobSpec, MaxJobsPerRun+1))
	require.ErrorContains(t, err, "the limit is 1000")

	s := newSchedule(t, spec(1, "a"), spec(2, "b", "a"))
	require.Error(t, s.Decide(2, DecisionRun), "its need has not ended")
	require.Error(t, s.Decide(3, DecisionRun), "no such job")
	require.Error(t, s.Decide(1, Decision(0)))
	require.Error(t, s.Start(1), "not decided")
	require.NoError(t, s.Decide(1, DecisionRun))
	require.Error(t, s.Decide(1, DecisionRun), "decided twice")
	_, err = s.Finish(1, StatusRunning)
	require.Error(t, err)
	_, err = s.Finish(1, StatusSuccess)
	require.NoError(t, err)
	_, err = s.Finish(1, StatusFailure)
	require.Error(t, err)
	require.Equal(t, StatusSuccess, s.JobStatus(1), "a job ends once")
	require.Error(t, s.Start(1))
	require.Error(t, s.Cancelling(1))
}

func TestDecisionFailEndsTheJob(t *testing.T) {
	s := newSchedule(t, JobSpec{ID: 1, Key: "a", HasIf: true}, spec(2, "b", "a"))
	require.NoError(t, s.Decide(1, DecisionFail))
	decideAll(t, s)
	require.True(t, s.Done())
	require.Equal(t, StatusFailure, s.Status())
}

// TestLargestRunIsFast drives a chain and a matrix of the largest size; both took seconds if an event
// cost time in proportion to the run.
func TestLargestRunIsFast(t *testing.T) {
	var chain, wide []JobSpec
	for i := range int64(MaxJobsPerRun) {
		link := spec(i, fmt.Sprint("j", i))
		if i > 0 {
			link.Needs = []string{fmt.Sprint("j", i-1)}
		}
		chain = append(chain, link)
		wide = append(wide, JobSpec{ID: i, Key: "m", MaxParallel: 4})
	}
	start := time.Now()
	for _, jobs := range [][]JobSpec{chain, wide} {
		s := newSchedule(t, jobs...)
		for ids := decideAll(t, s); !s.Done(); ids = decideAll(t, s) {
			for _, id := range ids {
				_, err := s.Finish(id, StatusSuccess)
				require.NoError(t, err)
			}
		}
		require.Equal(t, StatusSuccess, s.Status())
	}
	require.Less(t, time.Since(start), 2*time.Second)
}

func TestCellsThatWaitForOthersAreBlocked(t *testing.T) {
	var specs []JobSpec
	for id := range int64(3) {
		specs = append(specs, JobSpec{ID: id + 1, Key: "m", MaxParallel: 2})
	}
	s, err := NewSchedule(specs)
	require.NoError(t, err)
	statuses := func() (out []Status) {
		for id := range int64(3) {
			out = append(out, s.JobStatus(id+1))
		}
		return out
	}
	require.Equal(t, []Status{StatusWaiting, StatusWaiting, StatusBlocked}, statuses())
	for _, c := range s.Candidates() {
		require.NoError(t, s.Decide(c.ID, DecisionRun))
	}
	require.Equal(t, []Status{StatusWaiting, StatusWaiting, StatusBlocked}, statuses())
	_, err = s.Finish(1, StatusSuccess)
	require.NoError(t, err)
	require.NoError(t, s.Decide(s.Candidates()[0].ID, DecisionRun))
	require.Equal(t, []Status{StatusSuccess, StatusWaiting, StatusWaiting}, statuses())
}
