package workflows

import (
	"cmp"
	"fmt"
	"slices"

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
	selector workflow.Selector
	schedule *ci.Schedule
	jobs     map[int64]runJob

	beginning beginning
	news      news
	cancel    cancellation
	timeline  timeline

	// chosen are the jobs decided to run that nobody has looked at further; held are those of them that wait for an
	// approval, a time or their concurrency group; ready are those whose offers are still to be made.
	chosen []ci.Candidate
	held   map[int64]*hold
	ready  []int64
	// newlyHeld are to be shown as blocked by the next step.
	newlyHeld []int64
	// stops cancels the children that are open.
	stops map[int64]workflow.CancelFunc
	// abandoned are jobs whose workflow ended without a result, so that their task may still be open.
	abandoned []int64
	// endings says more of jobs that ended than their status, until it is recorded.
	endings map[int64]ending
	// inGates: the run or one of its jobs has been in a concurrency group.
	inGates bool
}

// runJob is a job of the plan with the key that names it.
type runJob struct {
	PlannedJob
	key string
}

// ending is why a job ended as it did.
type ending struct {
	reason string
	class  ci.ErrorClass
}

// broken is the end of a job that cannot go on. Without a class the author of the file has to mend it.
func broken(text string, class ci.ErrorClass) ending {
	return ending{reason: ShortReason(text), class: cmp.Or(class, ci.ErrorPermanent)}
}

func newRun(ctx workflow.Context, s *Settings, in RunInput) (*run, error) {
	detached, _ := workflow.NewDisconnectedContext(ctx)
	r := &run{
		RunInput: in,
		settings: s,
		parent:   ctx,
		ctx:      withLocal(detached),
		jobs:     map[int64]runJob{},
		held:     map[int64]*hold{},
		stops:    map[int64]workflow.CancelFunc{},
		endings:  map[int64]ending{},
	}
	r.selector = workflow.NewSelector(r.ctx)
	r.listenForCancel()
	r.listenForNews()
	if err := r.answerQueries(); err != nil {
		return nil, err
	}
	return r, r.load()
}

func (r *run) answerQueries() error {
	if err := workflow.SetQueryHandler(r.ctx, QueryState, r.state); err != nil {
		return fmt.Errorf("set query handler: %w", err)
	}
	if err := workflow.SetQueryHandler(r.ctx, QueryTimeline, r.timeline.all); err != nil {
		return fmt.Errorf("set query handler: %w", err)
	}
	return nil
}

// load reads the plan and makes the schedule of it. The plan was validated before the run was stored.
func (r *run) load() error {
	plan, err := local[RunPlan](r.ctx, ActivityLoadPlan, r.RunInput)
	if err != nil {
		return fmt.Errorf("load plan: %w", err)
	}
	r.remember(plan)
	if r.schedule, err = ci.NewSchedule(plan.specs()); err != nil {
		return fmt.Errorf("plan of run %d: %w", r.RunID, err)
	}
	r.schedule.TakeChanges() // what the plan says of passed-through jobs is in the projection already
	r.beginning = beginning{needsApproval: plan.NeedsApproval, hasGate: plan.HasGate, gate: plan.Gate}
	r.inGates = plan.HasGate
	// What a job follows may have ended before anybody could be woken.
	r.news.unread = plan.HasNews || slices.ContainsFunc(plan.Jobs, func(j PlannedJob) bool { return j.Started })
	if !plan.HasNews {
		return nil
	}
	return r.readNews()
}

// remember notes the jobs of a plan.
func (r *run) remember(plan RunPlan) {
	for _, j := range plan.Jobs {
		r.jobs[j.ID] = runJob{PlannedJob: j, key: plan.Keys[j.Key].Key}
	}
}

// execute takes one step after the other until every job has ended.
func (r *run) execute() (RunResult, error) {
	r.startLife()
	if err := r.begin(); err != nil {
		return RunResult{}, err
	}
	if err := r.readNews(); err != nil {
		return RunResult{}, err
	}
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
		if err := r.wait(); err != nil {
			return RunResult{}, err
		}
	}
}

// wait returns when something happened, and takes along all that has, so that the ends of many jobs make one step.
func (r *run) wait() error {
	r.selector.Select(r.ctx)
	for r.selector.HasPending() {
		r.selector.Select(r.ctx)
	}
	return r.readNews()
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
