package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/pawl-ci/pawl/internal/ci"
)

// Run carries one attempt of a run from its first offer to its end. It ends without an error whatever becomes of
// the jobs; their result is in RunResult and in the projection.
func (s *Settings) Run(ctx workflow.Context, in RunInput) (RunResult, error) {
	r, err := newRun(ctx, s, in)
	if err != nil {
		return RunResult{}, err
	}
	return r.execute()
}

// Settings are the operator's settings that workflows need. They are given to each job when it starts, so that a
// change reaches new jobs only and replays stay true.
type Settings struct {
	Job JobSettings
}

// run is the state of one Run workflow.
type run struct {
	RunInput
	settings *Settings
	// parent is cancelled when somebody cancels the workflow in Temporal itself.
	parent workflow.Context
	// ctx is not cancelled: what a run still has to decide and write after a cancel must be done.
	ctx      workflow.Context
	schedule *ci.Schedule
	jobs     map[int64]runJob
	// ready are the jobs decided to run whose offers are still to be made.
	ready []int64
	// stops cancels the children that are open.
	stops map[int64]workflow.CancelFunc
	// abandoned are jobs whose workflow ended without a result, so that their task may still be open.
	abandoned []int64
	// reasons says of ended jobs why, where that is known.
	reasons  map[int64]string
	selector workflow.Selector
	cancel   cancellation
}

// runJob is a job of the plan with the key that names it.
type runJob struct {
	PlannedJob
	key string
}

func newRun(ctx workflow.Context, s *Settings, in RunInput) (*run, error) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	r := &run{
		RunInput: in,
		settings: s,
		parent:   ctx,
		ctx:      withLocal(detached),
		jobs:     map[int64]runJob{},
		stops:    map[int64]workflow.CancelFunc{},
		reasons:  map[int64]string{},
	}
	r.selector = workflow.NewSelector(r.ctx)
	r.listenForCancel()
	if err := workflow.SetQueryHandler(ctx, QueryState, r.state); err != nil {
		return nil, fmt.Errorf("set query handler: %w", err)
	}
	return r, r.load()
}

// load reads the plan and makes the schedule of it. The plan was validated before the run was stored.
func (r *run) load() error {
	plan, err := local[RunPlan](r.ctx, ActivityLoadPlan, r.RunInput)
	if err != nil {
		return fmt.Errorf("load plan: %w", err)
	}
	for _, j := range plan.Jobs {
		r.jobs[j.ID] = runJob{PlannedJob: j, key: plan.Keys[j.Key].Key}
	}
	if r.schedule, err = ci.NewSchedule(plan.specs()); err != nil {
		return fmt.Errorf("plan of run %d: %w", r.RunID, err)
	}
	r.schedule.TakeChanges() // what the plan says of passed-through jobs is in the projection already
	return nil
}

// execute takes one step after the other until every job has ended.
func (r *run) execute() (RunResult, error) {
	for {
		r.endAbandoned()
		if err := r.decide(); err != nil {
			return RunResult{}, err
		}
		if err := r.recordStep(); err != nil {
			return RunResult{}, err
		}
		r.startChildren()
		if r.schedule.Done() {
			return r.conclude()
		}
		r.wait()
	}
}

// wait returns when something happened, and takes along all that has, so that the ends of many jobs make one step.
func (r *run) wait() {
	r.selector.Select(r.ctx)
	for r.selector.HasPending() {
		r.selector.Select(r.ctx)
	}
}

func (r *run) conclude() (RunResult, error) {
	status := r.schedule.Status()
	err := workflow.UpsertTypedSearchAttributes(r.ctx, conclusionKey.ValueSet(status.String()))
	if err != nil {
		return RunResult{}, fmt.Errorf("set conclusion: %w", err)
	}
	return RunResult{Status: status}, nil
}

func (r *run) state() (RunState, error) {
	s := RunState{Cancelled: r.cancel.done}
	if r.schedule == nil {
		return s, nil
	}
	s.Status = r.schedule.Status()
	for _, id := range workflow.DeterministicKeys(r.jobs) {
		s.Jobs = append(s.Jobs, JobState{JobID: id, Key: r.jobs[id].key, Status: r.schedule.JobStatus(id)})
	}
	return s, nil
}
