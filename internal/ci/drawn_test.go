package ci

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// drawnRun is a random attempt: a tree of graphs without cycles, and what becomes of each job if it runs.
type drawnRun struct {
	jobs     []JobSpec             // at the start
	children map[int64][]JobSpec   // of the callers that have none at the start
	cells    map[int64][]JobSpec   // of deferred jobs
	specs    map[int64]JobSpec     // all of them
	plans    map[int64]drawnFuture //
	failFast bool
}

// drawnFuture is what becomes of a job.
type drawnFuture struct {
	result Status
	holds  bool // the value of its `if`
	held   bool // it waits for an approval before it runs
	broken bool // the workflow that it calls cannot be had
}

var drawnEnds = rapid.SampledFrom([]Status{StatusSuccess, StatusSuccess, StatusFailure, StatusCancelled, StatusSkipped})

func drawRun(t *rapid.T, failFast bool) *drawnRun {
	r := &drawnRun{
		children: map[int64][]JobSpec{}, cells: map[int64][]JobSpec{}, specs: map[int64]JobSpec{},
		plans: map[int64]drawnFuture{}, failFast: failFast,
	}
	r.drawListed(t, 0, 0, false)
	return r
}

// drawListed draws the jobs of a scope that is there at the start, and the children of those of its callers that have
// started or ended already.
func (r *drawnRun) drawListed(t *rapid.T, parent int64, depth int, ended bool) {
	specs := r.drawScope(t, parent, depth)
	for i := range specs {
		c := &specs[i]
		switch {
		case ended || rapid.IntRange(0, 9).Draw(t, "pass") == 0:
			c.Status = drawnEnds.Draw(t, "passed")
		case c.Kind != JobDeferred && rapid.IntRange(0, 9).Draw(t, "started") == 0:
			c.Started = true
		}
		r.specs[c.ID] = *c
	}
	r.jobs = append(r.jobs, specs...)
	for _, c := range specs {
		if c.Kind == JobCall && (c.Started || c.Status.Terminal()) && rapid.Bool().Draw(t, "expanded") {
			delete(r.children, c.ID)
			r.drawListed(t, c.ID, depth+1, c.Status.Terminal())
		}
	}
}

func (r *drawnRun) drawScope(t *rapid.T, parent int64, depth int) []JobSpec {
	var specs []JobSpec
	for k := range rapid.IntRange(1, 7-2*depth).Draw(t, "keys") {
		proto := JobSpec{Parent: parent, Key: fmt.Sprint("k", k), MaxParallel: rapid.IntRange(0, 3).Draw(t, "parallel")}
		proto.HasIf = rapid.Bool().Draw(t, "if")
		proto.FailFast = r.failFast && rapid.Bool().Draw(t, "failfast")
		for n := range k {
			if rapid.IntRange(0, 3).Draw(t, "need") == 0 {
				proto.Needs = append(proto.Needs, fmt.Sprint("k", n))
			}
		}
		if rapid.IntRange(0, 4).Draw(t, "deferred") == 0 {
			proto.Kind = JobDeferred
			specs = append(specs, r.drawCell(t, proto, depth))
			continue
		}
		specs = append(specs, r.drawCells(t, proto, depth)...)
	}
	return specs
}

func (r *drawnRun) drawCells(t *rapid.T, proto JobSpec, depth int) []JobSpec {
	proto.Kind = ""
	if depth < 2 && rapid.IntRange(0, 2).Draw(t, "call") == 0 {
		proto.Kind = JobCall
	}
	cells := make([]JobSpec, rapid.IntRange(1, 3).Draw(t, "cells"))
	for i := range cells {
		cells[i] = r.drawCell(t, proto, depth)
	}
	return cells
}

func (r *drawnRun) drawCell(t *rapid.T, c JobSpec, depth int) JobSpec {
	c.ID = int64(len(r.specs) + 1)
	c.Soft = rapid.IntRange(0, 3).Draw(t, "soft") == 0
	r.specs[c.ID] = c
	r.plans[c.ID] = drawnFuture{
		result: drawnEnds.Draw(t, "result"), holds: rapid.Bool().Draw(t, "holds"),
		held: rapid.IntRange(0, 3).Draw(t, "held") == 0, broken: rapid.IntRange(0, 9).Draw(t, "broken") == 0,
	}
	switch c.Kind {
	case JobCall:
		r.children[c.ID] = r.drawScope(t, c.ID, depth+1)
	case JobDeferred:
		r.cells[c.ID] = r.drawCells(t, c, depth)
	}
	return c
}

// drive is one way through a drawn attempt. It does what the run workflow does, in a drawn order.
type drive struct {
	*drawnRun
	t       *rapid.T
	s       *Schedule
	ends    map[int64]int
	stopped map[int64]bool // was told to stop
}

// runAll drives the attempt to its end. It fails if the attempt gets stuck. With disturb, users interfere.
func (r *drawnRun) runAll(t *rapid.T, disturb bool) *drive {
	s, err := NewSchedule(r.jobs)
	require.NoError(t, err)
	d := &drive{drawnRun: r, t: t, s: s, ends: map[int64]int{}, stopped: map[int64]bool{}}
	for {
		d.decideAll()
		d.check()
		flying := s.InFlight()
		if len(flying) == 0 {
			require.True(t, s.Done(), "nothing goes on and the run is %s", s.Status())
			return d
		}
		d.progress(rapid.SampledFrom(flying).Draw(t, "next"))
		if disturb {
			d.check()
			d.disturb()
		}
	}
}

func (d *drive) decideAll() {
	for {
		candidates, settled := d.s.Candidates(), d.s.Settled()
		if len(candidates)+len(settled) == 0 {
			return
		}
		for _, c := range candidates {
			if !d.s.JobStatus(c.ID).Terminal() { // stopped by the failure of a sibling
				d.decide(c)
			}
		}
		for _, c := range settled {
			d.finish(c.ID, c.Status)
		}
	}
}

func (d *drive) decide(c Candidate) {
	d.checkFacts(c)
	answer := DefaultDecision(c)
	if c.HasIf {
		answer = DecisionForIf(c, d.plans[c.ID].holds)
	}
	if answer == DecisionRun && c.Kind == JobDeferred {
		require.NoError(d.t, d.s.Expand(c.ID, d.cells[c.ID]))
		return
	}
	require.NoError(d.t, d.s.Decide(c.ID, answer))
	switch {
	case answer != DecisionRun:
	case d.plans[c.ID].held:
		require.NoError(d.t, d.s.Hold(c.ID))
	case c.Kind == JobCall:
		d.call(c.ID)
	}
}

// call expands a caller. Children of a caller that was stopped never come up.
func (d *drive) call(id int64) {
	if d.plans[id].broken || len(d.children[id]) == 0 {
		d.finish(id, StatusFailure)
		return
	}
	require.NoError(d.t, d.s.Adopt(id, d.children[id]))
	require.Error(d.t, d.s.Adopt(id, d.children[id]))
}

func (d *drive) finish(id int64, status Status) {
	stop, err := d.s.Finish(id, status)
	require.NoError(d.t, err)
	d.stop(stop)
}

func (d *drive) stop(ids []int64) {
	for _, id := range ids {
		require.Contains(d.t, d.s.InFlight(), id)
		d.stopped[id] = true
	}
}

// progress takes a job in flight to its end, or expands it. Runners do not always heed that they were told to stop.
func (d *drive) progress(id int64) {
	require.NoError(d.t, d.s.Release(id))
	heeds := d.stopped[id] && rapid.Bool().Draw(d.t, "heeds")
	switch {
	case heeds:
		d.finish(id, StatusCancelled)
	case d.specs[id].Kind == JobCall:
		d.call(id)
	default:
		require.NoError(d.t, d.s.Start(id))
		d.finish(id, d.plans[id].result)
	}
}

func (d *drive) disturb() {
	switch rapid.IntRange(0, 40).Draw(d.t, "disturb") {
	case 1:
		for _, c := range d.s.CancelAll() {
			if !c.HasIf || !d.plans[c.ID].holds {
				d.stop([]int64{c.ID})
			}
		}
	case 2:
		d.stop(d.s.ForceCancel())
		require.Empty(d.t, d.s.Candidates())
	case 3, 4:
		d.stopOne(rapid.SampledFrom(slices.Sorted(maps.Keys(d.s.byID))).Draw(d.t, "stop"))
	case 5:
		for _, id := range d.s.InFlight() {
			if d.stopped[id] {
				require.NoError(d.t, d.s.Cancelling(id))
			}
		}
	}
}

func (d *drive) stopOne(id int64) {
	stop, err := d.s.Stop(id)
	require.NoError(d.t, err)
	d.stop(stop)
	for j := range d.s.byID[id].tree() {
		require.NotEqual(d.t, undecided, j.phase)
		require.Equal(d.t, j.phase == inFlight && j.callee == nil, slices.Contains(stop, j.ID))
	}
}
