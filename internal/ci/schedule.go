package ci

import "fmt"

// JobSpec is one job of an attempt: one cell of a matrix, or the only cell of a job without a matrix.
type JobSpec struct {
	// ID is unique in the attempt.
	ID int64
	// Key is the job's name in the file. The cells of one matrix share it, and with it Needs, FailFast
	// and MaxParallel, which are taken from the first of them.
	Key   string
	Needs []string
	// HasIf says that the caller evaluates an `if` and decides by it (DecisionForIf).
	HasIf bool
	// Soft is `continue-on-error`: a failure of this job counts as success for the run and for dependants.
	Soft bool
	// Status is only looked at when it is terminal: the job is passed through from an earlier attempt.
	Status Status
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
// Each event costs time in proportion to the jobs it touches, not to the size of the attempt. A Schedule is
// not safe for use by several goroutines.
type Schedule struct {
	jobs      []*job
	byID      map[int64]*job
	keys      map[string]*key
	order     []*key // as in the file; keys must not be walked, maps have no order
	total     tally
	changes   []Change
	open      []*key // keys whose needs have ended and that have undecided jobs
	cancelled bool
}

// job is one JobSpec and how far it is.
type job struct {
	JobSpec
	key      *key
	position int // input order
	phase    phase
	status   Status
}

type phase int8

const (
	undecided phase = iota
	inFlight
	ended
)

// key is one job of the file with all its cells.
type key struct {
	name       string
	position   int
	needs      []*key
	dependants []*key
	cells      []*job
	tally      tally
	waitsFor   int // needs that have not settled
	inFlight   int
	settled    bool // every cell ended and every need settled
	isOpen     bool
	facts      Facts // of this key and everything above it; valid once settled
}

// NewSchedule builds the state machine from the jobs in file order. It refuses duplicate ids, more than
// MaxJobsPerRun jobs, and needs that CheckNeeds finds wrong.
func NewSchedule(jobs []JobSpec) (*Schedule, error) {
	if len(jobs) > MaxJobsPerRun {
		return nil, fmt.Errorf("%d jobs in one run; the limit is %d", len(jobs), MaxJobsPerRun)
	}
	s := &Schedule{byID: make(map[int64]*job, len(jobs)), keys: map[string]*key{}}
	for _, spec := range jobs {
		if err := s.addJob(spec); err != nil {
			return nil, err
		}
	}
	if err := s.link(); err != nil {
		return nil, err
	}
	for _, k := range s.order {
		s.settle(k)
	}
	return s, nil
}

func (s *Schedule) addJob(spec JobSpec) error {
	if s.byID[spec.ID] != nil {
		return fmt.Errorf("job id %d is given twice", spec.ID)
	}
	k := s.keys[spec.Key]
	if k == nil {
		k = &key{name: spec.Key, position: len(s.order)}
		s.keys[spec.Key] = k
		s.order = append(s.order, k)
	}
	j := newJob(spec, k, len(s.jobs))
	s.jobs = append(s.jobs, j)
	s.byID[spec.ID] = j
	k.cells = append(k.cells, j)
	s.count(j, 1)
	return nil
}

func newJob(spec JobSpec, k *key, position int) *job {
	j := &job{JobSpec: spec, key: k, position: position, status: StatusBlocked}
	switch {
	case spec.Status.Terminal():
		j.status, j.phase = spec.Status, ended
	case len(spec.Needs) == 0:
		j.status = StatusWaiting
	}
	return j
}

// link turns the names in Needs into pointers both ways.
func (s *Schedule) link() error {
	graph := make([]KeyNeeds, len(s.order))
	for i, k := range s.order {
		graph[i] = KeyNeeds{Key: k.name, Needs: k.cells[0].Needs}
	}
	if wrong := CheckNeeds(graph); len(wrong) > 0 {
		return wrong[0]
	}
	for i, k := range s.order {
		s.connect(k, graph[i].Needs)
	}
	return nil
}

// connect ties a key to the ones that it needs; an entry that comes twice counts once.
func (s *Schedule) connect(k *key, names []string) {
	seen := make(map[string]bool, len(names))
	for _, name := range names {
		if need := s.keys[name]; !seen[name] {
			seen[name] = true
			k.needs = append(k.needs, need)
			need.dependants = append(need.dependants, k)
		}
	}
	k.waitsFor = len(k.needs)
}

// count takes job j in (1) or out (-1) of the sums it is part of.
func (s *Schedule) count(j *job, n int) {
	o := Outcome{Status: j.status, Soft: j.Soft}
	s.total.add(o, n)
	j.key.tally.add(o, n)
	if j.phase == inFlight {
		j.key.inFlight += n
	}
}

// move is the only place where a job changes after the start.
func (s *Schedule) move(j *job, to phase, status Status) {
	s.count(j, -1)
	changed := j.status != status
	j.phase, j.status = to, status
	s.count(j, 1)
	if changed {
		s.changes = append(s.changes, Change{ID: j.ID, Status: status})
	}
	if to == ended {
		s.settle(j.key)
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

// Status returns the aggregate over all jobs (execution-semantics.md §2.2).
func (s *Schedule) Status() Status { return s.total.status() }

// Done reports whether every job has ended.
func (s *Schedule) Done() bool { return s.total.terminal() }

// JobStatus returns the status of one job; StatusUnknown for an id that is not in the attempt.
func (s *Schedule) JobStatus(id int64) Status {
	if j := s.byID[id]; j != nil {
		return j.status
	}
	return StatusUnknown
}

// InFlight returns the jobs that were decided to run and have not ended, in input order.
func (s *Schedule) InFlight() []int64 {
	var ids []int64
	for _, j := range s.jobs {
		if j.phase == inFlight {
			ids = append(ids, j.ID)
		}
	}
	return ids
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
