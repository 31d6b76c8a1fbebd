package apiserver

import (
	"strconv"
	"time"

	"github.com/pawl-ci/pawl/db"
	"github.com/pawl-ci/pawl/internal/ci"
)

// logStep is a step with its part of the log. What a runner does before and after the steps of the job is a step too.
type logStep struct {
	key     string // by which a client asks for it: its number, or one of the words below
	name    string
	status  ci.Status
	started time.Time
	stopped time.Time
	first   int64 // row
	length  int64
	// settled: no row of it is still to come.
	settled bool
	// added is a line that stands behind its rows and is stored nowhere (lastLine).
	added string
}

// The steps that runners add (rest-api.md §9).
const (
	stepSetUp    = "set-up"
	stepComplete = "complete"
)

// lines is how many lines the step has.
func (s logStep) lines() int64 {
	if s.added != "" {
		return s.length + 1
	}
	return s.length
}

func (s logStep) end() int64 { return s.first + s.length }

// holds tells whether the row is of this step.
func (s logStep) holds(row int64) bool { return row >= s.first && row < s.end() }

// logParts are the steps of a task with their parts of its log, and the log as a whole. The task must have been read before
// the log.
func (c *call) logParts(j *db.Job, t *db.Task, log *db.TaskLog) (steps []logStep, whole logStep) {
	steps = stepsOfLog(j, t, log.RowCount)
	whole = logStep{status: t.Status.Status(), started: begun(t), stopped: t.StoppedAt, length: log.RowCount}
	// A sealed log has all rows, but only the last report says how the steps share them.
	if t.Status.Final() && (log.IsSealed || c.server.Now().Sub(t.StoppedAt) > sealGrace) {
		for i := range steps {
			steps[i].settled = true
		}
		whole.settled, whole.added = true, lastLine(t.Reason, t.StoppedAt)
		steps[len(steps)-1].added = whole.added
	}
	return steps, whole
}

// stepsOfLog divides the log of a task, of which there are so many rows, among its steps. Runners report where a step
// begins and how far it has come, some moments after the rows themselves: rows that no step has yet are of none, unless
// nothing has begun or all has ended.
func stepsOfLog(j *db.Job, t *db.Task, rows int64) []logStep {
	own := ownSteps(j, t, rows)
	setUp := setUpStep(own, t, rows)
	return append(append([]logStep{setUp}, own...), completeStep(own, setUp, t, rows))
}

// ownSteps are the steps of the job. A report may be ahead of the rows, and is cut to them.
func ownSteps(j *db.Job, t *db.Task, rows int64) []logStep {
	steps := make([]logStep, len(j.StepNames))
	for i, name := range j.StepNames {
		steps[i] = logStep{key: strconv.Itoa(i), name: name, status: stepStatus(ci.StatusWaiting, t.Status)}
	}
	for _, s := range t.Steps {
		if s.Index < 0 || s.Index >= len(steps) {
			continue
		}
		to := &steps[s.Index]
		to.status, to.started, to.stopped = stepStatus(s.Status, t.Status), s.StartedAt, s.StoppedAt
		to.first = min(s.LogIndex, rows)
		to.length = min(s.LogLength, rows-to.first)
		to.settled = s.Status.Terminal() && s.LogLength <= rows-to.first
	}
	return steps
}

// placed tells whether a step knows its place in the log: that of one that has begun and logged nothing may be unknown.
func (s logStep) placed() bool { return s.length > 0 || !s.started.IsZero() && s.first > 0 }

// setUpStep lasts until the first step begins, and has the whole log when none does.
func setUpStep(own []logStep, t *db.Task, rows int64) logStep {
	s := logStep{key: stepSetUp, name: "Set up job", status: ci.StatusSuccess, started: begun(t), length: rows}
	for _, o := range own {
		if o.placed() {
			s.length, s.settled = o.first, true
			break
		}
	}
	for _, o := range own {
		if !o.started.IsZero() {
			s.stopped = o.started
			return s
		}
	}
	s.status, s.stopped = t.Status.Status(), t.StoppedAt
	return s
}

// completeStep has what follows the last step, from when all have ended.
func completeStep(own []logStep, setUp logStep, t *db.Task, rows int64) logStep {
	s := logStep{key: stepComplete, name: "Complete job", status: ci.StatusWaiting, first: setUp.end(), started: setUp.stopped}
	ended := len(own) > 0
	for _, o := range own {
		ended = ended && o.status.Terminal()
		if o.placed() {
			s.first = max(s.first, o.end())
		}
		if o.stopped.After(s.started) {
			s.started = o.stopped
		}
	}
	switch {
	case t.Status.Final():
		s.status, s.stopped = t.Status.Status(), t.StoppedAt
	case ended:
		s.status = ci.StatusRunning
	default:
		s.started = time.Time{}
		return s
	}
	s.length = rows - s.first
	return s
}

// begun is when a task began: by its runner's clock, or else when the runner took it.
func begun(t *db.Task) time.Time {
	if t.StartedAt.IsZero() {
		return t.ClaimedAt
	}
	return t.StartedAt
}
