package ci

// Outcome is the part of one job that counts when jobs are added up.
type Outcome struct {
	Status Status
	// Soft is the job's `continue-on-error`: its failure counts as success.
	Soft bool
	// FailFast says that the job was cancelled because another cell of its matrix failed: it counts as a failure, so
	// that the matrix and the run are failed, and not cancelled.
	FailFast bool
}

// Aggregate adds jobs up to the status of their attempt, of a whole matrix, or of a reusable-workflow
// caller (execution-semantics.md §2.2, S27: the first matching row wins). An empty list is StatusUnknown.
func Aggregate(outcomes []Outcome) Status {
	var t tally
	for _, o := range outcomes {
		t.add(o, 1)
	}
	return t.status()
}

// tally counts outcomes, so that a scheduler with a thousand jobs can ask for the aggregate after each
// event without going over all of them.
type tally struct {
	total int
	soft  int // soft failures; not in by[StatusFailure]
	by    [len(statusWords)]int
}

// add counts o in (n = 1) or out (n = -1).
func (t *tally) add(o Outcome, n int) {
	t.total += n
	if o.FailFast && o.Status == StatusCancelled {
		o.Status = StatusFailure
	}
	if o.Soft && o.Status == StatusFailure {
		t.soft += n
		return
	}
	if o.Status < 0 || int(o.Status) >= len(t.by) {
		o.Status = StatusUnknown
	}
	t.by[o.Status] += n
}

// aggregateOrder lists rows 3 to 8 of the table: the first status that any job has is the result.
var aggregateOrder = [...]Status{
	StatusCancelling, StatusRunning, StatusWaiting, StatusBlocked, StatusCancelled, StatusFailure,
}

func (t *tally) status() Status {
	switch {
	case t.total == 0:
		return StatusUnknown
	case t.by[StatusSkipped] == t.total:
		return StatusSkipped
	case t.by[StatusSuccess]+t.by[StatusSkipped]+t.soft == t.total:
		return StatusSuccess
	}
	for _, s := range aggregateOrder {
		if t.by[s] > 0 {
			return s
		}
	}
	return StatusUnknown
}

// terminal reports whether every counted job has ended.
func (t *tally) terminal() bool {
	return t.by[StatusSuccess]+t.by[StatusFailure]+t.by[StatusCancelled]+t.by[StatusSkipped]+t.soft == t.total
}
