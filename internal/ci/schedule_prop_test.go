package ci

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawnRun is a random attempt: a graph without cycles, and what becomes of each job if it runs.
type drawnRun struct {
	jobs   []JobSpec
	result map[int64]Status
	always map[int64]bool // value of `if`, for jobs that have one
}

func drawRun(t *rapid.T, failFast bool) drawnRun {
	r := drawnRun{result: map[int64]Status{}, always: map[int64]bool{}}
	ends := rapid.SampledFrom([]Status{StatusSuccess, StatusSuccess, StatusFailure, StatusCancelled, StatusSkipped})
	id := int64(0)
	for k := range rapid.IntRange(1, 9).Draw(t, "keys") {
		proto := JobSpec{Key: fmt.Sprint("k", k), MaxParallel: rapid.IntRange(0, 3).Draw(t, "parallel")}
		proto.HasIf = rapid.Bool().Draw(t, "if")
		proto.FailFast = failFast && rapid.Bool().Draw(t, "failfast")
		for n := range k {
			if rapid.IntRange(0, 3).Draw(t, "need") == 0 {
				proto.Needs = append(proto.Needs, fmt.Sprint("k", n))
			}
		}
		for range rapid.IntRange(1, 4).Draw(t, "cells") {
			id++
			cell := proto
			cell.ID, cell.Soft = id, rapid.Bool().Draw(t, "soft")
			if rapid.IntRange(0, 9).Draw(t, "pass") == 0 {
				cell.Status = ends.Draw(t, "passed")
			}
			r.jobs = append(r.jobs, cell)
			r.result[id] = ends.Draw(t, "result")
			r.always[id] = rapid.Bool().Draw(t, "always")
		}
	}
	return r
}

// decide answers a candidate as the run workflow does.
func (r drawnRun) decide(c Candidate) Decision {
	if c.HasIf {
		return DecisionForIf(c, r.always[c.ID])
	}
	return DefaultDecision(c)
}

// runAll drives the attempt to its end, with the jobs in flight ending in a drawn order, and cancels it
// after cancelAt events. It fails if the attempt gets stuck.
func (r drawnRun) runAll(t *rapid.T, cancelAt int) (*Schedule, []Change) {
	s, err := NewSchedule(r.jobs)
	require.NoError(t, err)
	var changes []Change
	for event := 0; ; event++ {
		if event == cancelAt {
			s.CancelAll()
		}
		for list := s.Candidates(); len(list) > 0; list = s.Candidates() {
			for _, c := range list {
				require.NoError(t, s.Decide(c.ID, r.decide(c)))
			}
		}
		r.checkPlaces(t, s)
		changes = append(changes, s.TakeChanges()...)
		flying := s.InFlight()
		if len(flying) == 0 {
			return s, changes
		}
		id := rapid.SampledFrom(flying).Draw(t, "ends next")
		require.NoError(t, s.Start(id))
		_, err := s.Finish(id, r.result[id])
		require.NoError(t, err)
	}
}

// checkPlaces holds max-parallel, and the running sums against a plain count.
func (r drawnRun) checkPlaces(t *rapid.T, s *Schedule) {
	places := map[string]int{}
	var outcomes []Outcome
	for _, id := range s.InFlight() {
		places[s.byID[id].Key]++
	}
	for _, j := range r.jobs {
		outcomes = append(outcomes, Outcome{Status: s.JobStatus(j.ID), Soft: j.Soft})
		if j.MaxParallel > 0 {
			require.LessOrEqual(t, places[j.Key], j.MaxParallel)
		}
	}
	require.Equal(t, Aggregate(outcomes), s.Status())
}

// requireEndedOnce holds that every job ended, once, and that the run knows it.
func (r drawnRun) requireEndedOnce(t *rapid.T, s *Schedule, changes []Change) {
	require.True(t, s.Done())
	ends := map[int64]int{}
	for _, c := range changes {
		if c.Status.Terminal() {
			ends[c.ID]++
		}
	}
	for _, j := range r.jobs {
		require.True(t, s.JobStatus(j.ID).Terminal())
		want := 1
		if j.Status.Terminal() {
			want = 0
		}
		require.Equal(t, want, ends[j.ID], "job %d ended %d times", j.ID, ends[j.ID])
	}
}

func TestEveryJobEndsOnceInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRun(t, false)
		first, changes := r.runAll(t, -1)
		r.requireEndedOnce(t, first, changes)
		second, _ := r.runAll(t, -1)
		for _, j := range r.jobs {
			require.Equal(t, first.JobStatus(j.ID), second.JobStatus(j.ID), "job %d depends on the order", j.ID)
		}
		require.Equal(t, first.Status(), second.Status())
	})
}

func TestEveryJobEndsOnceWithCancelAndFailFast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRun(t, true)
		s, changes := r.runAll(t, rapid.IntRange(0, 10).Draw(t, "cancel at"))
		r.requireEndedOnce(t, s, changes)
	})
}
