package ci

import (
	"fmt"
	"slices"
)

// Need is what became of one job that another one needs: the aggregate over its cells. A soft failure
// counts as success, so Result is one of success, failure, cancelled and skipped.
type Need struct {
	Key    string
	Result Status
}

// Facts are the values of the status functions of a job's `if`. They look at every ancestor, not only at
// the direct needs (execution-semantics.md §4.2, GH rule). Ancestors are jobs of the same file: a called workflow
// knows nothing of what its caller needed.
type Facts struct {
	// Success is success(): every ancestor succeeded, and the run was not cancelled.
	Success bool
	// Failure is failure(): some ancestor failed, and the run was not cancelled. One failed cell of a matrix
	// is enough, even if another one was cancelled and the matrix as a whole counts as cancelled.
	Failure bool
	// Cancelled is cancelled(): the run was cancelled. A single cancelled job does not count.
	Cancelled bool
}

// Candidate is a job whose time has come: everything it needs has ended.
type Candidate struct {
	ID     int64
	Parent int64   // as in its JobSpec
	Kind   JobKind // as in its JobSpec
	Key    string
	Needs  []Need // in the order of the file
	HasIf  bool
	Facts  Facts
}

// Decision is the answer to a Candidate.
type Decision int8

// The answers.
const (
	// DecisionRun offers the job to runners: it is waiting, and holds its place of max-parallel. For a caller it means
	// that Adopt is next, or a Finish if the workflow that it calls cannot be had. A deferred job is not decided so: it
	// is replaced by its cells (Expand).
	DecisionRun Decision = iota + 1
	// DecisionSkip ends it as skipped.
	DecisionSkip
	// DecisionFail ends it as a failure, because its `if` could not be evaluated (§4.2, "Do: fail the job").
	// It does not set off fail-fast: the other cells have the same `if` and get their own answer.
	DecisionFail
	// DecisionCancel ends it as cancelled.
	DecisionCancel
)

// DefaultDecision decides for a job without `if`: it runs if every need succeeded, and is skipped otherwise
// (execution-semantics.md §4.2). After a cancel it is cancelled (§4.3).
func DefaultDecision(c Candidate) Decision {
	if c.Facts.Cancelled {
		return DecisionCancel
	}
	for _, n := range c.Needs {
		if n.Result != StatusSuccess {
			return DecisionSkip
		}
	}
	return DecisionRun
}

// DecisionForIf decides for a job with `if`, whose value is holds. After a cancel a job whose `if` does not
// hold is cancelled, not skipped (execution-semantics.md §4.3, GH).
func DecisionForIf(c Candidate, holds bool) Decision {
	switch {
	case holds:
		return DecisionRun
	case c.Facts.Cancelled:
		return DecisionCancel
	}
	return DecisionSkip
}

// Candidates returns the undecided jobs whose needs have all ended, as far as max-parallel lets them go, in
// input order. Deciding may bring up others (a skip settles a key or frees no place), so call it until it
// returns nothing.
func (s *Schedule) Candidates() []Candidate {
	var found []*job
	stillOpen := s.open[:0]
	for _, k := range s.open {
		next := k.nextCells()
		if len(next) == 0 {
			k.isOpen = false // the end of a cell, which frees a place, opens it again
			continue
		}
		stillOpen = append(stillOpen, k)
		found = append(found, next...)
	}
	clear(s.open[len(stillOpen):])
	s.open = stillOpen
	slices.SortFunc(found, byPlace)
	return s.candidates(found)
}

func (s *Schedule) candidates(jobs []*job) []Candidate {
	list := make([]Candidate, len(jobs))
	for i, j := range jobs {
		list[i] = Candidate{
			ID: j.ID, Parent: j.Parent, Kind: j.Kind, Key: j.Key, Needs: j.key.results(), HasIf: j.HasIf, Facts: s.factsFor(j.key),
		}
	}
	return list
}

// nextCells returns the undecided cells that may go.
func (k *key) nextCells() []*job {
	for k.decided < len(k.cells) && k.cells[k.decided].phase != undecided {
		k.decided++
	}
	var list []*job
	permits := k.permits()
	for _, j := range k.cells[k.decided:] {
		if len(list) == permits {
			break
		}
		if j.phase == undecided {
			list = append(list, j)
		}
	}
	return list
}

// permits returns how many more cells may be in flight.
func (k *key) permits() int {
	limit := k.cells[0].MaxParallel
	if limit <= 0 {
		return len(k.cells)
	}
	return max(0, limit-k.inFlight)
}

func (k *key) results() []Need {
	needs := make([]Need, len(k.needs))
	for i, n := range k.needs {
		needs[i] = Need{Key: n.name, Result: n.tally.status()}
	}
	return needs
}

// factsFor returns what the status functions say to the jobs of k.
func (s *Schedule) factsFor(k *key) Facts {
	if s.cancelled {
		return Facts{Cancelled: true}
	}
	return k.factsAbove()
}

// factsAbove adds up everything that k needs, directly or not.
func (k *key) factsAbove() Facts {
	f := Facts{Success: true}
	for _, n := range k.needs {
		f.Success = f.Success && n.facts.Success
		f.Failure = f.Failure || n.facts.Failure
	}
	return f
}

// factsWith adds k's own result to the facts above it.
func (k *key) factsWith(t *tally) Facts {
	f := k.factsAbove()
	f.Success = f.Success && t.status() == StatusSuccess
	f.Failure = f.Failure || t.by[StatusFailure] > 0
	return f
}

// Decide answers a Candidate. A job can be decided once, and not before its needs have ended.
func (s *Schedule) Decide(id int64, d Decision) error {
	j, err := s.findCandidate(id, "decide")
	if err != nil {
		return err
	}
	if d == DecisionRun && j.Kind == JobDeferred {
		return fmt.Errorf("decide job %d (%s): it is deferred, so its cells run in its place", id, j.Key)
	}
	switch d {
	case DecisionRun:
		s.move(j, inFlight, StatusWaiting)
	case DecisionSkip:
		s.move(j, ended, StatusSkipped)
	case DecisionFail:
		s.move(j, ended, StatusFailure)
	case DecisionCancel:
		s.move(j, ended, StatusCancelled)
	default:
		return fmt.Errorf("decide job %d (%s): unknown decision %d", id, j.Key, d)
	}
	return nil
}
