package ci

import (
	"fmt"
	"iter"
	"slices"
)

// JobSpec is one job of an attempt: one cell of a matrix, or the only cell of a job without a matrix.
type JobSpec struct {
	// ID is unique in the attempt, and not 0 for a caller.
	ID int64
	// Parent is the caller whose child the job is; 0 for the jobs of the run's own file.
	Parent int64
	// Kind is what the job is; empty means JobTask.
	Kind JobKind
	// Key is the job's name in its file. The cells of one matrix share it, and with it Needs, FailFast
	// and MaxParallel, which are taken from the first of them. Needs are keys of the same file.
	Key   string
	Needs []string
	// HasIf says that the caller evaluates an `if` and decides by it (DecisionForIf).
	HasIf bool
	// Soft is `continue-on-error`: a failure of this job counts as success for the run and for dependants.
	Soft bool
	// Status is only looked at when it is terminal, for the job is passed through from an earlier attempt then,
	// and when the job is Started.
	Status Status
	// Started says that the job is in flight already: one of an earlier attempt whose end counts for this one,
	// or a caller whose children are in the list as well.
	Started bool
	// ByFailFast says of a job that is passed through as cancelled that fail-fast had stopped it.
	ByFailFast bool
	// FailFast cancels the other cells of the key at the first failure that is not soft.
	FailFast bool
	// MaxParallel is how many cells of the key may be in flight at once; 0 is no limit.
	MaxParallel int
}

// Change is one status change of one job.
type Change struct {
	ID     int64
	Status Status
}

// Schedule is the state machine of one attempt: it knows which jobs may go, and what each event means for
// the others. It decides nothing that needs an expression; the caller asks for Candidates, evaluates their
// `if`, and answers with Decide. The same calls give the same answers, so a workflow may replay it.
//
// The jobs form a tree. A job of kind JobCall is in flight while its children are worked on, which Adopt brings in;
// when all of them have ended it is Settled, and a Finish ends it. A job of kind JobDeferred is replaced by its cells
// (Expand). Lists of jobs are in the order of the tree: a caller comes before its children, cells stand where the
// deferred job stood.
//
// Each event costs time in proportion to the jobs it touches, not to the size of the attempt. A Schedule is
// not safe for use by several goroutines.
type Schedule struct {
	root      *scope
	byID      map[int64]*job
	changes   []Change
	open      []*key // keys whose needs have ended and that may have jobs to decide
	settled   []*job // callers whose children have all ended, and that may not have been finished
	cancelled bool
}

// job is one JobSpec and how far it is.
type job struct {
	JobSpec
	scope  *scope
	key    *key
	place  []int // the way to it in the tree
	phase  phase
	status Status
	stop   stopCause
	callee *scope // of a caller that was expanded
	cells  []*job // what a deferred job was replaced by
}

type phase int8

const (
	undecided phase = iota
	inFlight
	ended
	replaced // by its cells: it is no part of the attempt any more
)

// stopCause is why a job was told to stop. The first cause stays.
type stopCause int8

const (
	notStopped stopCause = iota
	stopAsked
	stopFailFast
)

// key is one job of the file with all its cells.
type key struct {
	name       string
	needs      []*key
	dependants []*key
	cells      []*job
	tally      tally
	decided    int // the cells before this one are not undecided
	waitsFor   int // needs that have not settled
	inFlight   int
	settled    bool // every cell ended and every need settled
	isOpen     bool
	facts      Facts // of this key and everything above it; valid once settled
}

// NewSchedule builds the state machine from the jobs in file order. Children come after their caller, which has
// Started or is passed through. It refuses duplicate ids, more than MaxJobsPerRun jobs, and needs that CheckNeeds
// finds wrong.
func NewSchedule(jobs []JobSpec) (*Schedule, error) {
	s := &Schedule{byID: make(map[int64]*job, len(jobs))}
	if err := s.fits(jobs, nil); err != nil {
		return nil, err
	}
	families := map[int64][]JobSpec{}
	for _, spec := range jobs {
		families[spec.Parent] = append(families[spec.Parent], spec)
	}
	if err := s.addRoot(families[0]); err != nil {
		return nil, err
	}
	for _, spec := range jobs {
		if err := s.addFamily(spec, families[spec.ID]); err != nil {
			return nil, err
		}
	}
	s.changes = nil
	return s, nil
}

func (s *Schedule) addRoot(specs []JobSpec) (err error) {
	if s.root, err = newScope(nil, specs); err == nil {
		s.enter(s.root)
	}
	return err
}

// addFamily adds the children of a job of the list that NewSchedule got.
func (s *Schedule) addFamily(spec JobSpec, children []JobSpec) error {
	caller := s.byID[spec.ID]
	if caller == nil {
		return fmt.Errorf("job %d (%s): its caller %d does not come before it", spec.ID, spec.Key, spec.Parent)
	}
	if spec.ID == 0 || len(children) == 0 {
		return nil
	}
	if err := caller.checkChildren(children); err != nil {
		return err
	}
	return s.addScope(caller, children)
}

// TooManyJobsError says that a run would have more than MaxJobsPerRun jobs.
type TooManyJobsError struct {
	// Jobs is how many it would have.
	Jobs int
}

// Error names the limit.
func (e TooManyJobsError) Error() string {
	return fmt.Sprintf("%d jobs in one run; the limit is %d", e.Jobs, MaxJobsPerRun)
}

// fits checks that jobs can come in, in the place of another one unless that is nil: that they are not too many, and
// that no id is in the attempt or comes twice. The id of the replaced job may be used again.
func (s *Schedule) fits(jobs []JobSpec, inPlaceOf *job) error {
	total := len(s.byID) + len(jobs)
	if inPlaceOf != nil {
		total--
	}
	if total > MaxJobsPerRun {
		return TooManyJobsError{Jobs: total}
	}
	seen := make(map[int64]bool, len(jobs))
	for _, spec := range jobs {
		if other := s.byID[spec.ID]; seen[spec.ID] || other != nil && other != inPlaceOf {
			return fmt.Errorf("job id %d is given twice", spec.ID)
		}
		seen[spec.ID] = true
	}
	return nil
}

// count takes the job in (1) or out (-1) of the sums it is part of.
func (j *job) count(n int) {
	o := Outcome{Status: j.status, Soft: j.Soft, FailFast: j.endedByFailFast()}
	j.scope.tally.add(o, n)
	j.key.tally.add(o, n)
	if j.phase == inFlight {
		j.key.inFlight += n
	}
}

// move is the only place where a job changes after the start.
func (s *Schedule) move(j *job, to phase, status Status) {
	j.count(-1)
	changed := j.status != status
	j.phase, j.status = to, status
	j.count(1)
	if changed {
		s.changes = append(s.changes, Change{ID: j.ID, Status: status})
	}
	if to == ended {
		s.settle(j.key)
		s.settleCaller(j.scope)
	}
}

// settle passes the end of a key on to its dependants, and opens the keys that waited for nothing else.
func (s *Schedule) settle(k *key) {
	if k.settled || k.waitsFor > 0 {
		return
	}
	if !k.tally.terminal() {
		s.reopen(k)
		return
	}
	k.settled = true
	k.facts = k.factsWith(&k.tally)
	for _, d := range k.dependants {
		d.waitsFor--
		s.settle(d)
	}
}

func (s *Schedule) reopen(k *key) {
	if !k.isOpen {
		k.isOpen = true
		s.open = append(s.open, k)
	}
}

// Status returns the aggregate over the jobs of the run's own file, each caller being one of them
// (execution-semantics.md §2.2).
func (s *Schedule) Status() Status { return s.root.tally.status() }

// Done reports whether every job has ended. A caller ends after its children.
func (s *Schedule) Done() bool { return s.root.tally.terminal() }

// JobStatus returns the status of one job; StatusUnknown for an id that is not in the attempt.
func (s *Schedule) JobStatus(id int64) Status {
	if j := s.byID[id]; j != nil {
		return j.status
	}
	return StatusUnknown
}

// FailFast reports whether the job ended as cancelled because fail-fast stopped it, and thus counts as failed. It
// says so of the cells of the matrix alone: what they have called is just cancelled.
func (s *Schedule) FailFast(id int64) bool {
	j := s.byID[id]
	return j != nil && j.endedByFailFast()
}

func (j *job) endedByFailFast() bool {
	return j.phase == ended && j.status == StatusCancelled && j.stop == stopFailFast
}

// InFlight returns the jobs that were decided to run and have not ended. Of callers it has those that have no
// children yet; for the others their children stand.
func (s *Schedule) InFlight() []int64 {
	var ids []int64
	for j := range s.all() {
		if j.phase == inFlight && j.callee == nil {
			ids = append(ids, j.ID)
		}
	}
	return ids
}

// all walks every job in the order of the tree.
func (s *Schedule) all() iter.Seq[*job] {
	return func(yield func(*job) bool) { walk(s.root.jobs, yield) }
}

// tree walks the job and everything below it.
func (j *job) tree() iter.Seq[*job] {
	return func(yield func(*job) bool) { walk([]*job{j}, yield) }
}

func walk(jobs []*job, yield func(*job) bool) bool {
	for _, j := range jobs {
		if j.phase == replaced {
			if !walk(j.cells, yield) {
				return false
			}
			continue
		}
		if !yield(j) || j.callee != nil && !walk(j.callee.jobs, yield) {
			return false
		}
	}
	return true
}

// TakeChanges returns every status change since the last call, oldest first. Pass-through jobs and the
// statuses at the start are not changes.
func (s *Schedule) TakeChanges() []Change {
	taken := s.changes
	s.changes = nil
	return taken
}

// find returns the job with this id if it is in the phase that the caller needs.
func (s *Schedule) find(id int64, want phase, verb string) (*job, error) {
	j := s.byID[id]
	if j == nil {
		return nil, fmt.Errorf("%s job %d: no such job in this attempt", verb, id)
	}
	if j.phase != want {
		return nil, fmt.Errorf("%s job %d (%s): it is %s", verb, id, j.Key, j.status)
	}
	return j, nil
}

// findCandidate returns the job with this id if its time has come and it is not decided.
func (s *Schedule) findCandidate(id int64, verb string) (*job, error) {
	j, err := s.find(id, undecided, verb)
	if err == nil && j.key.waitsFor > 0 {
		return nil, fmt.Errorf("%s job %d (%s): %d of its needs have not ended", verb, id, j.Key, j.key.waitsFor)
	}
	return j, err
}

func byPlace(a, b *job) int { return slices.Compare(a.place, b.place) }
