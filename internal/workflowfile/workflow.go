package workflowfile

import (
	"fmt"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Workflow is one file that was read and checked. It does not change and may be shared.
type Workflow struct {
	// Path is what Parse was given, e.g. `.gitea/workflows/ci.yml`.
	Path string
	// Name is the file's `name`; empty if it has none.
	Name string
	On   Triggers
	// Jobs are in the order of the file.
	Jobs []*Job

	source      *source
	runName     *node
	concurrency *concurrency
	// What goes into every payload unchanged.
	env, defaults, permissions *node
}

// Triggers is the file's `on`.
type Triggers struct {
	// Events are all events of the file, known to Pawl or not, in its order. An unknown one never fires.
	Events []Event
	// Push is set when the file has `push`, Dispatch when it has `workflow_dispatch`, Call when it has `workflow_call`.
	Push     *PushTrigger
	Dispatch *DispatchTrigger
	Call     *CallTrigger

	node *node // as a mapping; for payloads
}

// Has reports whether the file is for this event.
func (t Triggers) Has(event string) bool {
	for _, e := range t.Events {
		if e.Name == event {
			return true
		}
	}
	return false
}

// Event is one entry of `on` with all filters it may have. What is not in the file is nil.
type Event struct {
	Position
	Name      string
	Types     []string
	Filter    ci.PushFilter // for pull requests the branches are the base branches
	Workflows []string      // workflow_run
	Schedules []Schedule    // schedule
}

// Schedule is one entry of `on: schedule`.
type Schedule struct {
	Position
	Cron     string
	Timezone string // empty: UTC
}

// PushTrigger is `on: push`.
type PushTrigger struct {
	Position
	Filter ci.PushFilter
}

// DispatchTrigger is `on: workflow_dispatch`.
type DispatchTrigger struct {
	Position
	Inputs []Input // in the order of the file
}

// Input is one declared input of a dispatch.
type Input struct {
	Position
	Name        string
	Type        string // string, boolean, number, choice or environment
	Description string
	Default     string
	HasDefault  bool
	Required    bool
	Options     []string // choice
}

// Job is one entry of `jobs`, before its matrix is expanded. What the runner needs to know and the server
// does not stays in the payload only.
type Job struct {
	Position
	Key   string
	Needs []string
	// Uses is the reusable workflow that the job calls; empty for a job with steps.
	Uses string

	name, condition, runsOn, continueOnError, timeout, priority *node
	strategy                                                    *node // nil when the file has none
	concurrency                                                 *concurrency
	environment                                                 *node // its name
	retry                                                       *ci.Retry
	call                                                        *caller // with `uses` only
	outputs, stepNames                                          []string
	shared                                                      *node // the keys of the payload that are the same in every cell

	late bool // what is planned uses `needs`
	// usesStrategy: the runner would need more of the `strategy` context than it has.
	usesStrategy bool
	ifText       string // without `${{ }}`
	ifAt         string
	ifMatrix     bool
}

// job returns a job by its key. The error is an *Error.
func (w *Workflow) job(key string) (*Job, error) {
	for _, j := range w.Jobs {
		if j.Key == key {
			return j, nil
		}
	}
	return nil, &Error{Problems: []Problem{{w.Path, 1, 1, fmt.Sprintf("the workflow has no job %q", key)}}}
}

// MatchesPush reports whether a push to the full ref with these changed files starts this workflow. The
// files are looked at only if the filter has paths (ci.PushFilter.NeedsPaths).
func (w *Workflow) MatchesPush(ref string, changed []string) bool {
	return w.On.Push != nil && w.On.Push.Filter.Match(ref, changed)
}
