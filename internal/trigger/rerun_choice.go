package trigger

import (
	"slices"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
	"github.com/pawl-ci/pawl/internal/fault"
)

// fate is what becomes of a job of one attempt in the next.
type fate int8

const (
	// fateKeep takes the job over with its end, or, while it has not ended, has the new one follow it.
	fateKeep fate = iota
	// fateAgain runs the job again. Cells and children that it had are made anew when its time comes.
	fateAgain
	// fateOpen is a caller of which some children run again.
	fateOpen
	// fateDrop leaves a job out, because what it was made of is made anew or followed as a whole.
	fateDrop
)

// choice decides which jobs of an attempt run again in the next. It is a pure function of the rows.
type choice struct {
	jobs   []*db.Job // in order: callers before their children, deferred jobs before their cells
	byID   map[int64]*db.Job
	inside map[int64][]*db.Job // children by caller, cells by deferred job
	scopes map[int64]*rerunScope
	fates  map[int64]fate
}

// rerunScope is one workflow file in use: that of the run, or the one that a caller calls.
type rerunScope struct {
	keys       map[string][]*db.Job // without cells of deferred jobs
	dependants map[string][]string
}

func newChoice(jobs []*db.Job) *choice {
	c := &choice{
		jobs: jobs, byID: map[int64]*db.Job{}, inside: map[int64][]*db.Job{}, scopes: map[int64]*rerunScope{}, fates: map[int64]fate{},
	}
	for _, j := range jobs {
		c.byID[j.ID] = j
		if j.OriginID != 0 {
			c.inside[j.OriginID] = append(c.inside[j.OriginID], j)
			continue
		}
		if j.ParentID != 0 {
			c.inside[j.ParentID] = append(c.inside[j.ParentID], j)
		}
		c.addToScope(j)
	}
	return c
}

func (c *choice) addToScope(j *db.Job) {
	s := c.scopes[j.ParentID]
	if s == nil {
		s = &rerunScope{keys: map[string][]*db.Job{}, dependants: map[string][]string{}}
		c.scopes[j.ParentID] = s
	}
	if s.keys[j.Key] == nil {
		for _, need := range j.Needs {
			s.dependants[need] = append(s.dependants[need], j.Key)
		}
	}
	s.keys[j.Key] = append(s.keys[j.Key], j)
}

// all runs everything again.
func (c *choice) all() {
	for _, j := range c.jobs {
		if j.ParentID == 0 && j.OriginID == 0 {
			c.again(j)
		}
	}
}

// failed runs the jobs again that failed or were cancelled, with what depends on them; all when there are none. Of a
// caller it is the children that count, if any of them failed.
func (c *choice) failed() {
	below := map[int64]bool{} // callers with something failed inside
	var roots []*db.Job
	for i := len(c.jobs) - 1; i >= 0; i-- {
		j := c.jobs[i]
		broken := !j.IsHidden && (j.Status == ci.StatusFailure || j.Status == ci.StatusCancelled)
		if broken && !below[j.ID] {
			roots = append(roots, j)
		}
		below[j.ParentID] = below[j.ParentID] || broken || below[j.ID]
	}
	for _, j := range roots {
		c.again(j)
	}
	if len(roots) == 0 {
		c.all()
	}
}

// one runs a single job again, with what depends on it, in its own file and in those that call it. Nothing of that may
// be unfinished. Faults: 404, 409.
func (c *choice) one(id int64) error {
	j := c.byID[id]
	switch {
	case j == nil || j.IsHidden:
		return fault.NotFound("job %d is not in the latest attempt of this run", id)
	case !j.Status.Terminal():
		return fault.Conflict("job %q has not finished", j.Name)
	}
	c.again(j)
	return c.settled()
}

// again has a job run again, and what depends on it.
func (c *choice) again(j *db.Job) {
	if f := c.fates[j.ID]; f == fateAgain || f == fateDrop {
		return
	}
	c.fates[j.ID] = fateAgain
	c.dropInside(j)
	c.disturb(j)
}

// disturb has everything run again that depends on a job, in its own file and in those of its callers. These are open
// again.
func (c *choice) disturb(j *db.Job) {
	if s := c.scopes[j.ParentID]; s != nil {
		for _, key := range s.dependants[j.Key] {
			for _, d := range s.keys[key] {
				c.again(d)
			}
		}
	}
	if caller := c.byID[j.ParentID]; caller != nil && c.fates[caller.ID] == fateKeep {
		c.fates[caller.ID] = fateOpen
		c.disturb(caller)
	}
}

func (c *choice) dropInside(j *db.Job) {
	for _, in := range c.inside[j.ID] {
		c.fates[in.ID] = fateDrop
		c.dropInside(in)
	}
}

// settled makes sure that nothing which runs again has yet to end, and that what goes on can be followed.
func (c *choice) settled() error {
	open := slices.DeleteFunc(slices.Clone(c.jobs), func(j *db.Job) bool { return j.IsHidden || j.Status.Terminal() })
	for _, j := range open {
		if f := c.fates[j.ID]; f == fateAgain || f == fateDrop {
			return fault.Conflict("job %q depends on it and has not finished", j.Name)
		}
	}
	for _, j := range open {
		if c.fates[j.ID] != fateKeep {
			continue
		}
		if j.Kind == ci.JobDeferred {
			return fault.Conflict("job %q waits for what it depends on; a job can be run again once the matrix of that is known", j.Name)
		}
		c.dropInside(j) // a caller is followed as a whole
	}
	return nil
}
