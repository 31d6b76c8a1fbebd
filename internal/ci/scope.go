package ci

import (
	"fmt"
	"slices"
)

// scope is the jobs of one file that run together: those of the run's own file, or the children of one caller. Keys
// and needs are names in a scope.
type scope struct {
	caller *job // nil for the run's own file
	jobs   []*job
	keys   map[string]*key
	order  []*key // as in the file; keys must not be walked, maps have no order
	tally  tally
}

// newScope makes a scope that is no part of a schedule yet, so that it can be refused without a trace.
func newScope(caller *job, specs []JobSpec) (*scope, error) {
	sc := &scope{caller: caller, keys: map[string]*key{}}
	for _, spec := range specs {
		sc.add(spec)
	}
	return sc, sc.link()
}

func (sc *scope) add(spec JobSpec) {
	k := sc.keys[spec.Key]
	if k == nil {
		k = &key{name: spec.Key}
		sc.keys[spec.Key] = k
		sc.order = append(sc.order, k)
	}
	var above []int
	if sc.caller != nil {
		above = sc.caller.place
	}
	j := newJob(spec, sc, k, append(slices.Clone(above), len(sc.jobs)), len(k.cells))
	sc.jobs = append(sc.jobs, j)
	k.cells = append(k.cells, j)
}

// newJob makes a job and counts it. It is number nth of its matrix, from 0; one that has to wait for others is blocked.
func newJob(spec JobSpec, sc *scope, k *key, place []int, nth int) *job {
	j := &job{JobSpec: spec, scope: sc, key: k, place: place, status: StatusBlocked}
	switch {
	case spec.Status.Terminal():
		j.status, j.phase = spec.Status, ended
		if spec.ByFailFast {
			j.stop = stopFailFast
		}
	case spec.Started:
		j.status, j.phase = startedStatus(spec.Status), inFlight
	case len(spec.Needs) == 0 && (spec.MaxParallel <= 0 || nth < spec.MaxParallel):
		j.status = StatusWaiting
	}
	j.count(1)
	return j
}

func startedStatus(given Status) Status {
	if given == StatusUnknown {
		return StatusWaiting
	}
	return given
}

// link turns the names in Needs into pointers both ways.
func (sc *scope) link() error {
	graph := make([]KeyNeeds, len(sc.order))
	for i, k := range sc.order {
		graph[i] = KeyNeeds{Key: k.name, Needs: k.cells[0].Needs}
	}
	if wrong := CheckNeeds(graph); len(wrong) > 0 {
		return wrong[0]
	}
	for i, k := range sc.order {
		sc.connect(k, graph[i].Needs)
	}
	return nil
}

// connect ties a key to the ones that it needs; an entry that comes twice counts once.
func (sc *scope) connect(k *key, names []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if need := sc.keys[name]; !seen[name] {
			seen[name] = true
			k.needs = append(k.needs, need)
			need.dependants = append(need.dependants, k)
		}
	}
	k.waitsFor = len(k.needs)
}

// addScope gives a caller its children. An error changes nothing.
func (s *Schedule) addScope(caller *job, children []JobSpec) error {
	sc, err := newScope(caller, children)
	if err != nil {
		return fmt.Errorf("jobs called by job %d (%s): %w", caller.ID, caller.Key, err)
	}
	caller.callee = sc
	if caller.phase == inFlight && caller.status != StatusCancelling {
		s.move(caller, inFlight, StatusRunning)
	}
	s.enter(sc)
	return nil
}

// enter makes a scope part of the schedule.
func (s *Schedule) enter(sc *scope) {
	for _, j := range sc.jobs {
		s.byID[j.ID] = j
	}
	for _, k := range sc.order {
		s.settle(k)
	}
	s.settleCaller(sc)
}
