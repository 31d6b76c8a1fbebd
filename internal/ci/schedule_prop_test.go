package ci

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// check holds what is true at any time: no job ends twice or goes on after its end, max-parallel is kept, and the
// running sums agree with a plain count.
func (d *drive) check() {
	for _, c := range d.s.TakeChanges() {
		require.Zero(d.t, d.ends[c.ID], "job %d became %s after its end", c.ID, c.Status)
		if c.Status.Terminal() {
			d.ends[c.ID]++
		}
	}
	count := 0
	for j := range d.s.all() {
		count++
		require.Same(d.t, j, d.s.byID[j.ID])
		require.Equal(d.t, j.phase == ended, j.status.Terminal())
		if j.phase == ended && j.callee != nil {
			d.checkOver(j.callee)
		}
	}
	require.Len(d.t, d.s.byID, count)
	d.checkScope(d.s.root)
	require.Equal(d.t, d.s.root.tally.status(), d.s.Status())
}

// checkOver holds that no caller ends before its children.
func (d *drive) checkOver(sc *scope) {
	walk(sc.jobs, func(j *job) bool {
		require.Equal(d.t, ended, j.phase)
		return true
	})
}

func (d *drive) checkScope(sc *scope) {
	var all []Outcome
	for _, k := range sc.order {
		var cells []Outcome
		places, started := 0, 0
		for _, j := range k.cells {
			cells = append(cells, Outcome{Status: j.status, Soft: j.Soft, FailFast: d.s.FailFast(j.ID)})
			if j.phase == inFlight {
				places++
			}
			if j.Started {
				started++
			}
			if j.callee != nil {
				d.checkScope(j.callee)
			}
		}
		require.Equal(d.t, Aggregate(cells), k.tally.status())
		if limit := k.cells[0].MaxParallel; limit > 0 {
			require.LessOrEqual(d.t, places, max(limit, started))
		}
		all = append(all, cells...)
	}
	require.Equal(d.t, Aggregate(all), sc.tally.status())
}

// checkFacts compares the status functions with a walk over all ancestors.
func (d *drive) checkFacts(c Candidate) {
	want := Facts{Success: true}
	above := map[*key]bool{}
	addAncestors(d.s.byID[c.ID].key, above)
	for k := range above {
		want.Success = want.Success && k.tally.status() == StatusSuccess
		for _, j := range k.cells {
			want.Failure = want.Failure || !j.Soft && (j.status == StatusFailure || d.s.FailFast(j.ID))
		}
	}
	if d.s.cancelled {
		want = Facts{Cancelled: true}
	}
	require.Equal(d.t, want, c.Facts)
}

func addAncestors(k *key, above map[*key]bool) {
	for _, n := range k.needs {
		if !above[n] {
			above[n] = true
			addAncestors(n, above)
		}
	}
}

// requireEndedOnce holds that every job ended, once, and that the run knows it.
func (d *drive) requireEndedOnce() {
	require.True(d.t, d.s.Done())
	require.Empty(d.t, d.s.Settled())
	for j := range d.s.all() {
		require.True(d.t, j.status.Terminal())
		want := 1
		if d.specs[j.ID].Status.Terminal() {
			want = 0
		}
		require.Equal(d.t, want, d.ends[j.ID], "job %d ended %d times", j.ID, d.ends[j.ID])
		if d.s.FailFast(j.ID) {
			require.True(d.t, hasHardFailure(j.key), "fail-fast without a failure")
		}
	}
}

func hasHardFailure(k *key) bool {
	for _, j := range k.cells {
		if j.status == StatusFailure && !j.Soft {
			return true
		}
	}
	return false
}

func TestEveryJobEndsOnceInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRun(t, false)
		first := r.runAll(t, false)
		first.requireEndedOnce()
		second := r.runAll(t, false)
		require.Len(t, second.s.byID, len(first.s.byID))
		for id := range first.s.byID {
			require.Equal(t, first.s.JobStatus(id), second.s.JobStatus(id), "job %d depends on the order", id)
		}
		require.Equal(t, first.s.Status(), second.s.Status())
	})
}

func TestEveryJobEndsOnceWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		drawRun(t, true).runAll(t, true).requireEndedOnce()
	})
}
